-- Signs an instance in, and counts those that did so lately.
-- KEYS: the list. ARGV: the instance, how long a signature counts in ms.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local length = tonumber(ARGV[2])

local signed = redis.pcall('ZADD', KEYS[1], now, ARGV[1])
if type(signed) == 'table' then
  -- Something else stands there.
  redis.call('DEL', KEYS[1])
  redis.call('ZADD', KEYS[1], now, ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - length)
redis.call('PEXPIRE', KEYS[1], length)
return redis.call('ZCARD', KEYS[1])
