//! A web server with one recording, which takes its time.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};

/// Serves one recording on the loopback interface, under every path but those that begin with
/// `/missing`. Stops when dropped.
pub struct MediaServer {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl MediaServer {
    /// Serves `recording`, each time after `delay`.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(recording: &'static [u8], delay: Duration) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that was killed in between is no fault.
                tokio::spawn(async move { answer(stream, recording, delay).await.ok() });
            }
        });
        Ok(Self { address, serving })
    }

    /// The address of the recording under this name.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }
}

impl Drop for MediaServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(
    mut stream: TcpStream,
    recording: &'static [u8],
    delay: Duration,
) -> anyhow::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let byte = stream.read_u8().await?;
        request.push(byte);
    }
    sleep(delay).await;
    if request.starts_with(b"GET /missing") {
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await?;
        return Ok(stream.shutdown().await?);
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        recording.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(recording).await?;
    Ok(stream.shutdown().await?)
}
