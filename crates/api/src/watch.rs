//! Cuts connections on which nothing is done.
//!
//! actix-http times the first head of a connection and an idle connection, but neither a later head
//! that was only begun nor the writing of an answer. So every connection is looked at now and then:
//! where no request has been worked on for a while, it is ended, and what the kernel has still to
//! send it sends. The while grows with the size of the last answer, so that a peer that reads
//! steadily gets all of it; one that reads nothing at all is, on Linux, cut earlier by the kernel.

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
    body::{BodySize, MessageBody},
    dev::{Extensions, ServiceRequest, ServiceResponse},
    middleware::Next,
    rt::{self, net::TcpStream},
};
use rustix::net::{Shutdown, shutdown};

/// How long a connection may be without a request that is worked on.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// With an answer of no size.
    pub(crate) stalled: Duration,
    /// How fast a client has to read, at least, to get a large answer; not zero.
    pub(crate) bytes_per_second: u64,
}

impl Patience {
    fn with_answer(self, bytes: u64) -> Duration {
        self.stalled + Duration::from_millis(bytes.saturating_mul(1_000) / self.bytes_per_second)
    }
}

/// A connection, as those see it who work on its requests.
struct Connection {
    socket: OwnedFd,
    patience: Patience,
    requests: Cell<u32>,
    /// When it is cut, unless a request is being worked on.
    due: Cell<Instant>,
}

/// Watches a new connection, and cuts it once it has been without a request for too long.
pub(crate) fn begin(connection: &dyn Any, data: &mut Extensions, patience: Patience) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
    match watched(stream, patience) {
        Ok(connection) => {
            rt::spawn(watch(Rc::downgrade(&connection), patience.stalled / 6));
            data.insert(connection);
        }
        Err(error) => {
            tracing::warn!(
                event = "connection_refused",
                %error,
                "a connection that cannot be watched was closed"
            );
            // It fails where the peer was faster.
            let _ = shutdown(stream, Shutdown::Both);
        }
    }
}

fn watched(stream: &TcpStream, patience: Patience) -> io::Result<Rc<Connection>> {
    // The same for what the kernel has to send, also when the connection is closed on our side.
    #[cfg(target_os = "linux")]
    rustix::net::sockopt::set_tcp_user_timeout(
        stream,
        u32::try_from(patience.stalled.as_millis()).map_err(io::Error::other)?,
    )?;
    let socket = stream.as_fd().try_clone_to_owned()?;
    let due = Cell::new(Instant::now() + patience.stalled);
    Ok(Rc::new(Connection { socket, patience, requests: Cell::new(0), due }))
}

async fn watch(connection: Weak<Connection>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        // It goes with the connection: then there is nothing left to watch.
        let Some(connection) = connection.upgrade() else { return };
        if connection.requests.get() == 0 && Instant::now() >= connection.due.get() {
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
        self.0.wait_for(0);
    }
}

impl Connection {
    /// Gives the client the time to read an answer, and takes none that it was given before.
    fn wait_for(&self, bytes: u64) {
        let due = Instant::now() + self.patience.with_answer(bytes);
        self.due.set(due.max(self.due.get()));
    }
}

/// Notes on its connection that a request is being worked on.
pub(crate) async fn note<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let working = request.conn_data::<Rc<Connection>>().map(Working::new);
    let answer = next.call(request).await?;
    if let (Some(working), BodySize::Sized(bytes)) = (&working, answer.response().body().size()) {
        working.0.wait_for(bytes);
    }
    Ok(answer)
}
