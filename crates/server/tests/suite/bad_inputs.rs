//! What nobody should send: refused as the sender's fault, and the service lives.

#![cfg(test)]

mod bytes;
mod values;

use serde_json::Value;

use crate::app::{Answer, TestApp};

/// A refusal that blames the sender, in the one shape.
fn refused(answer: &Answer) -> Value {
    assert!((400..500).contains(&answer.status), "{answer:?}");
    answer.any_problem()
}

async fn app_with_token() -> (TestApp, String) {
    let app = TestApp::start();
    let token = app.token("a@example.com").await;
    (app, token)
}
