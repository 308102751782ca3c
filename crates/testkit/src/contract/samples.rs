//! Values to store: every field filled, so that one which is lost is missed.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use application::ports::NewSubmission;
use chrono::{DateTime, Utc};
use domain::{
    CallbackToken, Email, FullName, Keyterms, Language, Metadata, PasswordDigest, Source,
    SubmissionId, Transcript, Transcription, TranscriptionId, TranscriptionOptions, User, UserId,
    Utterance, Word,
};
use uuid::Uuid;

/// The engine of every sample.
pub(super) const ENGINE: &str = "contract";

/// An identifier that was never used in this process and sorts behind all that were.
pub(super) fn next_id() -> Uuid {
    static MADE: AtomicU64 = AtomicU64::new(1);
    let number = u128::from(MADE.fetch_add(1, Ordering::Relaxed));
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | number)
}

/// A new account with an address of its own.
pub fn a_user(now: DateTime<Utc>) -> User {
    let id = next_id();
    let email = Email::parse(&format!("user-{}@example.com", id.simple())).expect("an address");
    let name = FullName::parse("Zoë O'Brien").expect("a name");
    let digest = PasswordDigest::new(format!("digest of {id}"));
    User::register(UserId::from_uuid(id), email, Some(name), digest, now)
}

/// A new transcription with every option set.
pub fn a_transcription(owner: UserId, now: DateTime<Utc>) -> Transcription {
    let written = "https://media.example.com/a%20file.mp3?part=1&x='\"";
    let metadata = BTreeMap::from([("key".to_owned(), "a \"value\" 'quoted'".to_owned())]);
    let keyterms = vec!["SaaS-IA".to_owned(), "entrée principale".to_owned()];
    let options = TranscriptionOptions {
        language: Language::parse("pt-BR").expect("a tag"),
        speaker_labels: true,
        speakers_expected: Some(3),
        keyterms: Keyterms::parse(keyterms).expect("terms"),
    };
    Transcription::request(
        TranscriptionId::from_uuid(next_id()),
        owner,
        Some(written.to_owned()),
        Source::parse(written).expect("a source"),
        options,
        Metadata::parse(metadata).expect("pairs"),
        ENGINE.to_owned(),
        now,
    )
}

/// A new submission.
pub fn a_submission() -> NewSubmission {
    let id = next_id();
    let upload_url = Some(format!("https://upload.example.com/{id}"));
    NewSubmission {
        id: SubmissionId::from_uuid(id),
        upload_url,
        callback: Some(CallbackToken::new(secret(id)).digest()),
    }
}

fn secret(id: Uuid) -> [u8; 32] {
    let mut secret = [0; 32];
    secret[..16].copy_from_slice(id.as_bytes());
    secret
}

/// A transcript of two speakers, with a confidence that has no short decimal form.
pub fn a_transcript() -> Transcript {
    let third = 1.0_f64 / 3.0;
    let word = |text: &str, start_ms, speaker: Option<&str>| Word {
        text: text.to_owned(),
        start_ms,
        end_ms: start_ms + 90,
        confidence: Some(third),
        speaker: speaker.map(str::to_owned),
    };
    let utterance = |text: &str, start_ms, speaker: &str| Utterance {
        speaker: Some(speaker.to_owned()),
        text: text.to_owned(),
        start_ms,
        end_ms: start_ms + 900,
        confidence: None,
    };
    Transcript {
        text: "Bonjour, \"monde\".\nÇa va ?".to_owned(),
        language: Some(Language::parse("fr").expect("a tag")),
        confidence: Some(0.1 + 0.2),
        duration_ms: Some(61_234),
        words: vec![
            word("Bonjour,", 10, Some("B")),
            word("\"monde\".", 110, Some("B")),
            word("Ça", 1_210, Some("A")),
            word("va ?", 1_310, None),
        ],
        utterances: vec![
            utterance("Bonjour, \"monde\".", 10, "B"),
            utterance("Ça va ?", 1_210, "A"),
        ],
    }
}
