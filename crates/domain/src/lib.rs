//! What the service decides, and nothing else: accounts, sources, transcriptions, transcripts, and
//! the life of a job.
//!
//! Invariants of absence: no I/O, no async, no clock (every instant is an argument), no serde, no
//! framework. A value of one of these types has passed its rules; there is no way to build one
//! around them.

pub mod account;
pub mod captions;
pub mod export;
pub mod failure;
pub mod file_name;
pub mod id;
pub mod invalid;
pub mod job;
pub mod language;
pub mod network;
pub mod options;
pub mod page;
pub mod password;
pub mod retry;
pub mod source;
pub mod submission;
pub mod text;
pub mod transcript;
pub mod transcription;

pub use account::{Email, FullName, Role, User, UserParts};
pub use captions::{CaptionSettings, NoTimes};
pub use failure::{Failure, FailureClass, FailureCode};
pub use id::{SubmissionId, TranscriptionId, UploadId, UserId, WorkerId};
pub use invalid::Invalid;
pub use job::{Epoch, InvalidTransition, Job, JobParts, JobState, Outcome, PollStep, Step, Upload};
pub use language::Language;
pub use network::AddressPolicy;
pub use options::{Keyterms, Metadata, TranscriptionOptions};
pub use page::{Cursor, ListFilter, Page, PageRequest, PageSize};
pub use password::{Password, PasswordDigest};
pub use retry::{RetryPolicy, Verdict};
pub use source::{MediaUrl, Source, SourceFacts, UploadedFile, YouTubeId};
pub use submission::{CallbackDigest, CallbackToken, SettlePolicy, Submission, SubmissionState};
pub use transcript::{Speaker, Transcript, Utterance, Word};
pub use transcription::{
    CompletedFacts, Stage, Status, Transcription, TranscriptionParts, TranscriptionState,
};
