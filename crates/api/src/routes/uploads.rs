//! Transcriptions of files that are handed in.

use std::pin::pin;

use actix_multipart::Field;
use actix_web::{HttpRequest, HttpResponse, web};
use application::{
    Uploads,
    ports::{BrokenOff, ByteStream},
    uploads::{Allowance, CreateUpload, Received, UploadError},
};
use domain::{FailureCode, UserId, file_name};
use futures_util::{
    StreamExt,
    future::{self, Either},
    stream,
};
use tokio::sync::mpsc;

use super::transcriptions::{created, metadata, options};
use crate::{
    ApiState,
    body::upload::{self, FILE, OVERHEAD, UploadForm},
    middleware::principal::Caller,
    problem::{ApiError, Fault},
    wire::transcriptions::{TranscriptionBody, UploadRequest},
};

/// How many pieces of a file wait to be stored.
const PIECES: usize = 4;

/// Asks for a transcription of a file
///
/// Every call makes a new transcription. The file is looked at before the answer: what is not a
/// recording is refused here. It is kept until the transcription has ended. The parts may come in
/// any order; options in front of the file are judged before it is read.
#[utoipa::path(post, path = "/api/transcription/upload", tag = "transcriptions",
    operation_id = "uploadTranscription",
    request_body(content = UploadRequest, content_type = "multipart/form-data",
        description = "The recording, and how to transcribe it. Values that are not texts are \
                       JSON; an empty one counts as absent. The options have at most 64 KiB \
                       together."),
    responses((status = 201, description = "Accepted.", body = TranscriptionBody)))]
pub(crate) async fn upload(
    state: web::Data<ApiState>,
    caller: Caller,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    upload::check_kind(&request)?;
    let uploads = &state.services.uploads;
    let allowance = uploads.allowance(caller.id()).await?;
    let most = allowance.bytes().saturating_add(OVERHEAD);
    if upload::announced(&request).is_some_and(|announced| announced > most) {
        return Err(allowance.refusal().into());
    }
    let pace = state.config.upload_pace;
    let mut form = UploadForm::open(&request, payload, allowance.bytes(), pace);
    let Some(file) = form.file().await? else {
        form.miss_file();
        return Err(command(caller.id(), None, form).err().unwrap_or_else(ApiError::internal));
    };
    judge_early(&form)?;
    let title = file.name.as_deref().and_then(file_name::title_of);
    let received = receive(uploads, &allowance, file.field).await?;
    if received.bytes() == 0 {
        form.fault(Fault::new(format!("/{FILE}"), "empty", "must not be empty"));
    }
    let judged = match form.rest().await {
        Ok(()) => command(caller.id(), title, form),
        Err(error) => Err(error),
    };
    match judged {
        Ok(command) => {
            let transcription = uploads.create(received, command).await.map_err(refused)?;
            Ok(created(&transcription))
        }
        Err(error) => {
            received.discard().await;
            Err(error)
        }
    }
}

/// Options that are wrong whatever follows are said so before the file is read.
fn judge_early(form: &UploadForm) -> Result<(), ApiError> {
    let mut members = form.early()?;
    options(&mut members);
    metadata(&mut members);
    members.finish()
}

fn command(
    owner: UserId,
    title: Option<String>,
    form: UploadForm,
) -> Result<CreateUpload, ApiError> {
    let mut members = form.members()?;
    let options = options(&mut members);
    let metadata = metadata(&mut members);
    members.finish()?;
    Ok(CreateUpload { owner, title, options, metadata: metadata.unwrap_or_default() })
}

/// Stores a file while it comes. The body belongs to this thread and the store does not, so the
/// pieces go through a channel; neither side outlives the request.
async fn receive(
    uploads: &Uploads,
    allowance: &Allowance,
    mut field: Field,
) -> Result<Received, ApiError> {
    let (to_store, pieces) = mpsc::channel(PIECES);
    let pump = pin!(async move {
        while let Some(piece) = field.next().await {
            let (piece, error) = match piece {
                Ok(bytes) => (Ok(bytes), None),
                Err(error) => (Err(BrokenOff("by the client".to_owned())), Some(error)),
            };
            let taken = to_store.send(piece).await.is_ok();
            if let Some(error) = error {
                return Some(upload::broken(error));
            }
            // Whoever stores it has given up, and says why.
            if !taken {
                break;
            }
        }
        None
    });
    let body: ByteStream<'static> =
        stream::unfold(pieces, async |mut pieces| pieces.recv().await.map(|piece| (piece, pieces)))
            .boxed();
    match future::select(pump, pin!(uploads.receive(body, allowance))).await {
        Either::Left((broken, receiving)) => match (broken, receiving.await) {
            (None, received) => received.map_err(refused),
            (Some(error), Err(_)) => Err(error),
            (Some(error), Ok(received)) => {
                received.discard().await;
                Err(error)
            }
        },
        Either::Right((received, _)) => received.map_err(refused),
    }
}

/// A file that is no recording is a fault of its part like any other.
fn refused(error: UploadError) -> ApiError {
    match error {
        UploadError::Unusable(code) => {
            let detail = match code {
                FailureCode::NoAudio => "must be a recording: there is no sound in it",
                FailureCode::SourceTooLong => "must be shorter: the recording is too long",
                FailureCode::SourceTooLarge => "must be smaller",
                _ => "cannot be transcribed",
            };
            ApiError::invalid(vec![Fault::new(format!("/{FILE}"), code.as_str(), detail)])
        }
        other => other.into(),
    }
}
