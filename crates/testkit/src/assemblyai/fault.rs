//! What can go wrong on purpose.

use std::{any::Any, net::Shutdown, ops::ControlFlow, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::Extensions,
    http::{StatusCode, header},
    rt::net::TcpStream,
    web::Bytes,
};
use serde_json::{Value, json};
use socket2::{SockRef, Socket};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

/// A page that a proxy shows instead of the server.
const PAGE: &str = "<!DOCTYPE html><html><head><title>Just a moment</title></head></html>";

/// Where a fault is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// `POST /v2/upload`.
    Upload,
    /// `POST /v2/transcript`.
    Create,
    /// `GET /v2/transcript/{id}` and what lies under it.
    Get,
    /// `GET /v2/transcript`.
    List,
    /// `DELETE /v2/transcript/{id}`.
    Delete,
}

/// What one request meets. "Accepted" means that the server did what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Not accepted; this answer. A body that begins with `{` is declared as JSON.
    Status {
        /// The status.
        code: u16,
        /// The body.
        body: String,
        /// The header `Retry-After`, in seconds.
        retry_after: Option<u32>,
    },
    /// Accepted; then the connection is closed without an answer.
    AcceptThenCut,
    /// Not accepted; the connection is closed without an answer.
    Cut,
    /// Accepted; the answer comes this much later.
    Hang(Duration),
    /// A 504 without a body.
    EmptyBody504 {
        /// Whether the request was accepted.
        accepted: bool,
    },
    /// A 200 with an HTML page.
    Html {
        /// Whether the request was accepted.
        accepted: bool,
    },
    /// Accepted; the answer is half of the JSON, a complete body as far as HTTP can tell.
    TruncatedJson,
    /// Accepted; the answer promises a longer body, and the connection is closed within it.
    CutBody,
    /// Not accepted; the 400 of an account with a negative balance.
    NegativeBalance,
    /// Accepted; the job ends with this error. Only for [`Endpoint::Create`].
    JobError {
        /// The text of the error.
        text: String,
    },
    /// Accepted; the list shows the job only this much later. Only for [`Endpoint::Create`].
    ListLag(Duration),
}

impl Fault {
    /// A refusal with the usual JSON body.
    pub fn refusal(code: u16, error: &str) -> Self {
        Self::Status { code, body: json!({ "error": error }).to_string(), retry_after: None }
    }

    /// A 200 with this body.
    pub fn answer(body: &Value) -> Self {
        Self::Status { code: 200, body: body.to_string(), retry_after: None }
    }
}

/// Keeps a second handle of each connection, with which it can be cut.
pub(super) fn keep_connection(connection: &dyn Any, data: &mut Extensions) {
    if let Some(stream) = connection.downcast_ref::<TcpStream>()
        && let Ok(handle) = SockRef::from(stream).try_clone()
    {
        data.insert(handle);
    }
}

/// Plays the faults that come before the request is accepted; hands back any other.
pub(super) fn before(
    request: &HttpRequest,
    fault: Option<Fault>,
) -> ControlFlow<HttpResponse, Option<Fault>> {
    let Some(fault) = fault else { return ControlFlow::Continue(None) };
    ControlFlow::Break(match fault {
        Fault::Status { code, body, retry_after } => status(code, body, retry_after),
        Fault::Cut => cut(request),
        Fault::EmptyBody504 { accepted: false } => HttpResponse::GatewayTimeout().finish(),
        Fault::Html { accepted: false } => html(),
        Fault::NegativeBalance => refuse(
            StatusCode::BAD_REQUEST,
            "Your current account balance is negative. Please top up to continue using the API.",
        ),
        other => return ControlFlow::Continue(Some(other)),
    })
}

/// Plays the faults that come after the request was accepted, else gives `answer`.
pub(super) async fn after(
    request: &HttpRequest,
    fault: Option<Fault>,
    answer: Value,
) -> HttpResponse {
    match fault {
        Some(Fault::AcceptThenCut) => cut(request),
        Some(Fault::Hang(delay)) => {
            tokio::time::sleep(delay).await;
            HttpResponse::Ok().json(answer)
        }
        Some(Fault::EmptyBody504 { .. }) => HttpResponse::GatewayTimeout().finish(),
        Some(Fault::Html { .. }) => html(),
        Some(Fault::TruncatedJson) => {
            let text = answer.to_string();
            let half: String = text.chars().take(text.chars().count() / 2).collect();
            HttpResponse::Ok().content_type("application/json").body(half)
        }
        Some(Fault::CutBody) => HttpResponse::Ok()
            .content_type("application/json")
            .body(BoxBody::new(Broken(Some(answer.to_string().into())))),
        _ => HttpResponse::Ok().json(answer),
    }
}

/// The error body of every endpoint.
pub(super) fn refuse(code: StatusCode, error: &str) -> HttpResponse {
    HttpResponse::build(code).json(json!({ "error": error }))
}

fn status(code: u16, body: String, retry_after: Option<u32>) -> HttpResponse {
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(code);
    if let Some(seconds) = retry_after {
        response.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    if body.is_empty() {
        return response.finish();
    }
    let kind = if body.starts_with('{') { "application/json" } else { "text/plain" };
    response.content_type(kind).body(body)
}

fn html() -> HttpResponse {
    HttpResponse::Ok().content_type("text/html").body(PAGE)
}

/// Closes the connection under the request; the answer that is returned goes nowhere.
pub(super) fn cut(request: &HttpRequest) -> HttpResponse {
    if let Some(connection) = request.conn_data::<Socket>() {
        let _ = connection.shutdown(Shutdown::Both);
    }
    HttpResponse::InternalServerError().finish()
}

/// A body that ends in the middle of what its length promised.
struct Broken(Option<Bytes>);

impl MessageBody for Broken {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0.as_ref().map_or(0, Bytes::len) as u64 * 2)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(Some(self.0.take().map_or_else(|| Err(io::Error::other("cut")), Ok)))
    }
}
