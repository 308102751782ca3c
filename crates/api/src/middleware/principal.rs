//! Looks at the token, before anything is counted or read. Nobody is turned away here: that is
//! the business of the handlers that need a caller.

use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest,
    body::MessageBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::header,
    middleware::Next,
    web,
};
use domain::{User, UserId};
use futures_util::future::LocalBoxFuture;

use crate::{ApiState, problem::ApiError};

/// Whose valid token the request carries, if any.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Principal(pub(crate) Option<UserId>);

/// Puts the [`Principal`] into the request.
pub(crate) async fn identify<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let principal = Principal(holder(&request));
    request.extensions_mut().insert(principal);
    next.call(request).await
}

fn holder(request: &ServiceRequest) -> Option<UserId> {
    let state = request.app_data::<web::Data<ApiState>>()?;
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let (Some(value), None) = (headers.next(), headers.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    match state.services.accounts.identify(token.trim()) {
        Ok(user) => Some(user),
        Err(cause) => {
            tracing::debug!(event = "token_refused", cause = %cause, "a token was refused");
            None
        }
    }
}

/// The active account behind a valid token. A handler without it is public.
pub(crate) struct Caller(pub(crate) User);

impl Caller {
    /// Who it is.
    pub(crate) fn id(&self) -> UserId {
        self.0.parts().id
    }
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let holder = request.extensions().get::<Principal>().and_then(|principal| principal.0);
        let state = request.app_data::<web::Data<ApiState>>().cloned();
        Box::pin(async move {
            let holder = holder.ok_or_else(ApiError::unauthenticated)?;
            let state = state.ok_or_else(ApiError::internal)?;
            Ok(Self(state.services.accounts.caller(holder).await?))
        })
    }
}
