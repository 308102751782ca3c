//! Transcripts: the text in a column of its own, which is all that most calls read, and everything
//! else in a body that refers to it.

mod codec;

use domain::{Transcript, TranscriptionId};
use uuid::Uuid;

use crate::persistence::{
    entities::transcripts::Model,
    fault::{CorruptRow, StoreError},
};

pub(in crate::persistence) fn restore(row: Model) -> Result<Transcript, CorruptRow> {
    let id: Uuid = row.transcription_id;
    codec::decode(row.text, &row.body).map_err(|why| CorruptRow { table: "transcripts", id, why })
}

pub(in crate::persistence) fn row(
    id: TranscriptionId,
    transcript: Transcript,
) -> Result<Model, StoreError> {
    let body = codec::encode(&transcript).map_err(StoreError::Broken)?;
    Ok(Model { transcription_id: id.as_uuid(), text: transcript.text, body })
}
