//! The HTTP server: time-outs and the number of connections.
//!
//! Writing has no time-out of its own in actix-http. On Linux the kernel cuts a connection whose
//! peer for [`STALLED`] neither acknowledges what was sent nor has room for more: one that is gone,
//! stopped reading, or reads so little that its window stays shut. A peer that keeps its window
//! ajar, which takes about a segment per [`STALLED`], is not cut; the number of connections bounds
//! what such peers can hold.

use std::{any::Any, io, net::TcpListener, time::Duration};

use actix_web::{HttpServer, dev::Server, rt::net::TcpStream, web};

use crate::{ApiState, app};

/// How long a client may take to send the head of a request.
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
/// How long a connection may be idle.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a peer may let what is sent to it wait.
const STALLED: Duration = Duration::from_secs(30);
/// How long running requests have after a stop, in seconds.
const SHUTDOWN_SECONDS: u64 = 25;
/// Most connections of one worker thread.
const CONNECTIONS: usize = 2_000;

/// Starts to serve on `listener`. The future that is returned ends when the server has stopped;
/// its handle stops it. Signals are the caller's business.
///
/// # Errors
/// When the listener cannot be used.
pub fn server(
    listener: TcpListener,
    state: web::Data<ApiState>,
    workers: usize,
) -> io::Result<Server> {
    let server = HttpServer::new(move || app(state.clone()))
        .workers(workers)
        .client_request_timeout(HEAD_DEADLINE)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .max_connections(CONNECTIONS)
        .on_connect(|connection, _| cut_when_stalled(connection))
        .disable_signals()
        .listen(listener)?
        .run();
    Ok(server)
}

/// Has the kernel cut a connection whose peer takes nothing any more.
fn cut_when_stalled(connection: &dyn Any) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
    if let Err(error) = set_patience(stream) {
        tracing::warn!(
            event = "write_timeout_unset",
            %error,
            "a connection has no time-out for writing"
        );
    }
}

#[cfg(target_os = "linux")]
fn set_patience(stream: &TcpStream) -> io::Result<()> {
    let milliseconds = u32::try_from(STALLED.as_millis()).map_err(io::Error::other)?;
    rustix::net::sockopt::set_tcp_user_timeout(stream, milliseconds).map_err(io::Error::from)
}

#[cfg(not(target_os = "linux"))]
fn set_patience(_: &TcpStream) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::{STALLED, TcpStream, cut_when_stalled};
    use rustix::net::sockopt::tcp_user_timeout;

    #[actix_web::test]
    async fn a_connection_whose_peer_takes_nothing_is_cut_by_the_kernel() {
        let listener = actix_web::rt::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_peer, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (stream, _) = accepted.unwrap();
        assert_eq!(tcp_user_timeout(&stream).unwrap(), 0);
        cut_when_stalled(&stream);
        assert_eq!(u128::from(tcp_user_timeout(&stream).unwrap()), STALLED.as_millis());
    }
}
