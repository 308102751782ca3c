//! Cuts connections on which nothing is done.
//!
//! actix-http times the first head of a connection and an idle connection, but neither a later head
//! that was only begun nor the writing of an answer. So every connection is looked at now and then:
//! where no request has been worked on for a while, it is ended, and what the kernel has still to
//! send it sends. A peer that reads steadily but too slowly is cut like one that does not read: what
//! of an answer is not with the kernel by then, is lost.

use std::{
    any::Any,
    cell::Cell,
    io,
    os::fd::{AsFd, OwnedFd},
    rc::{Rc, Weak},
    time::{Duration, Instant},
};

use actix_web::{
    Error,
    body::MessageBody,
    dev::{Extensions, ServiceRequest, ServiceResponse},
    middleware::Next,
    rt::{self, net::TcpStream},
};
use rustix::net::{Shutdown, shutdown};

/// A connection, as those see it who work on its requests.
struct Connection {
    socket: OwnedFd,
    requests: Cell<u32>,
    since: Cell<Instant>,
}

/// Watches a new connection; one without a request for as long as `patience` is cut.
pub(crate) fn begin(connection: &dyn Any, data: &mut Extensions, patience: Duration) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
    match watched(stream, patience) {
        Ok(connection) => {
            rt::spawn(watch(Rc::downgrade(&connection), patience));
            data.insert(connection);
        }
        Err(error) => tracing::warn!(
            event = "connection_unwatched",
            %error,
            "a connection is served without a time-out for writing"
        ),
    }
}

fn watched(stream: &TcpStream, patience: Duration) -> io::Result<Rc<Connection>> {
    // The same for what the kernel has to send, also when the connection is closed on our side.
    #[cfg(target_os = "linux")]
    rustix::net::sockopt::set_tcp_user_timeout(
        stream,
        u32::try_from(patience.as_millis()).map_err(io::Error::other)?,
    )?;
    let socket = stream.as_fd().try_clone_to_owned()?;
    let (requests, since) = (Cell::new(0), Cell::new(Instant::now()));
    Ok(Rc::new(Connection { socket, requests, since }))
}

async fn watch(connection: Weak<Connection>, patience: Duration) {
    loop {
        tokio::time::sleep(patience / 6).await;
        // It goes with the connection: then there is nothing left to watch.
        let Some(connection) = connection.upgrade() else { return };
        if connection.requests.get() == 0 && connection.since.get().elapsed() >= patience {
            tracing::debug!(event = "connection_stalled", "a connection was cut");
            // It fails where the peer was faster.
            let _ = shutdown(&connection.socket, Shutdown::Both);
            return;
        }
    }
}

/// A request that is being worked on.
struct Working(Rc<Connection>);

impl Working {
    fn new(connection: &Rc<Connection>) -> Self {
        connection.requests.set(connection.requests.get() + 1);
        Self(Rc::clone(connection))
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.requests.set(self.0.requests.get() - 1);
        self.0.since.set(Instant::now());
    }
}

/// Notes on its connection that a request is being worked on.
pub(crate) async fn note<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let _working = request.conn_data::<Rc<Connection>>().map(Working::new);
    next.call(request).await
}
