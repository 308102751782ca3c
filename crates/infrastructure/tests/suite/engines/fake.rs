//! The fake AssemblyAI itself: what the adapter does not use, and other clients do.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{
    assemblyai::{Endpoint, FakeAssemblyAi, FakeOptions, Fault},
    fixtures::{self, Recording},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    fn of(fake: &FakeAssemblyAi) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10));
        Self { http: http.build().expect("a client"), base: fake.base_url() }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let request = self.http.get(format!("{}{path}", self.base)).header("Authorization", "k");
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.text().await.expect("a body"))
    }

    async fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("JSON")
    }

    async fn create(&self, params: &Value) -> (u16, Value) {
        let request = self.http.post(format!("{}/v2/transcript", self.base));
        let response = request.header("Authorization", "k").json(params).send().await;
        let response = response.expect("an answer");
        (response.status().as_u16(), response.json().await.expect("JSON"))
    }

    /// Uploads a recording and orders its transcript; the name of the job.
    async fn ordered(&self, recording: &'static Recording) -> String {
        self.ordered_bytes(recording.wav).await
    }

    async fn ordered_bytes(&self, bytes: &'static [u8]) -> String {
        let request = self.http.post(format!("{}/v2/upload", self.base)).body(bytes);
        let response = request.header("Authorization", "k").send().await.expect("an answer");
        let upload: Value = response.json().await.expect("JSON");
        self.created(&json!({ "audio_url": upload["upload_url"] })).await
    }

    async fn created(&self, params: &Value) -> String {
        let mut params = params.clone();
        params["speech_models"] = json!(["universal-2"]);
        let (status, job) = self.create(&params).await;
        assert_eq!((status, &job["status"], &job["text"]), (200, &json!("queued"), &Value::Null));
        job["id"].as_str().expect("a name").to_owned()
    }
}

#[tokio::test]
async fn nobody_is_served_without_a_key() {
    let options = FakeOptions { api_key: Some("right".into()), ..FakeOptions::default() };
    for fake in [FakeAssemblyAi::start(), FakeAssemblyAi::start_with(options).expect("a server")] {
        let client = Client::of(&fake);
        for key in [None, Some("Bearer right")] {
            for path in ["/v2/transcript", "/v2/transcript/x", "/v2/transcript/x/srt"] {
                let mut request = client.http.get(format!("{}{path}", client.base));
                if let Some(key) = key {
                    request = request.header("Authorization", key);
                }
                let answer = request.send().await.expect("an answer");
                assert_eq!(answer.status(), 401, "{path} {key:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_order_is_judged_before_it_is_accepted() {
    let fake = FakeAssemblyAi::start();
    let client = Client::of(&fake);
    let models = json!(["universal-2"]);
    for params in [
        json!([]),
        json!({ "speech_models": models }),
        json!({ "audio_url": "", "speech_models": models }),
        json!({ "audio_url": "https://x.example/a.wav" }),
        json!({ "audio_url": "https://x.example/a.wav", "speech_models": [] }),
        json!({ "audio_url": "https://x.example/a.wav", "speech_models": models, "lang": "fr" }),
        json!({ "audio_url": "https://x.example/a.wav", "speech_models": models, "punctuate": 1 }),
    ] {
        let (status, body) = client.create(&params).await;
        assert!(status == 400 && body["error"].is_string(), "{params}: {status} {body}");
    }
    assert!(fake.ledger().is_empty());
}

#[tokio::test]
async fn a_job_passes_through_its_stages_by_the_clock() {
    let fake = FakeAssemblyAi::start();
    let client = Client::of(&fake);
    fake.set_processing(Duration::from_hours(1));
    let waiting = client.ordered(&fixtures::recordings()[0]).await;
    fake.set_processing(Duration::ZERO);
    let done = client.ordered(&fixtures::recordings()[0]).await;
    assert_eq!(client.json(&format!("/v2/transcript/{waiting}")).await["status"], "queued");
    assert_eq!(client.json(&format!("/v2/transcript/{done}")).await["status"], "completed");
    let (status, body) = client.get(&format!("/v2/transcript/{waiting}/srt")).await;
    assert!(status == 400 && body.contains("queued"), "{body}");
}

#[tokio::test]
async fn what_is_no_recording_of_its_own_ends_as_an_error() {
    let fake = FakeAssemblyAi::start();
    let client = Client::of(&fake);
    let page = client.ordered_bytes(b"<html>").await;
    let job = client.json(&format!("/v2/transcript/{page}")).await;
    let expected = "File does not appear to contain audio. File type is text/html.";
    assert_eq!((&job["status"], &job["error"]), (&json!("error"), &json!(expected)));
    let foreign = client.created(&json!({ "audio_url": "https://x.example/a.wav" })).await;
    let job = client.json(&format!("/v2/transcript/{foreign}")).await;
    let error = job["error"].as_str().expect("an error");
    assert!(error.starts_with("Download error, unable to download https://x.example/a.wav"));
    let ledger = fake.ledger();
    assert!(ledger[0].sha256.is_some() && ledger[1].sha256.is_none(), "{ledger:?}");
}

#[tokio::test]
async fn the_list_is_paged_from_the_newest_to_the_oldest() {
    let fake = FakeAssemblyAi::start();
    let client = Client::of(&fake);
    for recording in &fixtures::recordings()[..5] {
        client.ordered(recording).await;
    }
    let mut newest_first: Vec<String> = fake.ledger().into_iter().map(|job| job.id).collect();
    newest_first.reverse();
    let (mut path, mut seen, mut pages) = ("/v2/transcript?limit=2".to_owned(), Vec::new(), vec![]);
    loop {
        let page = client.json(&path).await;
        for item in page["transcripts"].as_array().expect("a list") {
            seen.push(item["id"].as_str().expect("a name").to_owned());
            let created = item["created"].as_str().expect("an instant");
            let naive = chrono::NaiveDateTime::parse_from_str(created, "%Y-%m-%dT%H:%M:%S%.f");
            assert!(naive.is_ok() && created.len() == 26, "{created}");
        }
        pages.push(path.clone());
        let Some(older) = page["page_details"]["prev_url"].as_str() else { break };
        path = older.strip_prefix(&client.base).expect("its own address").to_owned();
    }
    assert_eq!(seen, newest_first);
    let newer = client.json(&path).await["page_details"]["next_url"].clone();
    let newer = newer.as_str().expect("a newer page").strip_prefix(&client.base).expect("its own");
    let ids = client.json(newer).await["transcripts"].clone();
    assert_eq!((&ids[0]["id"], &ids[1]["id"]), (&json!(seen[2]), &json!(seen[3])));
    assert_eq!(client.json("/v2/transcript?status=error").await["transcripts"], json!([]));
    assert_eq!(client.json("/v2/transcript?created_on=1999-01-01").await["transcripts"], json!([]));
    for bad in ["limit=0", "limit=201", "limit=x", "created_on=today"] {
        assert_eq!(client.get(&format!("/v2/transcript?{bad}")).await.0, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_job_can_be_kept_off_the_list_for_a_while() {
    let fake = FakeAssemblyAi::start();
    let client = Client::of(&fake);
    fake.script(Endpoint::Create, Fault::ListLag(Duration::from_hours(1)));
    let hidden = client.ordered(&fixtures::recordings()[0]).await;
    let shown = client.ordered(&fixtures::recordings()[0]).await;
    let list = client.json("/v2/transcript").await["transcripts"].clone();
    assert_eq!((list.as_array().map(Vec::len), &list[0]["id"]), (Some(1), &json!(shown)));
    assert_eq!(client.json(&format!("/v2/transcript/{hidden}")).await["status"], "completed");
}

#[tokio::test]
async fn a_completed_job_is_read_in_every_form() {
    let fake = FakeAssemblyAi::start();
    let client = Client::of(&fake);
    let recording = fixtures::by_name("austen-0870").expect("a fixture");
    let id = client.ordered(recording).await;
    let path = |part: &str| format!("/v2/transcript/{id}/{part}");
    let (_, srt) = client.get(&path("srt?chars_per_caption=40")).await;
    assert!(srt.starts_with("1\n00:00:00,200 --> "), "{srt}");
    let lines: Vec<&str> = srt.lines().filter(|l| l.contains(char::is_alphabetic)).collect();
    assert_eq!(lines.join(" "), recording.text);
    assert!(lines.iter().all(|line| line.len() <= 40), "{lines:?}");
    let (_, vtt) = client.get(&path("vtt")).await;
    assert!(vtt.starts_with("WEBVTT\n\n00:00:00.200 --> "), "{vtt}");
    for part in ["sentences", "paragraphs"] {
        let body = client.json(&path(part)).await;
        assert_eq!(body[part][0]["text"], recording.text, "{part}");
        assert_eq!((&body["id"], &body["audio_duration"]), (&json!(id), &json!(8)));
    }
    let found = client.json(&path("word-search?words=john%20dashwood,to,absent")).await;
    assert_eq!(found["total_count"], 3, "{found}");
    assert_eq!(
        found["matches"][0],
        json!({ "text": "john dashwood", "count": 1, "timestamps": [[630, 1580]], "indexes": [2] })
    );
    assert_eq!(client.get(&path("haiku")).await.0, 404);
}

#[tokio::test]
async fn the_end_of_a_job_is_called_back_with_the_agreed_header() {
    let receiver = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = receiver.local_addr().expect("an address");
    let pause = Duration::from_millis(10);
    let options = FakeOptions { webhook_pause: pause, ..FakeOptions::default() };
    let fake = FakeAssemblyAi::start_with(options).expect("a server");
    let client = Client::of(&fake);
    let params = json!({
        "audio_url": "https://x.example/a.wav",
        "webhook_url": format!("http://{address}/callbacks/1"),
        "webhook_auth_header_name": "X-Secret",
        "webhook_auth_header_value": "open sesame",
    });
    let id = client.created(&params).await;
    for status in ["503 Service Unavailable", "204 No Content"] {
        let (mut connection, _) = receiver.accept().await.expect("a call");
        let mut call = Vec::new();
        while !call.ends_with(b"}") {
            assert!(connection.read_buf(&mut call).await.expect("a request") > 0, "cut short");
        }
        let call = String::from_utf8(call).expect("text");
        assert!(call.starts_with("POST /callbacks/1 HTTP/1.1\r\n"), "{call}");
        assert!(call.contains("\r\nX-Secret: open sesame\r\n"), "{call}");
        let body: Value =
            serde_json::from_str(call.rsplit("\r\n").next().unwrap_or_default()).expect("JSON");
        assert_eq!(body, json!({ "transcript_id": id, "status": "error" }));
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        connection.write_all(answer.as_bytes()).await.expect("an answer");
    }
}

#[tokio::test]
async fn the_ledger_file_has_a_line_before_the_client_has_an_answer() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("ledger.jsonl");
    let options = FakeOptions { ledger: Some(path.clone()), ..FakeOptions::default() };
    let fake = FakeAssemblyAi::start_with(options).expect("a server");
    let client = Client::of(&fake);
    let recording = &fixtures::recordings()[0];
    let id = client.ordered(recording).await;
    let line: Value =
        serde_json::from_str(&std::fs::read_to_string(&path).expect("a file")).expect("one line");
    assert_eq!((&line["id"], &line["sha256"]), (&json!(id), &json!(recording.sha256())));
}

#[tokio::test]
async fn the_recordings_are_served_only_when_asked_for() {
    let options = FakeOptions { serve_fixtures: true, ..FakeOptions::default() };
    let fake = FakeAssemblyAi::start_with(options).expect("a server");
    let client = Client::of(&fake);
    let answer = client.http.get(format!("{}/fixtures/jfk.wav", client.base)).send().await;
    let bytes = answer.expect("an answer").bytes().await.expect("a body");
    assert_eq!(bytes, fixtures::by_name("jfk").expect("a fixture").wav);
    assert_eq!(client.get("/fixtures/other.wav").await.0, 404);
    let closed = FakeAssemblyAi::start();
    assert_eq!(Client::of(&closed).get("/fixtures/jfk.wav").await.0, 404);
}
