//! The way to one Redis, or to what speaks its protocol.

use std::{
    fmt,
    pin::pin,
    sync::{Arc, LazyLock, Weak},
    time::Duration,
};

use deadpool::{
    Runtime,
    managed::{BuildError, Pool, QueueMode, Timeouts},
};
use deadpool_redis::redis::{
    Client, Cmd, FromRedisValue, IntoConnectionInfo, RedisError, RedisResult, Script,
    ScriptInvocation,
    aio::{MultiplexedConnection, PubSub},
    cmd,
    io::tcp::TcpSettings,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::{runtime::Handle, time::timeout};

use super::{breaker::Breaker, connections::Connections, unavailable::Unavailable};

/// The version of what is in keys and messages. A change of their format is a new number, so that
/// two versions of the service do not misread each other.
const FORMAT: u32 = 1;

/// How long an answer is looked for that may have come in time.
const GRACE: Duration = Duration::from_millis(50);

static LOOK: LazyLock<Script> =
    LazyLock::new(|| Script::new("return redis.call('SET', KEYS[1], '', 'PX', ARGV[1])"));

/// Where Redis is, and how long it is waited for.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// `redis://` or `rediss://`, with a password and the number of a database where needed.
    pub url: SecretString,
    /// What every key and channel begins with.
    pub namespace: String,
    /// Longest time for a command, the way to a connection included.
    pub deadline: Duration,
    /// How often a Redis that is away is looked for, and how long one look may take.
    pub pause: Duration,
    /// Most connections, without that of the subscription. Each takes any number of calls at once.
    pub connections: usize,
}

impl RedisConfig {
    /// What is right for a Redis in the same network.
    pub fn new(url: impl Into<SecretString>) -> Self {
        Self {
            url: url.into(),
            namespace: "saas-ia".to_owned(),
            deadline: Duration::from_millis(200),
            pause: Duration::from_secs(1),
            connections: 8,
        }
    }

    /// Judges the address; nothing is connected to.
    ///
    /// # Errors
    /// When it is none of a Redis.
    pub fn check(&self) -> Result<(), RedisConfigError> {
        self.client().map(drop)
    }

    fn client(&self) -> Result<Client, RedisConfigError> {
        let info = self.url.expose_secret().into_connection_info();
        info.map(|info| info.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
            .and_then(Client::open)
            .map_err(RedisConfigError::Address)
    }
}

/// Why a configuration cannot be used. Never shows the address.
#[derive(Debug, thiserror::Error)]
pub enum RedisConfigError {
    /// The address is none of a Redis.
    #[error("the address of Redis cannot be used")]
    Address(#[source] RedisError),
    /// There is no pool of that size.
    #[error("the pool cannot be made")]
    Pool(#[from] BuildError),
}

/// One Redis, for all adapters of a process. Cheap to clone.
#[derive(Clone)]
pub struct Redis(Arc<Link>);

struct Link {
    pool: Pool<Connections>,
    namespace: String,
    breaker: Breaker,
    deadline: Duration,
    pause: Duration,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("away", &self.is_away()).finish_non_exhaustive()
    }
}

impl Redis {
    /// Prepares the way, and connects with the first command. To be called within the runtime that
    /// lives as long as the process.
    ///
    /// # Errors
    /// When `config` cannot be used. That Redis is away is no error.
    pub fn open(config: &RedisConfig) -> Result<Self, RedisConfigError> {
        let longest = config.pause.max(config.deadline + GRACE);
        let connections = Connections::new(config.client()?, longest, Handle::current())
            .map_err(RedisConfigError::Address)?;
        let pool = Pool::builder(connections)
            .max_size(config.connections)
            .runtime(Runtime::Tokio1)
            .timeouts(timeouts(config.deadline + GRACE))
            // The one that was used last is the least likely to have been closed meanwhile.
            .queue_mode(QueueMode::Lifo)
            .build()?;
        let RedisConfig { deadline, pause, .. } = *config;
        let namespace = format!("{}:v{FORMAT}", config.namespace);
        Ok(Self(Arc::new(Link { pool, namespace, breaker: Breaker::default(), deadline, pause })))
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// When there is none.
    pub async fn ping(&self) -> Result<(), Unavailable> {
        self.query(&cmd("PING")).await
    }

    /// Whether it has been found to be away, and not yet to be back.
    pub fn is_away(&self) -> bool {
        self.0.breaker.is_away()
    }

    /// Runs one command.
    pub(super) async fn query<T>(&self, command: &Cmd) -> Result<T, Unavailable>
    where
        T: FromRedisValue + Send,
    {
        self.run(Call::Command(command)).await
    }

    /// Runs a script: one round trip, but for the first time after it was forgotten.
    pub(super) async fn script<T>(&self, call: &ScriptInvocation<'_>) -> Result<T, Unavailable>
    where
        T: FromRedisValue + Send,
    {
        self.run(Call::Script(call)).await
    }

    /// Tells everyone who subscribed to `channel`.
    pub(super) async fn publish(&self, channel: &str, message: &str) -> Result<(), Unavailable> {
        self.query(cmd("PUBLISH").arg(channel).arg(message)).await
    }

    /// A connection of its own, for subscriptions. Has no deadline.
    pub(super) async fn subscriber(&self) -> RedisResult<PubSub> {
        self.0.pool.manager().client().get_async_pubsub().await
    }

    /// The runtime that lives as long as the process.
    pub(super) fn home(&self) -> &Handle {
        self.0.pool.manager().home()
    }

    /// The key of a name.
    pub(super) fn key(&self, name: fmt::Arguments<'_>) -> String {
        format!("{}:{name}", self.0.namespace)
    }

    /// The channel of this installation: channels, unlike keys, are not of one database.
    pub(super) fn channel(&self, name: &str) -> String {
        let info = self.0.pool.manager().client().get_connection_info();
        self.key(format_args!("{name}:{}", info.redis_settings().db()))
    }

    async fn run<T>(&self, call: Call<'_>) -> Result<T, Unavailable>
    where
        T: FromRedisValue + Send,
    {
        let pass = self.0.breaker.admit().ok_or(Unavailable::Away)?;
        let timeouts = Timeouts { wait: Some(self.0.deadline), ..self.0.pool.timeouts() };
        let mut running = pin!(self.0.call(timeouts, call));
        let mut outcome = timeout(self.0.deadline, &mut running).await;
        if outcome.is_err() {
            // The answer may be there, and only this process have been held up.
            outcome = timeout(GRACE, running).await;
        }
        outcome.unwrap_or(Err(Unavailable::Late)).inspect_err(|failure| {
            // That there is more to ask than connections can be made for says nothing of Redis.
            if !matches!(failure, Unavailable::Busy) && self.0.breaker.failed(pass) {
                self.lost(failure);
            }
        })
    }

    fn lost(&self, failure: &Unavailable) {
        tracing::warn!(
            event = "redis_unavailable",
            error = %failure,
            "Redis is away: limits are counted in the process, other instances are not told"
        );
        let refused = failure.is_refusal();
        if refused {
            tell_of_refusal(failure);
        }
        self.0.forget_connections();
        self.home().spawn(watch(Arc::downgrade(&self.0), refused));
    }
}

impl Link {
    async fn call<T>(&self, timeouts: Timeouts, call: Call<'_>) -> Result<T, Unavailable>
    where
        T: FromRedisValue + Send,
    {
        let pooled = self.pool.timeout_get(&timeouts).await?;
        // Back it goes at once: a connection takes the next call before it has answered to this
        // one, so that many calls together do not wait for each other.
        let mut connection = MultiplexedConnection::clone(&pooled);
        drop(pooled);
        let answer = call.on(&mut connection).await;
        if answer.is_err() {
            self.forget_connections();
        }
        Ok(answer?)
    }

    /// Looks whether Redis does again what it is asked for, past the breaker: one that is full, or
    /// only to be read from, still answers to a `PING`.
    async fn look(&self) -> Result<(), Unavailable> {
        let mut call = LOOK.key(format!("{}:look", self.namespace));
        call.arg(millis(self.pause));
        let look = self.call::<()>(timeouts(self.pause), Call::Script(&call));
        timeout(self.pause, look).await.unwrap_or(Err(Unavailable::Late))
    }

    fn forget_connections(&self) {
        self.pool.retain(|_, _| false);
    }
}

/// What is asked of Redis.
enum Call<'a> {
    Command(&'a Cmd),
    Script(&'a ScriptInvocation<'a>),
}

impl Call<'_> {
    async fn on<T: FromRedisValue>(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> RedisResult<T> {
        match self {
            Self::Command(command) => command.query_async(connection).await,
            Self::Script(call) => call.invoke_async(connection).await,
        }
    }
}

/// Looks for Redis until it is back, or nobody needs it any more. `refused` says whether the log
/// was told that it refuses us.
async fn watch(link: Weak<Link>, mut refused: bool) {
    while let Some(pause) = link.upgrade().map(|link| link.pause) {
        tokio::time::sleep(pause).await;
        let Some(link) = link.upgrade() else { return };
        let Err(failure) = link.look().await else {
            link.breaker.returned();
            tracing::info!(event = "redis_back", "Redis is back");
            return;
        };
        if failure.is_refusal() && !refused {
            tell_of_refusal(&failure);
        }
        refused = failure.is_refusal();
        // What is left may have answered to nothing for as long as Redis was frozen.
        link.forget_connections();
    }
}

/// Waiting does not help: the operator has to.
pub(super) fn tell_of_refusal(failure: &impl fmt::Display) {
    tracing::error!(
        event = "redis_refused",
        error = %failure,
        "Redis is there, and refuses the password, the user or a command: see REDIS_URL and its ACL"
    );
}

/// As Redis counts time.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn timeouts(each: Duration) -> Timeouts {
    Timeouts { wait: Some(each), create: Some(each), recycle: Some(each) }
}
