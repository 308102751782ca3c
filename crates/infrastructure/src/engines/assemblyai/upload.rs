//! Bringing audio to the engine, straight from the disk.

use std::{path::Path, time::Duration};

use application::ports::SpeechError;
use domain::FailureCode;
use futures_util::StreamExt as _;
use reqwest::{
    Body, Method,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use tokio::{
    fs::File,
    io::AsyncReadExt as _,
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::io::ReaderStream;

use super::{
    classify::{Call, failure},
    config::Deadlines,
    http::{Caller, MAX_ANSWER, Reply},
};

/// How much of the file is in memory at once, in bytes, but for what the socket buffers.
const CHUNK: usize = 64 * 1024;

/// How the file reads. Told anew with every chunk; the teller is gone after the last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Fine,
    Broken,
}

/// Uploads the file.
///
/// # Errors
/// `no_audio` for an empty file, `local_resource` for one that cannot be read,
/// `provider_unavailable` when the engine does not answer.
pub(super) async fn send(
    caller: &Caller,
    deadlines: &Deadlines,
    audio: &Path,
) -> Result<Reply, SpeechError> {
    let (file, bytes) = open(audio).await.map_err(|error| {
        tracing::warn!(
            event = "audio_unreadable",
            error = &error as &dyn std::error::Error,
            "the audio to be uploaded cannot be read"
        );
        failure(FailureCode::LocalResource)
    })?;
    if bytes == 0 {
        return Err(failure(FailureCode::NoAudio));
    }
    let (progress, seen) = watch::channel(Reading::Fine);
    let last = seen.clone();
    // No more than was announced, should the file grow meanwhile.
    let stream = ReaderStream::with_capacity(file.take(bytes), CHUNK).inspect(move |chunk| {
        progress.send_replace(if chunk.is_ok() { Reading::Fine } else { Reading::Broken });
    });
    let request = caller
        .request(Method::POST, &["v2", "upload"])
        .header(CONTENT_TYPE, "application/octet-stream")
        .header(CONTENT_LENGTH, bytes)
        .body(Body::wrap_stream(stream));
    let sent = tokio::select! {
        sent = caller.send(Call::Upload, request, deadlines.upload, MAX_ANSWER) => sent.ok(),
        () = stalled(seen, deadlines.stall) => None,
    };
    sent.ok_or_else(|| {
        let broken = *last.borrow() == Reading::Broken;
        failure(if broken { FailureCode::LocalResource } else { FailureCode::ProviderUnavailable })
    })
}

async fn open(audio: &Path) -> std::io::Result<(File, u64)> {
    let file = File::open(audio).await?;
    let bytes = file.metadata().await?.len();
    Ok((file, bytes))
}

/// Ends once nothing has moved for `limit`.
async fn stalled(mut seen: watch::Receiver<Reading>, limit: Duration) {
    loop {
        match timeout(limit, seen.changed()).await {
            Ok(Ok(())) => {}
            // All is sent, and the answer is waited for.
            Ok(Err(_)) => return sleep(limit).await,
            Err(_) => return,
        }
    }
}
