//! The HTTP server: time-outs and the number of connections.

use std::{io, net::TcpListener, time::Duration};

use actix_web::{App, HttpServer, dev::Server, middleware::from_fn, web};

use crate::{
    ApiState, app,
    middleware::context,
    routes,
    watch::{self, Patience},
};

/// How long a client may take to send the head of a request.
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
/// How long a connection may be idle.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a connection may be without a request that is worked on: longer than it may be idle,
/// so this is what a client has to read an answer, or to send the head of a later request. A line
/// that is slower than this for long is of no use to a page either.
const PATIENCE: Patience =
    Patience { stalled: Duration::from_secs(30), bytes_per_second: 10 * 1024 };
/// How long running requests have after a stop, in seconds.
const SHUTDOWN_SECONDS: u64 = 25;

/// Starts to serve on `listener`; connections beyond those that the configuration lets the workers
/// hold wait to be accepted. The future that is returned ends when the server has stopped;
/// its handle stops it. Signals are the caller's business.
///
/// # Errors
/// When the listener cannot be used.
pub fn server(
    listener: TcpListener,
    state: web::Data<ApiState>,
    workers: usize,
) -> io::Result<Server> {
    patient(listener, state, workers, PATIENCE)
}

/// Most connections that ask how a process is: an orchestrator has one or two.
const HEALTH_CONNECTIONS: usize = 32;

/// Starts to answer `/health` and what is below it on `listener`, and nothing else: for a process
/// that serves no calls and yet is to be asked how it is.
///
/// # Errors
/// When the listener cannot be used.
pub fn health_server(listener: TcpListener, state: web::Data<ApiState>) -> io::Result<Server> {
    let app = move || {
        App::new()
            .app_data(state.clone())
            .configure(routes::configure_health)
            .wrap(from_fn(context::surround))
    };
    let server = HttpServer::new(app)
        .workers(1)
        .client_request_timeout(HEAD_DEADLINE)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .max_connections(HEALTH_CONNECTIONS)
        .disable_signals()
        .listen(listener)?
        .run();
    Ok(server)
}

/// Like [`server`], with another time until a stalled connection is cut.
pub(crate) fn patient(
    listener: TcpListener,
    state: web::Data<ApiState>,
    workers: usize,
    patience: Patience,
) -> io::Result<Server> {
    let connections = state.config.connections;
    let server = HttpServer::new(move || app(state.clone()))
        .workers(workers)
        .client_request_timeout(HEAD_DEADLINE)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .max_connections(connections)
        .on_connect(move |connection, data| watch::begin(connection, data, patience))
        .disable_signals()
        .listen(listener)?
        .run();
    Ok(server)
}
