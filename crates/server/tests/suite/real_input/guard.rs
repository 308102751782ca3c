//! Where a URL must not lead, however it gets there.

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr, TcpListener},
    sync::Arc,
};

use async_trait::async_trait;
use infrastructure::media::Resolver;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{assemblyai, ended, service};
use crate::app::{LOOPBACK, TestApp};

/// Every name leads inside, but one.
struct Names {
    inside: IpAddr,
}

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(match name {
            "outside.example" => vec![LOOPBACK],
            "both.example" => vec![LOOPBACK, self.inside],
            "metadata.example" => vec!["169.254.169.254".parse().unwrap()],
            "mapped.example" => vec!["::ffff:10.0.0.1".parse().unwrap()],
            _ => vec![self.inside],
        })
    }
}

/// A server that must never be reached.
struct Canary(TcpListener);

impl Canary {
    /// Listens on an address of this machine that is not exempt.
    fn new() -> Self {
        let listener = TcpListener::bind("[::1]:0").or_else(|_| TcpListener::bind("127.0.0.2:0"));
        let listener = listener.unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// What resolves names to where this listens.
    fn names(&self) -> Arc<Names> {
        Arc::new(Names { inside: self.address().ip() })
    }

    /// Whoever connected stands in the queue, whether or not a byte was sent.
    fn assert_untouched(&self) {
        let nobody = self.0.accept().expect_err("a connection");
        assert_eq!(nobody.kind(), ErrorKind::WouldBlock);
    }
}

/// Answers every request with a redirect to `target`; returns its port.
async fn redirector(target: String) -> u16 {
    let listener = tokio::net::TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4_096]).await;
            let answer = format!(
                "HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\
                 Connection: close\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    port
}

async fn assert_forbidden(app: &TestApp, token: &str, url: &str) {
    let id = app.create(token, url).await;
    let failed = ended(app, token, &id).await;
    let expected = json!({
        "code": "source_forbidden",
        "message": "The URL leads to an address from which this service does not fetch.",
        "stage": "fetching",
        "retriable": false,
    });
    assert_eq!((&failed["status"], &failed["error"]), (&json!("failed"), &expected), "{url}");
    assert_eq!(failed["retry_count"], 0);
}

#[tokio::test]
async fn a_name_that_leads_inside_ends_the_job_before_anyone_is_spoken_to() {
    let (directory, fake, canary) = (tempfile::tempdir().unwrap(), assemblyai(), Canary::new());
    let app = service(directory.path(), &fake, canary.names()).await;
    let token = app.token("a@example.com").await;
    let port = canary.address().port();
    for host in ["inside.example", "both.example", "metadata.example", "mapped.example"] {
        assert_forbidden(&app, &token, &format!("http://{host}:{port}/a.wav")).await;
    }
    assert_forbidden(&app, &token, "http://inside.example/a.wav").await;
    canary.assert_untouched();
    assert!(fake.uploads().is_empty());
}

#[tokio::test]
async fn a_redirect_inside_ends_the_job_before_anyone_there_is_spoken_to() {
    let (directory, fake, canary) = (tempfile::tempdir().unwrap(), assemblyai(), Canary::new());
    let app = service(directory.path(), &fake, canary.names()).await;
    let token = app.token("a@example.com").await;
    let port = canary.address().port();
    for target in [
        format!("http://{}/a.wav", canary.address()),
        format!("http://inside.example:{port}/a.wav"),
        "http://[::ffff:10.0.0.1]/a.wav".to_owned(),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let from = redirector(target.clone()).await;
        assert_forbidden(&app, &token, &format!("http://outside.example:{from}/a.wav")).await;
    }
    let last = redirector(format!("http://{}/a.wav", canary.address())).await;
    let first = redirector(format!("http://outside.example:{last}/a.wav")).await;
    assert_forbidden(&app, &token, &format!("http://outside.example:{first}/a.wav")).await;
    canary.assert_untouched();
}

#[tokio::test]
async fn a_literal_address_inside_is_refused_at_once() {
    let (directory, fake, canary) = (tempfile::tempdir().unwrap(), assemblyai(), Canary::new());
    let app = service(directory.path(), &fake, canary.names()).await;
    let token = app.token("a@example.com").await;
    let url = format!("http://{}/a.wav", canary.address());
    let refused = app.post("/api/transcription", &token, &json!({"video_url": url})).await;
    refused.problem(422, "unsupported_source");
    assert_eq!(app.get("/api/transcription", &token).await.ok()["items"], json!([]));
    canary.assert_untouched();
}
