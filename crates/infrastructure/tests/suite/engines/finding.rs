//! Looking for submissions whose answer was lost in the engine's list.

use std::time::Duration;

use application::ports::{SpeechError, SpeechToText as _, Wanted};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{CallbackToken, FailureCode as Code, TranscriptionOptions};
use infrastructure::engines::assemblyai::{AssemblyAi, ConfigError};
use serde_json::{Value, json};
use testkit::assemblyai::{Endpoint, FakeAssemblyAi, FakeOptions, Fault};

use super::{TOKEN, any_recording, config, engine, engine_with, hasty, order, submitted, uploaded};

/// A fake whose pages hold two jobs.
fn paged() -> FakeAssemblyAi {
    FakeAssemblyAi::start_with(FakeOptions { page: 2, ..FakeOptions::default() }).expect("a server")
}

/// An engine that is called back.
fn called_back(fake: &FakeAssemblyAi) -> AssemblyAi {
    let mut config = config(fake);
    // Nobody listens there; the fake only repeats it.
    config.public_url = Some("http://127.0.0.1:9/service/".parse().expect("a URL"));
    engine_with(config)
}

/// The audio of a submission that the fake accepted and whose answer was lost.
async fn lost(fake: &FakeAssemblyAi, engine: &AssemblyAi) -> String {
    let url = uploaded(engine, any_recording()).await;
    fake.script(Endpoint::Create, Fault::AcceptThenCut);
    let options = TranscriptionOptions::default();
    let error = engine.submit(order(&url, &options)).await.expect_err("a lost answer");
    assert_eq!(error.code, Code::SubmissionUnknown);
    url
}

fn wanted(upload_url: &str, since: DateTime<Utc>) -> Wanted<'_> {
    let callback = Some(TOKEN.digest());
    Wanted { upload_url: Some(upload_url), callback, since, hinted_id: None }
}

/// When the fake accepted its first job; it lives by the clock of the machine.
fn beginning(fake: &FakeAssemblyAi) -> DateTime<Utc> {
    fake.ledger()[0].at
}

/// The fake's name for the job with this audio.
fn name(fake: &FakeAssemblyAi, upload_url: &str) -> Option<String> {
    let ledger = fake.ledger();
    ledger.iter().find(|job| job.audio_url == upload_url).map(|job| job.id.clone())
}

fn item(id: &str, created: &str, audio_url: &Value) -> Value {
    json!({ "id": id, "status": "completed", "created": created, "audio_url": audio_url })
}

fn page(items: &[Value], prev_url: &Value) -> Value {
    json!({
        "page_details": {
            "limit": 200, "result_count": items.len(), "prev_url": prev_url, "next_url": null,
        },
        "transcripts": items,
    })
}

async fn answered(fake: &FakeAssemblyAi, answer: &Value, wanted: Wanted<'_>) -> Found {
    fake.script(Endpoint::List, Fault::answer(answer));
    engine(fake).find(&[wanted]).await
}

type Found = Result<Vec<Option<String>>, SpeechError>;

const NOON: &str = "2026-11-22T12:00:00.000000";
const AUDIO: &str = "https://cdn.assemblyai.com/upload/wanted";

fn noon() -> DateTime<Utc> {
    super::since()
}

#[tokio::test]
async fn lost_submissions_are_known_again_by_their_audio_on_whatever_page() {
    let fake = paged();
    let engine = engine(&fake);
    let mut urls = Vec::new();
    for _ in 0..3 {
        urls.push(lost(&fake, &engine).await);
        submitted(&engine, any_recording()).await;
    }
    urls.push(uploaded(&engine, any_recording()).await);
    let wanted: Vec<_> = urls.iter().map(|url| wanted(url, beginning(&fake))).collect();
    let found = engine.find(&wanted).await.expect("a complete list");
    let expected: Vec<_> = urls.iter().map(|url| name(&fake, url)).collect();
    assert_eq!(found, expected);
    assert!(found[..3].iter().all(Option::is_some) && found[3].is_none());
    assert_eq!(fake.requests(Endpoint::List), 4, "three pages, and one that proves the end");
    assert_eq!(engine.find(&[]).await, Ok(Vec::new()));
}

#[tokio::test]
async fn the_list_is_read_no_further_than_needed() {
    let fake = paged();
    let engine = engine(&fake);
    for _ in 0..5 {
        submitted(&engine, any_recording()).await;
    }
    let newest = lost(&fake, &engine).await;
    engine.find(&[wanted(&newest, beginning(&fake))]).await.expect("a list");
    assert_eq!(fake.requests(Endpoint::List), 1, "it was on the first page");
    let later = beginning(&fake) + TimeDelta::minutes(6);
    assert_eq!(engine.find(&[wanted("https://x.example/a", later)]).await, Ok(vec![None]));
    assert_eq!(fake.requests(Endpoint::List), 2, "all of the first page is old");
    let earlier = beginning(&fake) + TimeDelta::minutes(4);
    assert_eq!(engine.find(&[wanted("https://x.example/a", earlier)]).await, Ok(vec![None]));
    assert_eq!(fake.requests(Endpoint::List), 6, "the clocks may differ");
}

#[tokio::test]
async fn a_job_that_the_list_does_not_show_yet_is_not_found() {
    let fake = FakeAssemblyAi::start();
    let engine = engine(&fake);
    fake.set_list_lag(Duration::from_hours(1));
    let url = lost(&fake, &engine).await;
    assert_eq!(engine.find(&[wanted(&url, beginning(&fake))]).await, Ok(vec![None]));
    let hinted_id = name(&fake, &url);
    let hinted = Wanted { hinted_id: hinted_id.as_deref(), ..wanted(&url, beginning(&fake)) };
    assert_eq!(engine.find(&[hinted]).await, Ok(vec![hinted_id.clone()]), "but asked for by name");
    assert_eq!(fake.requests(Endpoint::List), 1);
}

#[tokio::test]
async fn a_hint_is_believed_only_if_what_is_found_there_fits() {
    let fake = FakeAssemblyAi::start();
    let engine = called_back(&fake);
    let other = submitted(&super::engine(&fake), any_recording()).await.provider_id;
    let url = lost(&fake, &engine).await;
    let right = name(&fake, &url);
    for hint in [other.as_str(), "unheard-of", "../upload", ""] {
        let hinted = Wanted { hinted_id: Some(hint), ..wanted(&url, beginning(&fake)) };
        assert_eq!(engine.find(&[hinted]).await, Ok(vec![right.clone()]), "{hint}");
    }
    let by_token = Wanted {
        upload_url: Some("https://x.example/of-another"),
        hinted_id: right.as_deref(),
        ..wanted(&url, beginning(&fake))
    };
    assert_eq!(engine.find(&[by_token]).await, Ok(vec![right.clone()]));
    let callback = Some(CallbackToken::new([8; 32]).digest());
    assert_eq!(engine.find(&[Wanted { callback, ..by_token }]).await, Ok(vec![None]));
    fake.script(Endpoint::Get, Fault::Cut);
    let hinted = Wanted { hinted_id: right.as_deref(), ..wanted(&url, beginning(&fake)) };
    assert_eq!(engine.find(&[hinted]).await, Ok(vec![right.clone()]), "the list tells, too");
}

#[tokio::test]
async fn a_listing_that_cannot_be_read_is_never_an_answer() {
    let fake = FakeAssemblyAi::start();
    let engine = engine(&fake);
    let url = lost(&fake, &engine).await;
    let unavailable = Code::ProviderUnavailable;
    let status =
        |code, body: &str| Fault::Status { code, body: body.into(), retry_after: Some(17) };
    for (fault, code) in [
        (Fault::refusal(401, "Authentication error"), Code::ProviderAuth),
        (Fault::NegativeBalance, Code::ProviderPaymentRequired),
        (Fault::refusal(400, "Transcript lookup error"), Code::ProviderProtocol),
        (status(404, "404 page not found"), Code::ProviderProtocol),
        (status(429, ""), Code::ProviderThrottled),
        (Fault::refusal(500, "Internal Server Error"), unavailable),
        (Fault::EmptyBody504 { accepted: true }, unavailable),
        (Fault::Cut, unavailable),
        (Fault::AcceptThenCut, unavailable),
        (Fault::CutBody, unavailable),
        (Fault::TruncatedJson, Code::ProviderProtocol),
        (Fault::Html { accepted: true }, Code::ProviderProtocol),
        (Fault::answer(&json!({})), Code::ProviderProtocol),
        (Fault::answer(&json!({ "transcripts": [] })), Code::ProviderProtocol),
    ] {
        fake.script(Endpoint::List, fault.clone());
        let error = engine.find(&[wanted(&url, beginning(&fake))]).await.expect_err("no list");
        assert_eq!(error.code, code, "{fault:?}");
        if code == Code::ProviderThrottled {
            assert_eq!(error.retry_after, Some(TimeDelta::seconds(17)));
        }
    }
    fake.script(Endpoint::List, Fault::Hang(Duration::from_secs(5)));
    let late = hasty(&fake).find(&[wanted(&url, beginning(&fake))]).await.expect_err("late");
    assert_eq!(late.code, unavailable);
    assert_eq!(engine.find(&[wanted(&url, beginning(&fake))]).await, Ok(vec![name(&fake, &url)]));
}

#[tokio::test]
async fn a_later_page_that_is_missing_makes_the_listing_incomplete() {
    let fake = paged();
    let engine = engine(&fake);
    let url = lost(&fake, &engine).await;
    for _ in 0..3 {
        submitted(&engine, any_recording()).await;
    }
    fake.script(Endpoint::List, Fault::answer(&page(&[], &Value::Null)));
    assert_eq!(engine.find(&[wanted(&url, beginning(&fake))]).await, Ok(vec![None]), "scripted");
    for fault in [Fault::EmptyBody504 { accepted: true }, Fault::CutBody, Fault::TruncatedJson] {
        // A hang of no length disturbs nothing: the first page is as it is.
        fake.script(Endpoint::List, Fault::Hang(Duration::ZERO));
        fake.script(Endpoint::List, fault.clone());
        engine.find(&[wanted(&url, beginning(&fake))]).await.expect_err("half of a list");
    }
}

#[tokio::test]
async fn a_listing_that_contradicts_itself_is_never_an_answer() {
    let fake = FakeAssemblyAi::start();
    let older: Value = format!("{}/v2/transcript?before_id=a", fake.base_url()).into();
    let audio: Value = "https://cdn.assemblyai.com/upload/other".into();
    let job = |id: &str, created: &str| item(id, created, &audio);
    let mut short = page(&[job("a", NOON)], &Value::Null);
    short["page_details"]["result_count"] = json!(2);
    for (what, broken) in [
        ("fewer jobs than it says", short),
        ("older jobs, but not which", page(&[], &older)),
        ("no instant", page(&[job("a", "yesterday")], &Value::Null)),
        (
            "older jobs first",
            page(&[job("a", "2026-11-22T11:00:00"), job("b", "2026-11-22T13:00:00")], &Value::Null),
        ),
        ("a name that is none", page(&[job("a/../b", NOON)], &older)),
    ] {
        fake.script(Endpoint::List, Fault::answer(&page(&[job("first", NOON)], &older)));
        let found = answered(&fake, &broken, wanted(AUDIO, noon())).await;
        assert_eq!(found.expect_err(what).code, Code::ProviderProtocol, "{what}");
    }
    let again = page(&[job("a", NOON)], &older);
    fake.script(Endpoint::List, Fault::answer(&again));
    let found = answered(&fake, &again, wanted(AUDIO, noon())).await;
    assert_eq!(found.expect_err("the same page for ever").code, Code::ProviderProtocol);
    for n in 0..250 {
        let next = page(&[job(&format!("job-{n}"), NOON)], &older);
        fake.script(Endpoint::List, Fault::answer(&next));
    }
    let endless = engine(&fake).find(&[wanted(AUDIO, noon())]).await;
    assert_eq!(endless.expect_err("no end").code, Code::ProviderProtocol);
}

#[tokio::test]
async fn nobody_but_the_engine_is_asked_for_the_next_page() {
    let (fake, foreign) = (FakeAssemblyAi::start(), FakeAssemblyAi::start());
    let elsewhere = format!("{}/v2/transcript?limit=200&before_id=a", foreign.base_url());
    let first = page(&[item("a", NOON, &"https://x.example/a".into())], &elsewhere.into());
    let second = page(&[item("b", NOON, &AUDIO.into())], &Value::Null);
    fake.script(Endpoint::List, Fault::answer(&first));
    let found = answered(&fake, &second, wanted(AUDIO, noon())).await;
    assert_eq!(found, Ok(vec![Some("b".to_owned())]));
    assert_eq!((fake.requests(Endpoint::List), foreign.requests(Endpoint::List)), (2, 0));
}

#[tokio::test]
async fn instants_without_a_zone_are_in_utc() {
    let fake = FakeAssemblyAi::start();
    let older: Value = "https://x.example/older".into();
    for created in [
        "2026-11-22T11:54:59.9",
        "2026-11-22T11:54:59Z",
        "2026-11-22T12:54:59+01:00",
        "-262143-01-01T00:00:00",
    ] {
        let first = page(&[item("a", created, &"https://x.example/a".into())], &older);
        assert_eq!(answered(&fake, &first, wanted(AUDIO, noon())).await, Ok(vec![None]));
    }
    assert_eq!(fake.requests(Endpoint::List), 4, "each was old enough");
}

#[tokio::test]
async fn a_job_whose_audio_is_not_listed_is_known_again_by_its_token() {
    let fake = FakeAssemblyAi::start();
    let engine = called_back(&fake);
    let url = lost(&fake, &engine).await;
    let id = name(&fake, &url).expect("accepted");
    let deleted = "http://deleted_by_user";
    for hidden in [Value::Null, "".into(), "***".into(), deleted.into()] {
        let listed = page(&[item(&id, NOON, &hidden)], &Value::Null);
        let by_token = Wanted { upload_url: Some(AUDIO), ..wanted(&url, noon()) };
        for one in [wanted(&url, noon()), by_token] {
            assert_eq!(answered(&fake, &listed, one).await, Ok(vec![Some(id.clone())]), "{hidden}");
        }
        let asked = fake.requests(Endpoint::Get);
        let late = wanted(AUDIO, noon() + TimeDelta::hours(1));
        assert_eq!(answered(&fake, &listed, late).await, Ok(vec![None]), "{hidden}");
        assert_eq!(fake.requests(Endpoint::Get), asked, "it is too old to be looked at");
    }
    engine.erase(&id).await.expect("erased");
    let listed = page(&[item(&id, NOON, &deleted.into())], &Value::Null);
    let gone = answered(&fake, &listed, wanted(&url, noon())).await;
    assert_eq!(gone, Ok(vec![Some(id)]), "a deleted job still says whom it calls");
}

#[tokio::test]
async fn a_job_that_cannot_be_told_from_the_wanted_one_makes_the_listing_incomplete() {
    let fake = FakeAssemblyAi::start();
    let silent = page(&[item("job-1", NOON, &Value::Null)], &Value::Null);
    fake.script(Endpoint::Get, Fault::answer(&json!({ "id": "job-1", "status": "queued" })));
    let found = answered(&fake, &silent, wanted(AUDIO, noon())).await;
    assert_eq!(found.expect_err("it may be the one").code, Code::ProviderProtocol);
    fake.script(Endpoint::Get, Fault::EmptyBody504 { accepted: false });
    let found = answered(&fake, &silent, wanted(AUDIO, noon())).await;
    assert_eq!(found.expect_err("nobody knows").code, Code::ProviderUnavailable);
    assert_eq!(
        answered(&fake, &silent, wanted(AUDIO, noon())).await,
        Ok(vec![None]),
        "the fake has no such job: it is gone"
    );
}

#[tokio::test]
async fn jobs_without_audio_are_asked_for_in_bounds() {
    let fake = FakeAssemblyAi::start();
    let many = |audio: &Value| {
        let items: Vec<_> = (0..51).map(|n| item(&format!("job-{n}"), NOON, audio)).collect();
        page(&items, &Value::Null)
    };
    let found = answered(&fake, &many(&Value::Null), wanted(AUDIO, noon())).await;
    assert_eq!(found.expect_err("too many").code, Code::ProviderProtocol);
    assert_eq!(fake.requests(Endpoint::Get), 0);
    let deleted = many(&"http://deleted_by_user".into());
    assert_eq!(answered(&fake, &deleted, wanted(AUDIO, noon())).await, Ok(vec![None]));
    assert_eq!(fake.requests(Endpoint::Get), 10, "this service deletes all that it has stored");
    let (engine, gone) = (called_back(&fake), Value::from("http://deleted_by_user"));
    let url = lost(&fake, &engine).await;
    let id = name(&fake, &url).expect("accepted");
    let at = |minutes: i64, id: &str| {
        let created = (noon() + TimeDelta::minutes(minutes)).naive_utc();
        item(id, &created.format("%FT%T").to_string(), &gone)
    };
    let mut items: Vec<_> = (0..40).map(|n| at(50 - n, &format!("job-{n}"))).collect();
    items.push(at(1, &id));
    let found = answered(&fake, &page(&items, &Value::Null), wanted(AUDIO, noon())).await;
    assert_eq!(found, Ok(vec![Some(id)]), "those of its time are asked for first");
}

#[tokio::test]
async fn of_several_jobs_with_one_audio_the_one_with_the_token_is_taken() {
    let fake = FakeAssemblyAi::start();
    let url = uploaded(&engine(&fake), any_recording()).await;
    let options = TranscriptionOptions::default();
    let ours = called_back(&fake).submit(order(&url, &options)).await.expect("accepted");
    let other = engine(&fake).submit(order(&url, &options)).await.expect("accepted");
    let found = engine(&fake).find(&[wanted(&url, beginning(&fake))]).await;
    assert_eq!(found, Ok(vec![Some(ours.provider_id)]));
    let unsigned = Wanted { callback: None, ..wanted(&url, beginning(&fake)) };
    let found = engine(&fake).find(&[unsigned]).await;
    assert_eq!(found, Ok(vec![Some(other.provider_id)]), "else the newest");
}

#[tokio::test]
async fn a_submission_names_where_it_is_called_back_only_where_there_is_such_a_place() {
    let fake = FakeAssemblyAi::start();
    submitted(&engine(&fake), any_recording()).await;
    submitted(&called_back(&fake), any_recording()).await;
    let ledger = fake.ledger();
    assert_eq!(ledger[0].params.get("webhook_url"), None);
    let expected = format!("http://127.0.0.1:9/service/api/callbacks/assemblyai/{}", TOKEN.text());
    assert_eq!(ledger[1].params["webhook_url"], expected);
    for bad in ["ftp://x.example", "https://a@x.example", "https://x.example/?a", "data:x"] {
        let mut config = config(&fake);
        config.public_url = Some(bad.parse().expect("a URL"));
        let refused = AssemblyAi::new(config, super::HandClock::at("2026-11-22T12:00:00Z"));
        assert!(matches!(refused, Err(ConfigError::PublicUrl)), "{bad}");
    }
}
