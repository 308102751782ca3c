//! Every state × every transition, and every stage × every step.

mod actions;

use chrono::TimeDelta;
use proptest::prelude::*;

use super::{Job, JobParts, JobState, Outcome, PollStep, Step, Upload};
use crate::{Epoch, FailureCode, Stage, Status, Transcription, TranscriptionState};
use actions::{
    Action, at, enqueued, every_answer, every_state, every_step, leased, minutes, noon, worker,
};

#[test]
fn a_new_job_is_ready_to_fetch_and_costs_at_least_one() {
    let (job, transcription) = enqueued();
    let parts = job.parts();
    assert_eq!((parts.id, parts.owner), (transcription.parts().id, transcription.parts().owner));
    assert_eq!(
        (parts.state, parts.stage, parts.epoch),
        (JobState::Ready, Stage::Fetching, Epoch::new(0))
    );
    assert_eq!(parts.deadline_at, noon() + Job::DEADLINE);
    let cost = |given| Job::enqueue(&transcription, given, 0.0).parts().cost;
    assert!((cost(0.1) - 1.0).abs() < f64::EPSILON && (cost(90.0) - 90.0).abs() < f64::EPSILON);
}

#[test]
fn every_action_is_allowed_in_its_own_states_only_and_changes_nothing_in_others() {
    // So late that the lease, the engine's time and the whole job's have passed.
    let late = noon() + Job::DEADLINE + TimeDelta::minutes(1);
    for state in every_state() {
        for action in Action::all() {
            let before = at(state, action.stage());
            let mut after = before.clone();
            let outcome = action.on(&mut after, late);
            assert_eq!(outcome.is_ok(), action.is_for(state), "{state:?} {action:?}: {outcome:?}");
            if let Err(error) = outcome {
                assert_eq!(after, before, "{state:?} {action:?}");
                assert_eq!(error.from, state.as_str());
            }
        }
    }
}

#[test]
fn every_step_is_allowed_at_its_own_stages_only() {
    use Stage::{Fetching, Storing, Submitting, Transcribing, Uploading};
    for (step, stages) in every_step().into_iter().zip([
        &[Fetching, Uploading][..],
        &[Fetching, Uploading, Submitting, Transcribing],
        &[Submitting, Transcribing],
        &Stage::ALL,
        &Stage::ALL,
        &Stage::ALL,
        &Stage::ALL,
        &[Storing],
    ]) {
        for stage in Stage::ALL {
            let before = at(leased(), stage);
            let mut after = before.clone();
            let outcome = after.0.apply(step.clone(), &mut after.1, noon());
            assert_eq!(outcome.is_ok(), stages.contains(&stage), "{stage:?} {step:?}");
            assert!(outcome.is_ok() || after == before, "{stage:?} {step:?}");
        }
    }
}

#[test]
fn every_step_leaves_the_job_where_the_diagram_says() {
    for (step, expected) in every_step().into_iter().zip([
        (leased(), Stage::Uploading, Outcome::Held),
        (leased(), Stage::Submitting, Outcome::Held),
        (JobState::Waiting, Stage::Transcribing, Outcome::Free),
        (JobState::Scheduled, Stage::Submitting, Outcome::Free),
        (JobState::Scheduled, Stage::Submitting, Outcome::Free),
        (JobState::Ready, Stage::Submitting, Outcome::Free),
        (leased(), Stage::Submitting, Outcome::Ended),
        (leased(), Stage::Storing, Outcome::Ended),
    ]) {
        let mut pair = at(leased(), Action::Apply(step.clone()).stage());
        let outcome = pair.0.apply(step.clone(), &mut pair.1, noon()).expect("it is leased");
        let parts = pair.0.parts();
        assert_eq!((parts.state, parts.stage, outcome), expected, "{step:?}");
        assert_eq!(pair.1.status().is_terminal(), outcome == Outcome::Ended, "{step:?}");
    }
}

#[test]
fn every_answer_of_the_engine_leaves_the_job_where_the_diagram_says() {
    for (answer, expected) in every_answer().into_iter().zip([
        (JobState::Waiting, Stage::Transcribing, Outcome::Free, 0),
        (JobState::Ready, Stage::Storing, Outcome::Free, 0),
        (JobState::Scheduled, Stage::Transcribing, Outcome::Free, 1),
        (JobState::Waiting, Stage::Transcribing, Outcome::Ended, 0),
    ]) {
        let mut pair = at(JobState::Waiting, Stage::Transcribing);
        let outcome = pair.0.settle(answer.clone(), &mut pair.1, noon()).expect("it waits");
        let parts = pair.0.parts();
        assert_eq!((parts.state, parts.stage, outcome, parts.failures), expected, "{answer:?}");
        assert_eq!(pair.1.status().is_terminal(), outcome == Outcome::Ended, "{answer:?}");
    }
}

#[test]
fn every_claim_raises_the_epoch_by_one_and_nothing_else_does() {
    for state in every_state() {
        for action in Action::all() {
            let mut pair = at(state, action.stage());
            let late = noon() + Job::DEADLINE + TimeDelta::minutes(1);
            let claimed = action.on(&mut pair, late).is_ok() && matches!(action, Action::Lease);
            assert_eq!(pair.0.parts().epoch.get(), 7 + u64::from(claimed), "{state:?} {action:?}");
        }
    }
}

#[test]
fn only_a_retry_and_a_resubmission_are_counted() {
    for action in Action::all() {
        let counted = matches!(
            action,
            Action::Apply(Step::Retry { .. }) | Action::Settle(PollStep::Resubmit { .. })
        );
        for state in every_state().into_iter().filter(|state| action.is_for(*state)) {
            let mut pair = at(state, action.stage());
            let late = noon() + Job::DEADLINE + TimeDelta::minutes(1);
            action.on(&mut pair, late).expect("it is allowed");
            assert_eq!(pair.0.parts().failures, u32::from(counted), "{action:?}");
            let retries = u32::from(counted || matches!(action, Action::Reap));
            assert_eq!(pair.1.parts().retry_count, retries, "{action:?}");
        }
    }
}

#[test]
fn a_job_that_must_be_submitted_anew_uploads_anew_without_going_back() {
    let mut pair = at(leased(), Stage::Transcribing);
    let outcome = pair.0.apply(Step::Uploaded(None), &mut pair.1, noon());
    assert_eq!((outcome, pair.0.parts().stage), (Ok(Outcome::Held), Stage::Transcribing));
}

#[test]
fn a_submission_sets_the_time_of_the_engine_and_its_end_lifts_it() {
    let mut pair = at(leased(), Stage::Submitting);
    let check_at = minutes(5);
    pair.0.apply(Step::Submitted { check_at }, &mut pair.1, noon()).expect("it is leased");
    assert_eq!(pair.0.parts().await_until, Some(noon() + Job::AWAIT));
    assert_eq!((pair.0.parts().run_at, pair.0.parts().polls), (check_at, 0));
    pair.0.settle(every_answer()[0].clone(), &mut pair.1, noon()).expect("it waits");
    assert_eq!(pair.0.parts().polls, 1);
    for answer in [PollStep::Finished, every_answer()[2].clone()] {
        let mut ended = pair.clone();
        ended.0.settle(answer, &mut ended.1, noon()).expect("it waits");
        assert_eq!(ended.0.parts().await_until, None);
    }
}

#[test]
fn a_job_is_adopted_by_its_engine_only_once_it_can_have_been_submitted() {
    for state in [JobState::Scheduled, JobState::Ready] {
        for stage in Stage::ALL {
            let before = at(state, stage);
            let mut after = before.clone();
            let outcome = after.0.adopt(&mut after.1, minutes(1));
            let submitted = matches!(stage, Stage::Submitting | Stage::Transcribing);
            assert_eq!(outcome.is_ok(), submitted, "{stage:?}");
            assert!(outcome.is_ok() || after == before, "{stage:?}");
        }
    }
}

#[test]
fn an_adopted_job_waits_for_its_engine_and_is_asked_about_at_once() {
    let (job, mut transcription) = at(JobState::Scheduled, Stage::Submitting);
    let tired = JobParts { polls: 4, crashes: 2, run_at: minutes(60), ..job.parts().clone() };
    let mut job = Job::restore(tired);
    assert_eq!(job.adopt(&mut transcription, minutes(1)), Ok(Outcome::Free));
    let parts = job.parts();
    assert_eq!((parts.state, parts.stage), (JobState::Waiting, Stage::Transcribing));
    assert_eq!((parts.run_at, parts.polls, parts.crashes), (minutes(1), 0, 0));
    assert_eq!(parts.await_until, Some(minutes(1) + Job::AWAIT));
    let TranscriptionState::Processing { stage, .. } = transcription.parts().state else {
        panic!("it is processed");
    };
    assert_eq!(stage, Stage::Transcribing);
}

#[test]
fn a_holder_is_given_up_only_after_its_lease_has_ended() {
    for (now, reaped) in [(noon(), false), (minutes(1), false), (minutes(2), true)] {
        let mut pair = at(leased(), Stage::Fetching);
        assert_eq!(pair.0.reap(&mut pair.1, false, now).is_ok(), reaped, "{now}");
        assert_eq!(pair.0.parts().crashes, u32::from(reaped));
        assert_eq!(pair.0.parts().state == JobState::Ready, reaped);
    }
}

#[test]
fn the_third_death_of_a_holder_ends_the_job() {
    for (unanswered, code) in
        [(false, FailureCode::WorkerCrashLoop), (true, FailureCode::SubmissionUnknown)]
    {
        let mut pair = at(leased(), Stage::Fetching);
        for death in 1..=Job::MAX_CRASHES {
            let last = death == Job::MAX_CRASHES;
            let outcome = pair.0.reap(&mut pair.1, unanswered, noon() + TimeDelta::hours(1));
            assert_eq!(outcome, Ok(if last { Outcome::Ended } else { Outcome::Free }), "{death}");
            if !last {
                pair.0.lease(worker(), minutes(1)).expect("it is ready");
            }
        }
        assert_eq!(failure_of(&pair.1), Some(code));
    }
}

#[test]
fn a_job_expires_by_its_own_deadline_or_by_that_of_the_engine() {
    let past = |limit: TimeDelta| noon() + limit + TimeDelta::microseconds(1);
    for (await_until, now, code) in [
        (None, noon() + Job::DEADLINE, None),
        (None, past(Job::DEADLINE), Some(FailureCode::DeadlineExceeded)),
        (Some(noon() + Job::AWAIT), noon() + Job::AWAIT, None),
        (Some(noon() + Job::AWAIT), past(Job::AWAIT), Some(FailureCode::ProviderTimeout)),
        (Some(noon() + Job::AWAIT), past(Job::DEADLINE), Some(FailureCode::DeadlineExceeded)),
    ] {
        let (job, mut transcription) = at(JobState::Waiting, Stage::Transcribing);
        let mut job = Job::restore(JobParts { await_until, ..job.parts().clone() });
        assert_eq!(job.expire(&mut transcription, false, now).is_ok(), code.is_some(), "{now}");
        assert_eq!(failure_of(&transcription), code, "{now}");
    }
}

#[test]
fn what_may_have_been_paid_for_expires_as_unknown() {
    let (mut job, mut transcription) = at(JobState::Scheduled, Stage::Submitting);
    assert!(job.expire(&mut transcription, true, noon() + Job::DEADLINE).is_err());
    let late = noon() + Job::DEADLINE + TimeDelta::microseconds(1);
    assert_eq!(job.expire(&mut transcription, true, late), Ok(Outcome::Ended));
    assert_eq!(failure_of(&transcription), Some(FailureCode::SubmissionUnknown));
}

#[test]
fn an_upload_is_relied_upon_for_twenty_hours() {
    let upload = Upload { url: String::new(), at: noon() };
    assert!(upload.is_usable(noon() + Upload::USABLE - TimeDelta::microseconds(1)));
    assert!(!upload.is_usable(noon() + Upload::USABLE));
}

#[test]
fn a_place_is_behind_the_owners_last_and_never_before_the_clock() {
    for (owner_last, clock, place) in
        [(None, 10.0, 12.0), (Some(30.0), 10.0, 32.0), (Some(5.0), 10.0, 12.0)]
    {
        let given = Job::fair_place(owner_last, clock, 4.0, 2.0);
        assert!((given - place).abs() < f64::EPSILON, "{owner_last:?} {given}");
    }
}

fn failure_of(transcription: &Transcription) -> Option<FailureCode> {
    match &transcription.parts().state {
        TranscriptionState::Failed { failure, .. } => Some(failure.code()),
        TranscriptionState::Pending
        | TranscriptionState::Processing { .. }
        | TranscriptionState::Completed { .. }
        | TranscriptionState::Canceled { .. } => None,
    }
}

proptest! {
    #[test]
    fn in_any_life_the_epoch_rises_the_stage_never_falls_and_an_end_is_an_end(
        life in prop::collection::vec((0..17_usize, 0..90_i64), 0..60)
    ) {
        let actions = Action::all();
        let mut pair = enqueued();
        let mut now = noon();
        for (action, pause) in life {
            now += TimeDelta::minutes(pause);
            let before = pair.clone();
            let outcome = actions[action].on(&mut pair, now);
            let (was, is) = (before.0.parts(), pair.0.parts());
            prop_assert!(was.epoch <= is.epoch && was.stage <= is.stage);
            prop_assert!(was.failures <= is.failures);
            // Only a job that got on is cleared of the crashes before it.
            let got_on = matches!(was.state, JobState::Leased { .. })
                || matches!(actions[action], Action::Adopt);
            prop_assert!(was.crashes <= is.crashes || (got_on && is.crashes == 0));
            match outcome {
                Err(_) => prop_assert_eq!(&pair, &before),
                Ok(Outcome::Ended) => {
                    prop_assert!(pair.1.status().is_terminal());
                    // The row goes here; the transcription must refuse whatever comes too late.
                    prop_assert!(pair.1.clone().start(now).is_err());
                    return Ok(());
                }
                Ok(Outcome::Held | Outcome::Free) => {
                    prop_assert!(!pair.1.status().is_terminal());
                    let held = matches!(is.state, JobState::Leased { .. });
                    prop_assert_eq!(held, outcome == Ok(Outcome::Held));
                }
            }
            if is.epoch > Epoch::new(0) && !pair.1.status().is_terminal() {
                prop_assert_eq!(pair.1.status(), Status::Processing);
            }
        }
    }
}
