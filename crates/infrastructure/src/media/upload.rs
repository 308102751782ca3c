//! A file that a user handed in, brought into the folder of its job: by a second name where it lies
//! on the same disk, else as a copy.

use std::io;

use application::ports::{FetchError, ObjectStore, PortFailure};
use domain::{FailureCode, UploadedFile};
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;

use super::{
    disk::Floor,
    error::{failed, local},
    folder::{JobFolder, Part},
};
use crate::objects::Objects;

/// Brings `file` into `folder`, and returns its size.
pub(super) async fn bring(
    objects: &Objects,
    file: &UploadedFile,
    folder: &JobFolder,
    max_bytes: u64,
    floor: &Floor,
) -> Result<u64, FetchError> {
    if file.bytes > max_bytes {
        let detail = format!("an upload of {} bytes, {max_bytes} allowed", file.bytes);
        return Err(failed(FailureCode::SourceTooLarge, detail));
    }
    if link(objects, file, folder).await? {
        return Ok(file.bytes);
    }
    let found = objects.get(file.id).await.map_err(|error| away(&error))?;
    let Some(mut body) = found else { return Err(missing(file)) };
    let mut part = folder.begin().await?;
    let mut room = floor.room(folder.path(), Some(file.bytes));
    let mut total = 0_u64;
    loop {
        room.ensure(total).await?;
        let Some(chunk) = body.next().await else { break };
        let chunk = chunk.map_err(|error| failed(FailureCode::LocalResource, error.to_string()))?;
        total = total.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if total > file.bytes {
            break;
        }
        write(&mut part, &chunk).await?;
    }
    if total != file.bytes {
        let detail = format!("an upload of {} bytes has another size now", file.bytes);
        return Err(failed(FailureCode::LocalResource, detail));
    }
    folder.finish(part).await?;
    Ok(total)
}

async fn link(
    objects: &Objects,
    file: &UploadedFile,
    folder: &JobFolder,
) -> Result<bool, FetchError> {
    folder.make().await.map_err(|error| local("make a folder", &error))?;
    match objects.link(file.id, &folder.audio()).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing(file)),
        linked => linked.map_err(|error| local("link an upload", &error)),
    }
}

async fn write(part: &mut Part, chunk: &[u8]) -> Result<(), FetchError> {
    part.file.write_all(chunk).await.map_err(|error| local("write audio", &error))
}

fn missing(file: &UploadedFile) -> FetchError {
    failed(FailureCode::UploadMissing, format!("there is no upload {}", file.id))
}

/// The operator mends it; until then the job waits.
fn away(error: &PortFailure) -> FetchError {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    failed(FailureCode::LocalResource, format!("object store: {cause}"))
}
