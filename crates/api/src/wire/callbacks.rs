//! What speech engines say when they call back.

use utoipa::ToSchema;

/// What AssemblyAI says of a job. A hint: AssemblyAI is asked before anything is believed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its shape is used: the body is read leniently, by the route")]
pub(crate) struct AssemblyAiCallback {
    /// AssemblyAI's name for the job.
    #[schema(example = "5551722f-f677-48a6-9287-39c0aafd9ac1", max_length = 128)]
    transcript_id: String,
    /// `completed` or `error`; not looked at.
    #[schema(example = "completed")]
    status: String,
}
