//! What every [`SpeechToText`] must do.

use std::{any::Any, collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use application::ports::{Clock, PollAnswer, SpeechToText, SubmitAnswer, SubmitRequest};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{CallbackToken, FailureCode, Transcript, TranscriptionOptions};
use futures_util::future::{BoxFuture, FutureExt, join_all};

use super::TestClock;

/// A name of a form that every engine could have given, and none has.
const UNKNOWN: &str = "00000000-contract-unknown-job";

/// How often a job is asked for before it counts as never finished.
const PATIENCE: u32 = 100;

/// An engine under test.
pub struct Speech {
    /// The engine.
    pub engine: Arc<dyn SpeechToText>,
    /// Another instance for the same jobs: what there is after a restart.
    pub restarted: Arc<dyn SpeechToText>,
    /// Lets the time pass that the engine wants to be left alone, or more, or less: a job is
    /// finished after no more than a hundred such pauses.
    pub pause: Pause,
    /// A file that the engine recognises; `None` for one that needs no audio.
    pub audio: Option<PathBuf>,
    /// What the user sent.
    pub video_url: String,
    /// What must live as long as the engine, such as a server or a directory.
    _guard: Box<dyn Any + Send + Sync>,
}

/// Lets a time pass, on whatever clock the engine goes by.
pub type Pause = Box<dyn Fn(TimeDelta) -> BoxFuture<'static, ()> + Send + Sync>;

impl Speech {
    /// An engine that needs no audio and for which no time has to pass. `guard` lives as long.
    pub fn new(
        engine: Arc<dyn SpeechToText>,
        restarted: Arc<dyn SpeechToText>,
        guard: impl Any + Send + Sync,
    ) -> Self {
        Self {
            engine,
            restarted,
            pause: Box::new(|_| std::future::ready(()).boxed()),
            audio: None,
            video_url: "https://www.youtube.com/watch?v=dQw4w9WgXcQ".to_owned(),
            _guard: Box::new(guard),
        }
    }

    /// Gives it audio.
    #[must_use]
    pub fn with_audio(self, audio: PathBuf) -> Self {
        Self { audio: Some(audio), ..self }
    }

    /// Gives it a way to let time pass.
    #[must_use]
    pub fn with_pause(self, pause: Pause) -> Self {
        Self { pause, ..self }
    }

    async fn upload(&self) -> Option<String> {
        if !self.engine.capabilities().needs_audio {
            return None;
        }
        let audio =
            self.audio.as_deref().expect("the fixture has audio for an engine that needs it");
        Some(self.engine.upload(audio).await.expect("audio is uploaded"))
    }

    /// Uploads, where that is needed, and submits with the default options.
    async fn submit(&self) -> SubmitAnswer {
        let upload_url = self.upload().await;
        let request = SubmitRequest {
            callback: &CallbackToken::new([7; 32]),
            upload_url: upload_url.as_deref(),
            options: &TranscriptionOptions::default(),
            timeout: Duration::from_secs(10),
        };
        self.engine.submit(request).await.expect("the job is accepted")
    }

    /// Asks until the job is finished.
    async fn finish(&self, job: &SubmitAnswer) {
        (self.pause)(job.check_after).await;
        for polls in 0..PATIENCE {
            let answer = self.engine.poll(&job.provider_id, polls, since(), 0.5).await;
            match answer.expect("the engine answers") {
                PollAnswer::Pending { check_after } => (self.pause)(check_after).await,
                PollAnswer::Finished => return,
                PollAnswer::Failed(error) => panic!("the job failed: {error:?}"),
            }
        }
        panic!("not finished after {PATIENCE} questions");
    }

    async fn result(&self, engine: &dyn SpeechToText, job: &SubmitAnswer) -> Transcript {
        engine.result(&job.provider_id, &self.video_url).await.expect("the result is read")
    }
}

/// Makes a module `$name` of tests, one for each promise of
/// [`SpeechToText`]. `$fixture` yields a
/// [`Speech`].
#[macro_export]
macro_rules! speech_to_text_contract {
    ($name:ident, $fixture:expr) => {
        $crate::contract_cases! { $name, $fixture, |speech| {
            speech: [
                a_submitted_job_is_at_last_finished(&speech),
                a_result_has_text_and_words_in_their_order(&speech),
                a_result_is_read_again_as_it_was(&speech),
                every_submission_has_a_name_of_its_own(&speech),
                an_unknown_job_is_not_waited_for(&speech),
                an_unknown_job_has_no_result(&speech),
                a_job_is_erased_however_often(&speech),
                an_unknown_job_is_erased(&speech),
                a_pause_is_never_negative(&speech),
                a_name_and_capabilities_stay(&speech),
                a_job_outlives_the_instance_that_submitted_it(&speech),
            ]
        } }
    };
}

fn since() -> DateTime<Utc> {
    TestClock::at_noon().now()
}

/// A job comes to its end by being asked for.
pub async fn a_submitted_job_is_at_last_finished(speech: &Speech) {
    let job = speech.submit().await;
    assert!(!job.provider_id.is_empty());
    speech.finish(&job).await;
    let again = speech.engine.poll(&job.provider_id, PATIENCE, since(), 0.5).await;
    assert_eq!(again, Ok(PollAnswer::Finished), "it stays finished");
}

/// A result has text, and words that begin one after the other, within the recording.
pub async fn a_result_has_text_and_words_in_their_order(speech: &Speech) {
    let job = speech.submit().await;
    speech.finish(&job).await;
    let transcript = speech.result(&*speech.engine, &job).await;
    assert!(!transcript.text.trim().is_empty());
    assert!(!transcript.words.is_empty());
    let end = transcript.duration_ms.unwrap_or(u64::MAX);
    for word in &transcript.words {
        assert!(!word.text.is_empty());
        assert!(word.start_ms <= word.end_ms && word.end_ms <= end, "{word:?} within {end} ms");
    }
    assert!(transcript.words.is_sorted_by_key(|word| word.start_ms));
}

/// Reading a result does not use it up.
pub async fn a_result_is_read_again_as_it_was(speech: &Speech) {
    let job = speech.submit().await;
    speech.finish(&job).await;
    let first = speech.result(&*speech.engine, &job).await;
    assert_eq!(speech.result(&*speech.engine, &job).await, first);
}

/// No two jobs have one name, be they submitted one after the other or at once.
pub async fn every_submission_has_a_name_of_its_own(speech: &Speech) {
    let mut names = BTreeSet::new();
    for _ in 0..3 {
        names.insert(speech.submit().await.provider_id);
    }
    let at_once = join_all((0..5).map(|_| speech.submit())).await;
    names.extend(at_once.into_iter().map(|job| job.provider_id));
    assert_eq!(names.len(), 8, "{names:?}");
}

/// A job that the engine does not know is missing; nobody waits for it.
pub async fn an_unknown_job_is_not_waited_for(speech: &Speech) {
    match speech.engine.poll(UNKNOWN, 0, since(), 0.5).await {
        Ok(PollAnswer::Failed(error)) => assert_eq!(error.code, FailureCode::ProviderJobMissing),
        Ok(answer) => panic!("nobody submitted it: {answer:?}"),
        Err(_) => {}
    }
}

/// A job that the engine does not know has no result.
pub async fn an_unknown_job_has_no_result(speech: &Speech) {
    let result = speech.engine.result(UNKNOWN, &speech.video_url).await;
    assert!(result.is_err(), "nobody submitted it: {result:?}");
}

/// Erasing what is erased already is no error.
pub async fn a_job_is_erased_however_often(speech: &Speech) {
    let job = speech.submit().await;
    speech.finish(&job).await;
    for _ in 0..3 {
        assert_eq!(speech.engine.erase(&job.provider_id).await, Ok(()));
    }
}

/// Erasing what was never there is no error.
pub async fn an_unknown_job_is_erased(speech: &Speech) {
    assert_eq!(speech.engine.erase(UNKNOWN).await, Ok(()));
}

/// However often was asked, and whatever the clocks say: nobody is told to ask in the past.
pub async fn a_pause_is_never_negative(speech: &Speech) {
    let job = speech.submit().await;
    assert!(job.check_after >= TimeDelta::zero(), "{job:?}");
    for polls in [0, 1, 2, 3, 4, 10, u32::MAX] {
        for age in [TimeDelta::days(-400), TimeDelta::zero(), TimeDelta::days(400)] {
            for jitter in [0.0, 0.5, 0.999_999] {
                let since = since() - age;
                let answer = speech.engine.poll(&job.provider_id, polls, since, jitter).await;
                if let PollAnswer::Pending { check_after } = answer.expect("the engine answers") {
                    assert!(check_after >= TimeDelta::zero(), "{check_after} after {polls}");
                }
            }
        }
    }
}

/// Jobs are kept under the name, and planned by the capabilities.
pub async fn a_name_and_capabilities_stay(speech: &Speech) {
    let before = (speech.engine.name(), speech.engine.capabilities());
    assert!(!before.0.is_empty());
    let job = speech.submit().await;
    speech.finish(&job).await;
    for engine in [&speech.engine, &speech.restarted] {
        assert_eq!((engine.name(), engine.capabilities()), before);
    }
}

/// After a restart there is the name of the job, and it is enough.
pub async fn a_job_outlives_the_instance_that_submitted_it(speech: &Speech) {
    let job = speech.submit().await;
    speech.finish(&job).await;
    let first = speech.result(&*speech.engine, &job).await;
    let polled = speech.restarted.poll(&job.provider_id, 0, since(), 0.5).await;
    assert_eq!(polled, Ok(PollAnswer::Finished));
    assert_eq!(speech.result(&*speech.restarted, &job).await, first);
    assert_eq!(speech.restarted.erase(&job.provider_id).await, Ok(()));
}
