//! Transcripts with more speakers than any room holds, as an engine may tell of a hostile recording.

use std::time::Duration;

use application::ports::StepEffects;
use domain::{CompletedFacts, Outcome, PollStep, Step, Transcript, Word};
use tokio::time::timeout;

use crate::contract::{Stores, a_transcript};

const SPEAKERS: u32 = 200_000;

/// Not an expectation: it takes a moment. Work that grows with the square of the speakers takes
/// far longer, and must not keep a test run from its end.
const PATIENCE: Duration = Duration::from_mins(1);

/// A transcript in which each word has a speaker of its own is stored and read like any other.
pub async fn a_crowd_of_speakers_holds_nothing_up(stores: &Stores) {
    let (waiting, _) = stores.a_waiting_job().await;
    stores.settle(&waiting.lease, PollStep::Finished).await.expect("it goes on");
    let claimed = stores.claim_one().await;
    let (owner, crowd) = (claimed.transcription.parts().owner, a_crowd());
    let (stores, expected) = (stores.clone(), crowd.clone());
    let kept = async move {
        let facts = CompletedFacts {
            language_detected: crowd.language.clone(),
            confidence: crowd.confidence,
            duration_ms: crowd.duration_ms,
        };
        let effects = StepEffects { transcript: Some(crowd), ..StepEffects::default() };
        let done = stores.commit(&claimed.lease, Step::Complete(facts), effects).await;
        assert_eq!(done.expect("it completes"), Outcome::Ended);
        stores.transcriptions.transcript(owner, claimed.lease.job).await.expect("it is read")
    };
    let kept = timeout(PATIENCE, tokio::spawn(kept)).await.expect("it is done");
    let kept = kept.expect("it is stored and read").expect("it is there").transcript;
    // Not shown when they differ: it would fill the screen for minutes.
    assert!(kept == expected, "it does not read back equal");
}

fn a_crowd() -> Transcript {
    let word = |at: u32| Word {
        text: "oui".to_owned(),
        start_ms: u64::from(at),
        end_ms: u64::from(at) + 1,
        confidence: None,
        speaker: Some(format!("S{at}")),
    };
    Transcript {
        text: "oui ".repeat(usize::try_from(SPEAKERS).expect("a small number")).trim().to_owned(),
        words: (0..SPEAKERS).map(word).collect(),
        utterances: Vec::new(),
        ..a_transcript()
    }
}
