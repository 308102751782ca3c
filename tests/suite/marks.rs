//! Jobs with a mark, which goes with each to the engine, and tells there which one it is.

use black_box_tests::{Account, Answer};
use serde_json::json;

/// Asks for the transcription of a URL.
pub(crate) async fn create(account: &Account, url: &str, mark: &str) -> anyhow::Result<Answer> {
    let body = json!({ "video_url": url, "keyterms": [mark], "metadata": { "mark": mark } });
    account.client.post("/api/transcription", Some(&account.token), &body).await
}

/// Hands a recording in.
pub(crate) async fn upload(account: &Account, wav: &[u8], mark: &str) -> anyhow::Result<Answer> {
    let keyterms = json!([mark]).to_string();
    let metadata = json!({ "mark": mark }).to_string();
    account.upload("talk.wav", wav, &[("keyterms", &keyterms), ("metadata", &metadata)]).await
}
