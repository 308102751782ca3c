//! The routes over HTTP, on the smallest adapters.

mod accounts;
mod docs;
mod limits;
mod problems;
mod server;
mod stubs;
mod transcriptions;
mod uploads;

use std::{net::SocketAddr, sync::Arc};

use actix_web::{
    body::MessageBody,
    http::{
        Method, StatusCode,
        header::{self, HeaderMap},
    },
    test::{self, TestRequest},
    web,
};
use application::{limits::Quotas, uploads::UploadLimits};
use domain::AddressPolicy;
use serde_json::Value;

use crate::{ApiConfig, ApiState, app};
use stubs::Stub;

/// An application on stubs.
struct Api {
    stub: Arc<Stub>,
    state: web::Data<ApiState>,
}

/// What came back.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: web::Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{}: {:?}", self.status, self.body))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and code.
    fn said(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["code"].as_str().unwrap_or_default().to_owned())
    }
}

impl Api {
    /// With limits off.
    fn new() -> Self {
        Self::with(Quotas::OFF, ApiConfig::default())
    }

    fn with(quotas: Quotas, config: ApiConfig) -> Self {
        Self::within(quotas, config, UploadLimits::default())
    }

    fn within(quotas: Quotas, config: ApiConfig, uploads: UploadLimits) -> Self {
        let stub = Arc::new(Stub::default());
        let services = stub.adapters().services(quotas, AddressPolicy::default(), uploads);
        let state = web::Data::new(ApiState::new(Arc::new(services), config));
        Self { stub, state }
    }

    async fn send(&self, request: TestRequest) -> Answer {
        let app = test::init_service(app(self.state.clone())).await;
        let peer: SocketAddr = "203.0.113.7:4711".parse().unwrap();
        let request = request.peer_addr(peer).to_request();
        let (status, headers, body) = match test::try_call_service(&app, request).await {
            Ok(response) => {
                let (_, response) = response.into_parts();
                let (head, body) = response.into_parts();
                (head.status(), head.headers().clone(), body.boxed())
            }
            Err(error) => {
                let (head, body) = error.error_response().into_parts();
                (head.status(), head.headers().clone(), body.boxed())
            }
        };
        let body = actix_web::body::to_bytes(body).await.unwrap();
        Answer { status, headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(TestRequest::get().uri(path)).await
    }

    async fn post(&self, path: &str, body: &str) -> Answer {
        self.send(json(path, body)).await
    }

    /// Opens an account and returns its token.
    async fn token(&self, email: &str) -> String {
        let body = format!(r#"{{"email":"{email}","password":"correct horse"}}"#);
        let answer = self.post("/api/auth/register", &body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        format!("token-{}", answer.json()["id"].as_str().unwrap())
    }

    async fn get_as(&self, token: &str, path: &str) -> Answer {
        self.send(bearer(TestRequest::get().uri(path), token)).await
    }

    async fn post_as(&self, token: &str, path: &str, body: &str) -> Answer {
        self.send(bearer(json(path, body), token)).await
    }
}

fn json(path: &str, body: &str) -> TestRequest {
    TestRequest::post()
        .uri(path)
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .set_payload(body.to_owned())
}

fn bearer(request: TestRequest, token: &str) -> TestRequest {
    request.insert_header((header::AUTHORIZATION, format!("Bearer {token}")))
}

fn method(method: Method, path: &str) -> TestRequest {
    TestRequest::default().method(method).uri(path)
}
