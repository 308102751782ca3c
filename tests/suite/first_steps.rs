//! What a newcomer does first, with the commands of the README.

use black_box_tests::{Setup, client::PASSWORD};
use reqwest::Method;
use serde_json::{Value, json};

const VIDEO: &str = "https://www.youtube.com/watch?v=dQw4w9WgXcQ";

#[tokio::test]
async fn a_newcomer_gets_from_registration_to_a_transcript() -> anyhow::Result<()> {
    let service = Setup::new()?.with("MOCK_DELAY_MS", "100").start().await?;
    let account = service.client().account("ada@example.com").await?;

    let me = account.get("/api/auth/me").await?.expect(200)?;
    assert_eq!(me.json["email"], "ada@example.com");

    let created = account.create(VIDEO).await?.expect(201)?;
    let id = created.word("id")?;
    assert_eq!(created.json["video_url"], VIDEO);
    assert_eq!(created.header("Location"), format!("/api/transcription/{id}"));

    let ended = account.until_ended(id).await?;
    assert_eq!(ended.json["status"], "completed", "{}", ended.text);
    assert_eq!(ended.json["error"], Value::Null);
    assert!(ended.word("text")?.contains("SIMULÉE"), "the mock says that it is one");

    let transcript = account.get(&format!("/api/transcription/{id}/transcript")).await?;
    let words = transcript.expect(200)?.json["words"].as_array().map_or(0, Vec::len);
    assert!(words > 0, "a transcript has words with times");
    Ok(())
}

#[tokio::test]
async fn a_slash_at_the_end_changes_nothing() -> anyhow::Result<()> {
    let service = Setup::new()?.with("MOCK_DELAY_MS", "60000").start().await?;
    let client = service.client();
    client.get("/health/", None).await?.expect(200)?;
    let body = json!({ "email": "ada@example.com", "password": PASSWORD });
    client.post("/api/auth/register/", None, &body).await?.expect(201)?;
    let token = client.login("ada@example.com", PASSWORD).await?.expect(200)?;
    let token = Some(token.word("access_token")?);
    client.get("/api/auth/me/", token).await?.expect(200)?;

    let body = json!({ "video_url": VIDEO });
    let created = client.post("/api/transcription/", token, &body).await?.expect(201)?;
    let path = format!("/api/transcription/{}/", created.word("id")?);
    client.get(&path, token).await?.expect(200)?;
    let listed = client.get("/api/transcription/", token).await?.expect(200)?;
    assert_eq!(listed.json["items"].as_array().map(Vec::len), Some(1));

    let canceled =
        client.call(Method::POST, &format!("{path}cancel/"), token).await?.expect(200)?;
    assert_eq!(canceled.json["status"], "canceled");
    client.call(Method::DELETE, &path, token).await?.expect(204)?;
    client.get(&path, token).await?.expect(404)?;
    Ok(())
}
