//! Closes the connection behind a body that was not read to its end.
//!
//! actix-http closes by itself only while somebody still holds the body when the answer has been
//! sent; a chunked body that was let go it reads on, for as long as the client cares to keep it
//! open. Therefore the body is held here until the answer is out.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    Error, HttpMessage,
    body::{BodySize, BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::PayloadError,
    middleware::Next,
    web::Bytes,
};
use futures_util::Stream;

/// Holds the body of a request until its answer is sent.
pub(crate) async fn hold(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let payload = request.take_payload();
    // HTTP/2 resets the one stream; there is no connection to be held.
    if !matches!(payload, Payload::H1 { .. }) {
        request.set_payload(payload);
        return next.call(request).await;
    }
    let payload = Shared(Rc::new(RefCell::new(payload)));
    request.set_payload(Payload::Stream { payload: Box::pin(payload.clone()) });
    match next.call(request).await {
        Ok(response) => Ok(response.map_body(|_, body| behind(body, &payload))),
        Err(mut error) => {
            error.add_response_mapper(move |response| {
                response.map_body(|_, body| behind(body, &payload))
            });
            Err(error)
        }
    }
}

fn behind(answer: BoxBody, payload: &Shared) -> BoxBody {
    BoxBody::new(Holding { answer, _payload: payload.clone() })
}

/// The body of a request, which its reader and its answer both hold.
#[derive(Clone)]
struct Shared(Rc<RefCell<Payload>>);

impl Stream for Shared {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(cx)
    }
}

/// The body of an answer, and with it that of its request.
struct Holding {
    answer: BoxBody,
    _payload: Shared,
}

impl MessageBody for Holding {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        // A box does not keep a body without a size.
        match self.answer.size() {
            BodySize::None => BodySize::Sized(0),
            size => size,
        }
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.answer).poll_next(cx)
    }
}
