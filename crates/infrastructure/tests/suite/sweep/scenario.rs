//! What is asked of the service in a run, and how the world outside behaves meanwhile.

use std::time::Duration;

use domain::{Stage, TranscriptionId};
use testkit::{
    assemblyai::{Endpoint, FakeAssemblyAi, Fault},
    fixtures::{self, Recording},
};
use uuid::Uuid;

/// Long enough for a heartbeat to fall into it.
const SLOW: Duration = Duration::from_millis(700);

/// How long the list does not show a job: shorter than it is looked for.
const LAG: Duration = Duration::from_millis(2_500);

/// What the owner of a job does about it later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Regret {
    Cancels,
    Deletes,
}

/// How far a job is when its owner thinks better of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    At(Stage),
    /// A request has left, and is not answered.
    Sent,
}

/// A job that is asked for.
#[derive(Debug)]
pub(super) struct Asked {
    /// What is to be heard.
    pub(super) recording: &'static str,
    /// When its owner thinks better of it, and what is done about it.
    pub(super) regret: Option<(When, Regret)>,
    /// Whether the source or the engine has a reason to make it fail.
    pub(super) may_fail: bool,
    /// Whether its source cannot be reached at first.
    pub(super) stumbles: bool,
}

const PLAIN: Asked = Asked { recording: "mary", regret: None, may_fail: false, stumbles: false };

/// One way for things to go.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) jobs: &'static [Asked],
    /// Tells the engine what to do.
    prepare: fn(&FakeAssemblyAi),
    /// Whether the service is stopped in good order, and started again, in the middle.
    pub(super) drains: bool,
    /// Whether somebody calls back about every submission whose answer is not known.
    pub(super) calls_back: bool,
}

const CALM: Scenario =
    Scenario { name: "", jobs: &[PLAIN], prepare: |_| {}, drains: false, calls_back: false };

pub(super) static SCENARIOS: [Scenario; 12] = [
    Scenario {
        name: "all-is-well",
        jobs: &[
            PLAIN,
            Asked { recording: "goforward", ..PLAIN },
            Asked { recording: "espeak1", ..PLAIN },
        ],
        prepare: |fake| fake.script(Endpoint::Upload, Fault::Hang(SLOW)),
        ..CALM
    },
    Scenario {
        name: "the-answer-is-lost",
        prepare: |fake| fake.script(Endpoint::Create, Fault::AcceptThenCut),
        ..CALM
    },
    Scenario {
        name: "the-list-lags",
        prepare: |fake| {
            fake.set_list_lag(LAG);
            fake.script(Endpoint::Create, Fault::AcceptThenCut);
        },
        calls_back: true,
        ..CALM
    },
    Scenario {
        name: "the-request-is-lost",
        prepare: |fake| fake.script(Endpoint::Create, Fault::Cut),
        ..CALM
    },
    Scenario {
        name: "the-engine-fails-once",
        prepare: |fake| {
            let text = "Server error, developers have been alerted.".to_owned();
            fake.script(Endpoint::Create, Fault::JobError { text });
        },
        ..CALM
    },
    Scenario {
        name: "the-engine-hears-nothing",
        jobs: &[Asked { may_fail: true, ..PLAIN }],
        prepare: |fake| {
            let text = "File does not appear to contain audio.".to_owned();
            fake.script(Endpoint::Create, Fault::JobError { text });
        },
        ..CALM
    },
    Scenario {
        name: "the-engine-refuses",
        jobs: &[Asked { may_fail: true, ..PLAIN }],
        prepare: |fake| fake.script(Endpoint::Create, Fault::refusal(400, "we do not like it")),
        ..CALM
    },
    Scenario {
        name: "the-engine-loses-the-upload",
        prepare: |fake| {
            let lost = Fault::refusal(400, "Cannot access uploaded file");
            fake.script(Endpoint::Create, lost);
        },
        ..CALM
    },
    Scenario {
        name: "the-engine-wants-to-be-paid",
        prepare: |fake| fake.script(Endpoint::Create, Fault::NegativeBalance),
        ..CALM
    },
    Scenario { name: "the-source-stumbles", jobs: &[Asked { stumbles: true, ..PLAIN }], ..CALM },
    Scenario {
        name: "the-service-is-restarted",
        prepare: |fake| fake.script(Endpoint::Upload, Fault::Hang(SLOW)),
        drains: true,
        ..CALM
    },
    Scenario {
        name: "owners-think-better-of-it",
        jobs: &[
            Asked { regret: Some((When::At(Stage::Fetching), Regret::Cancels)), ..PLAIN },
            Asked { regret: Some((When::Sent, Regret::Cancels)), ..PLAIN },
            Asked { regret: Some((When::At(Stage::Transcribing), Regret::Cancels)), ..PLAIN },
            Asked { regret: Some((When::Sent, Regret::Deletes)), ..PLAIN },
        ],
        prepare: |fake| {
            for _ in 0..4 {
                fake.script(Endpoint::Create, Fault::Hang(SLOW));
            }
        },
        ..CALM
    },
];

impl Scenario {
    pub(super) fn by_name(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }

    pub(super) fn prepare(&self, fake: &FakeAssemblyAi) {
        (self.prepare)(fake);
    }
}

impl Asked {
    pub(super) fn recording(&self) -> &'static Recording {
        fixtures::by_name(self.recording).expect("a fixture")
    }
}

/// The name of the job that was asked for at `place`, in every process of a run.
pub(super) fn id(place: usize) -> TranscriptionId {
    TranscriptionId::from_uuid(Uuid::from_u128(
        0x0190_0000_0000_7000_8000_0000_0000_0100 + place as u128,
    ))
}

/// What goes with the job to the engine, and tells there which one it is.
pub(super) fn mark(place: usize) -> String {
    format!("mark {place}")
}
