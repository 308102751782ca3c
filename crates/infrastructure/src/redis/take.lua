-- Takes one call from a fixed window that opens with its first call.
-- KEYS: the window. ARGV: quota, length in ms, and now in ms, or nothing for the server's own time.
-- Returns whether the call is within the quota, how many more are, and how long the window lasts.
-- The value is "opened taken"; what is not counts as no value.
local quota, length, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local value = redis.pcall('GET', KEYS[1])
local opened, taken
if type(value) == 'string' then
  opened, taken = string.match(value, '^(%d+) (%d+)$')
  opened, taken = tonumber(opened), tonumber(taken)
end

local changed = false
if not opened or now - opened >= length then
  opened, taken, changed = now, 0, true
elseif opened > now then
  -- The server's clock was set back: the count stays, the window begins again.
  opened, changed = now, true
end

local allowed = taken < quota
if allowed then
  taken, changed = taken + 1, true
end
local left = length - (now - opened)
if changed then
  redis.call('SET', KEYS[1], string.format('%.0f %.0f', opened, taken), 'PX', left)
end
return { allowed and 1 or 0, math.max(quota - taken, 0), left }
