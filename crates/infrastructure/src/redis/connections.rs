//! The connections of the pool.

use std::{sync::Arc, time::Duration};

use deadpool::managed::{Manager, Metrics, RecycleResult};
use deadpool_redis::redis::{
    AsyncConnectionConfig, Client, ErrorKind, RedisError, RedisResult, aio::MultiplexedConnection,
};
use tokio::runtime::Handle;

/// How long a connection may have rested and still be taken on trust. To ask each time would double
/// the way of every command; servers and balancers close connections that rest for minutes.
const TRUSTED: Duration = Duration::from_secs(10);

/// Makes connections, and judges whether they can be used again.
pub(super) struct Connections {
    client: Client,
    driver: Arc<deadpool_redis::Manager>,
    /// Where connections live. An HTTP worker has a runtime of its own, which is busy with its
    /// requests and ends before the process does.
    home: Handle,
}

impl Connections {
    /// Makes connections that wait for nothing longer than `deadline`.
    ///
    /// # Errors
    /// When the address in `client` cannot be used.
    pub(super) fn new(client: Client, deadline: Duration, home: Handle) -> RedisResult<Self> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(deadline))
            .set_response_timeout(Some(deadline));
        let info = client.get_connection_info().clone();
        let driver = Arc::new(deadpool_redis::Manager::new_with_config(info, config)?);
        Ok(Self { client, driver, home })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn home(&self) -> &Handle {
        &self.home
    }
}

impl Manager for Connections {
    type Type = MultiplexedConnection;
    type Error = RedisError;

    async fn create(&self) -> Result<Self::Type, Self::Error> {
        let driver = Arc::clone(&self.driver);
        let made = self.home.spawn(async move { driver.create().await }).await;
        made.unwrap_or_else(|_| Err((ErrorKind::Io, "the service is being stopped").into()))
    }

    async fn recycle(
        &self,
        connection: &mut Self::Type,
        metrics: &Metrics,
    ) -> RecycleResult<Self::Error> {
        if metrics.last_used() < TRUSTED {
            return Ok(());
        }
        self.driver.recycle(connection, metrics).await
    }
}
