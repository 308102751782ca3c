//! The running service: HTTP in front, the job engine behind, over one set of adapters; both in
//! one process, or each in processes of its own.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use actix_web::{
    dev::{Server, ServerHandle},
    web,
};
use api::{ApiConfig, ApiState};
use application::{
    Adapters, Engine, EngineConfig, EngineHandle, limits::Quotas, uploads::UploadLimits,
};
use domain::AddressPolicy;
use futures_util::future::OptionFuture;
use tokio::task::JoinHandle;

use crate::readiness::Readiness;

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

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Serves the API and runs jobs.
    Whole,
    /// Serves the API.
    Api,
    /// Runs jobs.
    Worker,
}

impl Role {
    /// The word used in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Api => "api",
            Self::Worker => "worker",
        }
    }
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
        Self::run(listener, adapters, config, |listener, state| {
            api::server(listener, state, config.workers)
        })
    }

    /// Starts to tell on `listener` how the process is, and nothing else.
    ///
    /// # Errors
    /// When the listener cannot be used.
    pub fn start_health(
        listener: TcpListener,
        adapters: &Adapters,
        config: &ServeConfig,
    ) -> io::Result<Self> {
        Self::run(listener, adapters, config, api::health_server)
    }

    fn run(
        listener: TcpListener,
        adapters: &Adapters,
        config: &ServeConfig,
        server: impl FnOnce(TcpListener, web::Data<ApiState>) -> io::Result<Server>,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let services = adapters.services(config.quotas, config.policy.clone(), config.uploads);
        let state = web::Data::new(ApiState::new(Arc::new(services), config.api.clone()));
        let server = server(listener, state.clone())?;
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
    front: Option<Front>,
    engine: Option<EngineHandle>,
}

/// Starts to do what `role` says. A process that serves calls needs a `listener`; one that only
/// runs jobs tells on it how it is, if it has one.
///
/// # Errors
/// When the listener is missing or cannot be used.
pub fn start(
    role: Role,
    listener: Option<TcpListener>,
    adapters: &Adapters,
    config: &ServeConfig,
) -> io::Result<Running> {
    let runs_jobs = matches!(role, Role::Whole | Role::Worker);
    let engine = runs_jobs.then(|| Engine::new(adapters, config.engine));
    let health = Arc::new(Readiness::new(adapters.health.clone(), engine.clone()));
    let adapters = Adapters { health, ..adapters.clone() };
    let front = match (role, listener) {
        (Role::Whole | Role::Api, Some(listener)) => {
            Some(Front::start(listener, &adapters, config)?)
        }
        (Role::Worker, Some(listener)) => Some(Front::start_health(listener, &adapters, config)?),
        (Role::Worker, None) => None,
        (Role::Whole | Role::Api, None) => {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "nothing to listen on"));
        }
    };
    Ok(Running { front, engine: engine.map(|engine| engine.start()) })
}

impl Running {
    /// Where it listens, if it does.
    pub fn address(&self) -> Option<SocketAddr> {
        self.front.as_ref().map(Front::address)
    }

    /// Ends when a part of it has ended by itself, which none does unless something is wrong.
    ///
    /// # Errors
    /// Why it ended.
    pub async fn ended(&mut self) -> io::Result<()> {
        let Self { front, engine } = self;
        let front = OptionFuture::from(front.as_mut().map(Front::ended));
        let engine = OptionFuture::from(engine.as_mut().map(EngineHandle::ended));
        tokio::select! {
            Some(ended) = front => ended,
            Some(()) = engine => Err(io::Error::other("the job engine ended by itself")),
            else => std::future::pending().await,
        }
    }

    /// Stops: no new work, what runs is finished or handed back.
    pub async fn stop(self) {
        let Self { front, engine } = self;
        if let Some(front) = &front {
            front.drain();
        }
        tokio::join!(
            OptionFuture::from(engine.map(EngineHandle::drain)),
            OptionFuture::from(front.map(Front::stop)),
        );
    }
}
