//! A server that speaks AssemblyAI's protocol, for tests and for trying the service out.
//!
//! It keeps of an upload only its size and its SHA-256, taken while the bytes arrive. The
//! recordings of [`crate::fixtures`] are recognised by that hash and answered with their reference
//! text; anything else ends as "File does not appear to contain audio". It fetches nothing: an
//! `audio_url` that is not one of its own uploads ends as "Download error".
//!
//! Faults are scripted: each request takes the next one of its endpoint's queue, if there is one.
//! What was accepted stands in the ledger, whatever the client was told.

mod captions;
mod fault;
mod job;
mod listing;
mod params;
mod routes;
mod shared;
mod webhook;

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use actix_web::{App, HttpServer, dev::ServerHandle, rt::System, web};

pub use fault::{Endpoint, Fault};
pub use shared::{Accepted, Uploaded};

use shared::Shared;

/// How the server behaves.
#[derive(Debug, Clone)]
pub struct FakeOptions {
    /// Where it listens; port 0 picks a free one.
    pub address: SocketAddr,
    /// The only key it takes; `None` takes any.
    pub api_key: Option<String>,
    /// How long a job takes: half of it `queued`, half of it `processing`.
    pub processing: Duration,
    /// A file that gets one line of JSON for each accepted job, on the disk before the client is
    /// answered.
    pub ledger: Option<PathBuf>,
    /// Whether the recordings are served under `/fixtures/{name}.wav`.
    pub serve_fixtures: bool,
    /// How long it waits between two attempts to call back.
    pub webhook_pause: Duration,
    /// How long the list does not show a job that was accepted.
    pub list_lag: Duration,
    /// The most jobs on one page of the list, whatever is asked for.
    pub page: usize,
}

impl Default for FakeOptions {
    /// A free port of the loopback interface, any key, jobs that are done at once.
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            api_key: None,
            processing: Duration::ZERO,
            ledger: None,
            serve_fixtures: false,
            webhook_pause: Duration::from_secs(10),
            list_lag: Duration::ZERO,
            page: 200,
        }
    }
}

/// A running server, on a thread of its own; dropping it stops it.
pub struct FakeAssemblyAi {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: ServerHandle,
    thread: Option<thread::JoinHandle<io::Result<()>>>,
}

impl FakeAssemblyAi {
    /// Starts a server with the default options.
    ///
    /// # Panics
    /// When no port can be had.
    pub fn start() -> Self {
        Self::start_with(FakeOptions::default()).expect("a free port on the loopback interface")
    }

    /// Starts a server.
    ///
    /// # Errors
    /// When the port or the ledger file cannot be had.
    pub fn start_with(options: FakeOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(options.address)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(options, format!("http://{address}"))?);
        let (started, starting) = mpsc::channel();
        let memory = Arc::clone(&shared);
        let thread =
            thread::Builder::new().name("fake-assemblyai".to_owned()).spawn(move || {
                System::new().block_on(async move {
                    let server = serve(listener, memory)?;
                    let _ = started.send(server.handle());
                    server.await
                })
            })?;
        let server = starting
            .recv_timeout(Duration::from_secs(10))
            .map_err(|_| io::Error::other("the server did not start"))?;
        Ok(Self { address, shared, server, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What takes the place of `https://api.assemblyai.com`, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets the next undisturbed request of `endpoint` meet a fault.
    pub fn script(&self, endpoint: Endpoint, fault: Fault) {
        self.shared.script(endpoint, fault);
    }

    /// Every accepted job, oldest first, whatever its client was told.
    pub fn ledger(&self) -> Vec<Accepted> {
        self.shared.ledger()
    }

    /// Every upload, oldest first.
    pub fn uploads(&self) -> Vec<Uploaded> {
        self.shared.uploads()
    }

    /// How many requests an endpoint has seen, disturbed ones and those without a key included.
    pub fn requests(&self, endpoint: Endpoint) -> usize {
        self.shared.requests(endpoint)
    }

    /// Whether a job was deleted.
    pub fn is_deleted(&self, id: &str) -> bool {
        self.shared.find(id, |job| job.deleted).unwrap_or(false)
    }

    /// Whether the server failed at a job, which then is not billed.
    pub fn has_failed(&self, id: &str) -> bool {
        self.shared.find(id, |job| job.error().is_some()).unwrap_or(false)
    }

    /// Changes how long jobs accepted from now on take.
    pub fn set_processing(&self, processing: Duration) {
        self.shared.set_processing(processing);
    }

    /// Changes how long the list does not show jobs accepted from now on.
    pub fn set_list_lag(&self, list_lag: Duration) {
        self.shared.set_list_lag(list_lag);
    }

    /// Lets the list show every job that was accepted so far.
    pub fn catch_up(&self) {
        self.shared.catch_up();
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// What ended the server.
    pub fn wait(mut self) -> io::Result<()> {
        match self.thread.take().map(thread::JoinHandle::join) {
            Some(Ok(ended)) => ended,
            Some(Err(_)) => Err(io::Error::other("the server panicked")),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for FakeAssemblyAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeAssemblyAi").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for FakeAssemblyAi {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The order to stop is given when the future is made; the thread's end is its answer.
            drop(self.server.stop(false));
            let _ = thread.join();
        }
    }
}

fn serve(listener: TcpListener, shared: Arc<Shared>) -> io::Result<actix_web::dev::Server> {
    let shared = web::Data::from(shared);
    let app = move || {
        App::new()
            .app_data(shared.clone())
            .app_data(web::PayloadConfig::new(1024 * 1024))
            .configure(routes::configure)
    };
    let server = HttpServer::new(app)
        .workers(1)
        .disable_signals()
        .on_connect(fault::keep_connection)
        .listen(listener)?;
    Ok(server.run())
}
