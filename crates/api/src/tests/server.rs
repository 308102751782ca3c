//! The real server on a real socket.

use std::{net::TcpListener, time::Duration};

use actix_web::{dev::ServerHandle, rt};
use application::limits::Quotas;
use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use super::{Api, stubs::Fault};
use crate::{ApiConfig, watch::Patience};

/// More than enough for the server, and far less than it gives idle connections.
const DEADLINE: Duration = Duration::from_secs(8);

struct Running {
    api: Api,
    port: u16,
    handle: ServerHandle,
}

fn start(config: ApiConfig) -> Running {
    // Longer than any test waits.
    start_patient(config, at_any_size(DEADLINE * 2))
}

/// As patient with a large answer as with a small one.
fn at_any_size(stalled: Duration) -> Patience {
    Patience { stalled, bytes_per_second: u64::MAX }
}

fn start_patient(config: ApiConfig, patience: Patience) -> Running {
    let api = Api::with(Quotas::OFF, config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // Its connections have the same: most of a large answer waits in this process, not in the kernel.
    rustix::net::sockopt::set_socket_send_buffer_size(&listener, 64 * 1024).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = crate::server::patient(listener, api.state.clone(), 1, patience).unwrap();
    let handle = server.handle();
    rt::spawn(server);
    Running { api, port, handle }
}

impl Running {
    /// Sends bytes and reads until the server closes the connection.
    async fn exchange(&self, bytes: &str) -> String {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        socket.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A reset after the answer is the end as well.
        let _ = socket.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn stop(self) {
        self.handle.stop(false).await;
    }
}

#[actix_web::test]
async fn a_panic_ends_one_request_and_not_the_connection() {
    let running = start(ApiConfig::default());
    let token = running.api.token("ada@example.com").await;
    *running.api.stub.fault.lock().unwrap() = Some(Fault::Panic);
    let id = "01938e5a-7b3c-7c9e-8f2a-4d5e6f708192";
    let both = format!(
        "GET /api/transcription/{id} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         X-Request-Id: mine\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    );
    let answers = running.exchange(&both).await;
    assert!(answers.starts_with("HTTP/1.1 500 "), "{answers}");
    assert!(answers.contains("\"request_id\":\"mine\""), "{answers}");
    assert!(answers.contains("HTTP/1.1 200 OK"), "{answers}");
    running.stop().await;
}

#[actix_web::test]
async fn a_body_that_stops_coming_is_answered_and_its_connection_closed() {
    let body_deadline = Duration::from_millis(50);
    let running = start(ApiConfig { body_deadline, ..ApiConfig::default() });
    let head = "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let slow = running.exchange(&format!("{head}Content-Length: 9\r\n\r\n{{")).await;
    assert!(slow.starts_with("HTTP/1.1 408 "), "{slow}");
    assert!(slow.contains("\"code\":\"body_too_slow\""), "{slow}");
    let large = running.exchange(&format!("{head}Content-Length: 20000000\r\n\r\n")).await;
    assert!(large.starts_with("HTTP/1.1 413 "), "{large}");
    running.stop().await;
}

#[actix_web::test]
async fn a_body_that_nobody_reads_does_not_hold_the_connection() {
    let running = start(ApiConfig::default());
    let length = "Content-Length: 20";
    let chunked = "Transfer-Encoding: chunked";
    let bodies = [
        (length, ""),
        (length, "half of it"),
        (chunked, ""),
        (chunked, "5\r\nhello\r\n"),
        (chunked, "ffff\r\nhello"),
    ];
    let calls = [
        ("POST /nope", "404"),
        ("GET /health", "200"),
        ("HEAD /health", "200"),
        ("PUT /health", "405"),
        ("GET /api/auth/me", "401"),
        ("GET /docs/swagger-ui-bundle.js", "200"),
        ("POST /api/auth/login", "415"),
    ];
    let exchanges = calls.iter().flat_map(|(call, status)| {
        let running = &running;
        bodies.iter().map(move |(announced, begun)| async move {
            let request = format!("{call} HTTP/1.1\r\nHost: x\r\n{announced}\r\n\r\n{begun}");
            let answer = tokio::time::timeout(DEADLINE, running.exchange(&request)).await;
            let answer = answer.unwrap_or_else(|_| panic!("{call} {announced} {begun} hangs"));
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            assert!(answer.to_lowercase().contains("\r\nconnection: close\r\n"), "{answer}");
        })
    });
    join_all(exchanges).await;
    running.stop().await;
}

#[actix_web::test]
async fn a_connection_serves_on_behind_a_body_that_was_read() {
    let running = start(ApiConfig::default());
    let head = "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let last = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for body in [
        "Content-Length: 2\r\n\r\n{}",
        "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
    ] {
        let answers = running.exchange(&format!("{head}{body}{last}")).await;
        assert!(answers.starts_with("HTTP/1.1 422 "), "{answers}");
        assert!(answers.contains("HTTP/1.1 200 OK"), "{answers}");
    }
    running.stop().await;
}

#[actix_web::test]
async fn a_connection_on_which_nothing_moves_is_cut() {
    let running = start_patient(ApiConfig::default(), at_any_size(Duration::from_millis(300)));
    let first = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    let begun = format!("{first}GET /hea");
    let answer = tokio::time::timeout(DEADLINE, running.exchange(&begun))
        .await
        .expect("a head that does not end");
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 1, "{answer}");

    let large = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n".repeat(16);
    let mut socket = TcpStream::connect(("127.0.0.1", running.port)).await.unwrap();
    socket.write_all(large.as_bytes()).await.unwrap();
    // A reader that takes nothing at all: what stays in this process is never written.
    let cut = async {
        while socket.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, cut).await.expect("an answer that is not read");
    running.stop().await;
}

#[actix_web::test]
async fn a_client_that_reads_steadily_gets_the_whole_of_a_large_answer() {
    let patience = Patience { stalled: Duration::from_millis(200), bytes_per_second: 64 * 1024 };
    let running = start_patient(ApiConfig::default(), patience);
    let call = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let whole = running.exchange(call).await.len();

    // The kernel is to hold little of it on this side as well.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let address = ([127, 0, 0, 1], running.port).into();
    let mut socket = socket.connect(address).await.unwrap();
    socket.write_all(call.as_bytes()).await.unwrap();
    let mut part = vec![0; whole / 40];
    let mut read = 0;
    while let count @ 1.. = socket.read(&mut part).await.unwrap_or(0) {
        read += count;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(read, whole);
    running.stop().await;
}

#[actix_web::test]
async fn connections_beyond_the_cap_wait_for_their_turn() {
    let running = start(ApiConfig { connections: 1, ..ApiConfig::default() });
    let call = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut part = [0; 4096];
    let mut first = TcpStream::connect(("127.0.0.1", running.port)).await.unwrap();
    first.write_all(call).await.unwrap();
    assert_ne!(first.read(&mut part).await.unwrap(), 0);

    let mut second = TcpStream::connect(("127.0.0.1", running.port)).await.unwrap();
    second.write_all(call).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(100), second.read(&mut part)).await;
    assert!(early.is_err(), "the second was served beside the first");

    first.write_all(call).await.unwrap();
    assert_ne!(first.read(&mut part).await.unwrap(), 0);
    drop(first);
    let late = tokio::time::timeout(DEADLINE, second.read(&mut part)).await;
    assert_ne!(late.expect("the second is never served").unwrap(), 0);
    running.stop().await;
}

#[actix_web::test]
async fn a_request_that_is_worked_on_is_not_cut() {
    let body_deadline = Duration::from_millis(900);
    let config = ApiConfig { body_deadline, ..ApiConfig::default() };
    let running = start_patient(config, at_any_size(Duration::from_millis(100)));
    let head = "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let slow = running.exchange(&format!("{head}Content-Length: 9\r\n\r\n{{")).await;
    assert!(slow.starts_with("HTTP/1.1 408 "), "{slow}");
    running.stop().await;
}
