//! The running service: HTTP in front, the job engine behind, over one set of adapters.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use actix_web::{dev::ServerHandle, web};
use api::{ApiConfig, ApiState};
use application::{
    Adapters, Engine, EngineConfig, EngineHandle, limits::Quotas, uploads::UploadLimits,
};
use domain::AddressPolicy;
use tokio::task::JoinHandle;

/// What the service needs beside its adapters.
#[derive(Clone)]
pub struct ServeConfig {
    /// How often callers may call.
    pub quotas: Quotas,
    /// Which addresses may be fetched from.
    pub policy: AddressPolicy,
    /// How much users may hand in.
    pub uploads: UploadLimits,
    /// How jobs are run.
    pub engine: EngineConfig,
    /// How the service presents itself.
    pub api: ApiConfig,
    /// HTTP worker threads.
    pub workers: usize,
}

/// The HTTP half of the service: answers until it is stopped, and runs no jobs.
pub struct Front {
    address: SocketAddr,
    state: web::Data<ApiState>,
    handle: ServerHandle,
    running: JoinHandle<io::Result<()>>,
}

impl Front {
    /// Starts to serve on `listener`.
    ///
    /// # Errors
    /// When the listener cannot be used.
    pub fn start(
        listener: TcpListener,
        adapters: &Adapters,
        config: &ServeConfig,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let services = adapters.services(config.quotas, config.policy.clone(), config.uploads);
        let state = web::Data::new(ApiState::new(Arc::new(services), config.api.clone()));
        let server = api::server(listener, state.clone(), config.workers)?;
        let handle = server.handle();
        let running = tokio::spawn(server);
        Ok(Self { address, state, handle, running })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets everyone who asks know that the end is near; calls are still answered.
    pub fn drain(&self) {
        self.state.drain();
    }

    /// Ends when the HTTP server has ended by itself, which it does not unless something is wrong.
    ///
    /// # Errors
    /// Why it ended.
    pub async fn ended(&mut self) -> io::Result<()> {
        (&mut self.running).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    /// Takes no more calls, and finishes those that run.
    pub async fn stop(self) {
        self.handle.stop(true).await;
    }
}

/// A service that runs until it is stopped.
pub struct Running {
    front: Front,
    engine: EngineHandle,
}

/// Starts to serve on `listener` and to run jobs.
///
/// # Errors
/// When the listener cannot be used.
pub fn start(
    listener: TcpListener,
    adapters: &Adapters,
    config: &ServeConfig,
) -> io::Result<Running> {
    let front = Front::start(listener, adapters, config)?;
    let engine = Engine::new(adapters, config.engine).start();
    Ok(Running { front, engine })
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.front.address()
    }

    /// Ends when the HTTP server has ended by itself, which it does not unless something is wrong.
    ///
    /// # Errors
    /// Why it ended.
    pub async fn ended(&mut self) -> io::Result<()> {
        self.front.ended().await
    }

    /// Stops: no new work, what runs is finished or handed back.
    pub async fn stop(self) {
        self.front.drain();
        tokio::join!(self.engine.drain(), self.front.stop());
    }
}
