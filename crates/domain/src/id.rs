//! Identifiers: one newtype for each kind of thing, so that they cannot be mixed up.
//!
//! All are `UUIDv7`, made by a port of the application, and sort by age.

use std::fmt;

use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps an identifier that is already known.
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The bare identifier.
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// An account.
    UserId
}
id! {
    /// A transcription, and the job that makes it: they share one identifier.
    TranscriptionId
}
id! {
    /// One submission of a job to a speech engine.
    SubmissionId
}
id! {
    /// A file that a user handed in.
    UploadId
}
id! {
    /// One process that runs jobs, for as long as it lives.
    WorkerId
}
