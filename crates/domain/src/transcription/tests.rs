//! Every state × every transition.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use super::{CompletedFacts, Stage, Status, Transcription, TranscriptionParts, TranscriptionState};
use crate::{
    Failure, FailureCode, InvalidTransition, Metadata, Source, SourceFacts, TranscriptionId,
    TranscriptionOptions, UserId,
};

fn noon() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::hours(12)
}

fn later() -> DateTime<Utc> {
    noon() + TimeDelta::seconds(1)
}

fn requested() -> Transcription {
    let url = "https://media.example/a.wav";
    Transcription::request(
        TranscriptionId::from_uuid(Uuid::from_u128(1)),
        UserId::from_uuid(Uuid::from_u128(2)),
        Some(url.to_owned()),
        Source::parse(url).expect("a source"),
        TranscriptionOptions::default(),
        Metadata::default(),
        String::from("engine"),
        noon(),
    )
}

fn in_state(state: TranscriptionState) -> Transcription {
    Transcription::restore(TranscriptionParts { state, ..requested().parts().clone() })
}

fn processing(stage: Stage) -> TranscriptionState {
    TranscriptionState::Processing { started_at: noon(), stage, progress: Some(0.5) }
}

fn facts() -> CompletedFacts {
    CompletedFacts { language_detected: None, confidence: Some(0.9), duration_ms: Some(1) }
}

fn failure() -> Failure {
    Failure::new(FailureCode::NoAudio, Stage::Fetching)
}

/// One of each, in the order of [`Status::ALL`].
fn every_state() -> [TranscriptionState; 5] {
    let (started_at, completed_at) = (noon(), noon());
    [
        TranscriptionState::Pending,
        processing(Stage::Uploading),
        TranscriptionState::Completed { started_at, completed_at, facts: facts() },
        TranscriptionState::Failed { started_at: Some(noon()), failure: failure() },
        TranscriptionState::Canceled { started_at: None },
    ]
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Start,
    Enter(Stage),
    Advance,
    Complete,
    Fail,
    Cancel,
}

impl Action {
    fn all() -> impl Iterator<Item = Self> {
        let others = [Self::Start, Self::Advance, Self::Complete, Self::Fail, Self::Cancel];
        others.into_iter().chain(Stage::ALL.map(Self::Enter))
    }

    fn on(self, transcription: &mut Transcription) -> Result<(), InvalidTransition> {
        match self {
            Self::Start => transcription.start(later()),
            Self::Enter(stage) => transcription.enter(stage, later()),
            Self::Advance => transcription.advance(0.75, later()),
            Self::Complete => transcription.complete(facts(), later()),
            Self::Fail => transcription.fail(failure(), later()),
            Self::Cancel => transcription.cancel(later()),
        }
    }

    /// The status after it, by the diagram of the module; `None` where it is refused.
    fn leads_to(self, from: Status) -> Option<Status> {
        match (self, from) {
            (Self::Start, Status::Pending | Status::Processing)
            | (Self::Enter(_) | Self::Advance, Status::Processing) => Some(Status::Processing),
            (Self::Complete, Status::Processing) => Some(Status::Completed),
            (Self::Fail, Status::Pending | Status::Processing) => Some(Status::Failed),
            (Self::Cancel, Status::Pending | Status::Processing) => Some(Status::Canceled),
            (Self::Enter(_) | Self::Advance | Self::Complete, Status::Pending)
            | (_, Status::Completed | Status::Failed | Status::Canceled) => None,
        }
    }
}

fn stage_of(transcription: &Transcription) -> Option<Stage> {
    match transcription.parts().state {
        TranscriptionState::Processing { stage, .. } => Some(stage),
        TranscriptionState::Pending
        | TranscriptionState::Completed { .. }
        | TranscriptionState::Failed { .. }
        | TranscriptionState::Canceled { .. } => None,
    }
}

fn progress_of(transcription: &Transcription) -> Option<f64> {
    match transcription.parts().state {
        TranscriptionState::Processing { progress, .. } => progress,
        TranscriptionState::Pending
        | TranscriptionState::Completed { .. }
        | TranscriptionState::Failed { .. }
        | TranscriptionState::Canceled { .. } => None,
    }
}

#[test]
fn a_new_transcription_is_pending_and_knows_nothing_of_its_source() {
    let new = requested();
    assert_eq!((new.status(), new.parts().state.started_at()), (Status::Pending, None));
    assert_eq!((new.parts().created_at, new.parts().updated_at), (noon(), noon()));
    assert_eq!((new.parts().retry_count, &new.parts().facts), (0, &SourceFacts::default()));
}

#[test]
fn every_action_in_every_state_leads_where_the_diagram_says() {
    for (state, from) in every_state().into_iter().zip(Status::ALL) {
        for action in Action::all() {
            let mut transcription = in_state(state.clone());
            assert_eq!(transcription.status(), from);
            // Within processing, a step back is refused too; it has a table of its own.
            let back = matches!(action, Action::Enter(Stage::Fetching));
            let expected = action.leads_to(from).filter(|_| !back);
            let outcome = action.on(&mut transcription);
            assert_eq!(outcome.is_ok(), expected.is_some(), "{from:?} {action:?}");
            assert_eq!(transcription.status(), expected.unwrap_or(from), "{from:?} {action:?}");
        }
    }
}

#[test]
fn a_refused_action_changes_nothing_and_names_where_it_came_from() {
    let mut refused = 0;
    for state in every_state() {
        for action in Action::all() {
            let before = in_state(state.clone());
            let mut after = before.clone();
            if let Err(error) = action.on(&mut after) {
                assert_eq!(after, before, "{action:?}");
                assert_eq!(error.from, before.status().as_str());
                refused += 1;
            }
        }
    }
    assert!(refused > 20, "{refused}");
}

#[test]
fn the_stage_goes_forward_or_stays_and_never_back() {
    for (at, from) in Stage::ALL.into_iter().enumerate() {
        for (to_at, to) in Stage::ALL.into_iter().enumerate() {
            let mut transcription = in_state(processing(from));
            let entered = transcription.enter(to, later());
            assert_eq!(entered.is_ok(), to_at >= at, "{from:?} to {to:?}");
            assert_eq!(stage_of(&transcription), Some(from.max(to)));
        }
    }
}

#[test]
fn progress_rises_within_a_stage_and_begins_anew_in_the_next() {
    let mut transcription = requested();
    transcription.start(noon()).expect("it is pending");
    for (share, shown) in [
        (0.4, Some(0.4)),
        (0.2, Some(0.4)),
        (f64::NAN, Some(0.4)),
        (-0.1, Some(0.4)),
        (1.1, Some(0.4)),
        (f64::INFINITY, Some(0.4)),
        (0.4, Some(0.4)),
        (1.0, Some(1.0)),
    ] {
        transcription.advance(share, later()).expect("it is processed");
        assert_eq!(progress_of(&transcription), shown, "{share}");
    }
    transcription.enter(Stage::Uploading, later()).expect("it goes on");
    assert_eq!(progress_of(&transcription), None);
    let before = transcription.clone();
    transcription.advance(-1.0, later() + TimeDelta::hours(1)).expect("it is processed");
    assert_eq!(transcription, before, "what is no share changes nothing");
    transcription.advance(0.0, later()).expect("it is processed");
    assert_eq!(progress_of(&transcription), Some(0.0));
}

#[test]
fn the_first_start_counts_and_a_later_one_changes_nothing() {
    let mut transcription = requested();
    transcription.start(later()).expect("it is pending");
    assert_eq!(transcription.parts().state.started_at(), Some(later()));
    assert_eq!(stage_of(&transcription), Some(Stage::Fetching));
    transcription.enter(Stage::Storing, later()).expect("it goes on");
    let before = transcription.clone();
    transcription.start(later() + TimeDelta::hours(1)).expect("it goes on");
    assert_eq!(transcription, before);
}

#[test]
fn an_end_keeps_when_work_began_and_says_when_it_changed() {
    for (action, begun) in [
        (Action::Complete, true),
        (Action::Fail, true),
        (Action::Fail, false),
        (Action::Cancel, true),
        (Action::Cancel, false),
    ] {
        let mut transcription =
            if begun { in_state(processing(Stage::Storing)) } else { requested() };
        action.on(&mut transcription).expect("it is alive");
        let started = transcription.parts().state.started_at();
        assert_eq!(started, begun.then(noon), "{action:?}");
        assert_eq!(transcription.parts().updated_at, later(), "{action:?}");
    }
}

#[test]
fn what_is_known_of_a_source_is_not_replaced() {
    let mut transcription = requested();
    let learn = |title: Option<&str>, duration_ms| SourceFacts {
        title: title.map(str::to_owned),
        duration_ms,
    };
    transcription.learn(learn(Some("first"), None), later());
    transcription.learn(learn(Some("second"), Some(7)), later());
    transcription.learn(learn(None, Some(8)), later());
    assert_eq!(transcription.parts().facts, learn(Some("first"), Some(7)));
}

#[test]
fn every_word_reads_back() {
    for status in Status::ALL {
        assert_eq!(Status::from_word(status.as_str()), Some(status));
    }
    for stage in Stage::ALL {
        assert_eq!(Stage::from_word(stage.as_str()), Some(stage));
    }
    assert!(Stage::ALL.is_sorted());
    assert_eq!((Status::from_word("cancelled"), Stage::from_word("")), (None, None));
}

proptest! {
    #[test]
    fn in_any_life_an_end_is_an_end_and_nothing_is_pending_again(
        life in prop::collection::vec(0..10_usize, 0..40)
    ) {
        let mut transcription = requested();
        for action in life.into_iter().filter_map(|at| Action::all().nth(at)) {
            let before = transcription.clone();
            let outcome = action.on(&mut transcription);
            if before.status().is_terminal() {
                prop_assert!(outcome.is_err());
                prop_assert_eq!(&transcription, &before);
            }
            if before.status() != Status::Pending {
                prop_assert_ne!(transcription.status(), Status::Pending);
            }
            if let (Some(was), Some(is)) = (stage_of(&before), stage_of(&transcription)) {
                prop_assert!(was <= is);
            }
        }
    }
}
