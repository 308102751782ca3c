//! Calling back when a job has ended.

use std::{io, time::Duration};

use actix_web::{rt, web};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::{job::Job, shared::Shared};

/// How often the server calls back at most.
const ATTEMPTS: u32 = 10;
/// How long the receiver may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Calls back after the job has ended, if the client asked for it. Only `http://host:port/…`.
pub(super) fn arrange(shared: &web::Data<Shared>, job: &Job) {
    let Some(url) = job.params.get("webhook_url").and_then(Value::as_str) else { return };
    let (shared, job, url) = (shared.clone(), job.clone(), url.to_owned());
    rt::spawn(async move {
        sleep(job.processing.saturating_sub(job.accepted.elapsed())).await;
        let request = request(&job, &url);
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                sleep(shared.options.webhook_pause).await;
            }
            let answer = timeout(DEADLINE, call(&url, &request)).await;
            let Ok(Ok(status)) = answer else { continue };
            shared.find(&job.id, |job| job.webhook_status = Some(status));
            if (200..300).contains(&status) || (400..500).contains(&status) {
                return;
            }
        }
    });
}

/// The host with its port, and the rest.
fn split(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash))
}

fn request(job: &Job, url: &str) -> String {
    let (host, path) = split(url);
    let body = json!({ "transcript_id": job.id, "status": job.status() }).to_string();
    let param = |name: &str| job.params.get(name).and_then(Value::as_str);
    let auth = match (param("webhook_auth_header_name"), param("webhook_auth_header_value")) {
        (Some(name), Some(value)) => format!("{name}: {value}\r\n"),
        _ => String::new(),
    };
    format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n{auth}\r\n{body}",
        body.len()
    )
}

/// Sends one request and reads the status of the answer.
async fn call(url: &str, request: &str) -> io::Result<u16> {
    let (host, _) = split(url);
    let address = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut head = vec![0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut head).await?;
    let status = String::from_utf8_lossy(&head).rsplit(' ').next().and_then(|s| s.parse().ok());
    status.ok_or_else(|| io::Error::other("not an HTTP answer"))
}
