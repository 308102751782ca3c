//! What the server remembers.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::{File, OpenOptions},
    io::{self, Write},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use chrono::{DateTime, SubsecRound, Utc};
use serde_json::{Map, Value, json};

use super::{
    Endpoint, FakeOptions, Fault,
    job::{Ending, Job},
};
use crate::fixtures;

/// An accepted job, as the ledger has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// The server's name for the job.
    pub id: String,
    /// The audio it was asked to transcribe.
    pub audio_url: String,
    /// The SHA-256 of the upload behind `audio_url`, if it is one.
    pub sha256: Option<String>,
    /// When it was accepted.
    pub at: DateTime<Utc>,
    /// The whole body of the request.
    pub params: Map<String, Value>,
}

/// An upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// The server's name for it.
    pub url: String,
    /// How many bytes were received.
    pub bytes: u64,
    /// The SHA-256 of the bytes received, in lower-case hexadecimal.
    pub sha256: String,
    /// The header `Content-Length`, if it was sent.
    pub content_length: Option<u64>,
    /// The kind of file that the first bytes look like.
    pub(super) looks_like: &'static str,
}

#[derive(Debug)]
struct Memory {
    jobs: Vec<Job>,
    uploads: Vec<Uploaded>,
    ledger: Vec<Accepted>,
    faults: BTreeMap<Endpoint, VecDeque<Fault>>,
    requests: BTreeMap<Endpoint, usize>,
    processing: Duration,
    list_lag: Duration,
    file: Option<File>,
}

/// The memory of the server, and its options.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: FakeOptions,
    pub(super) base_url: String,
    memory: Mutex<Memory>,
}

impl Shared {
    pub(super) fn new(options: FakeOptions, base_url: String) -> io::Result<Self> {
        let file = match &options.ledger {
            Some(path) => Some(OpenOptions::new().create(true).append(true).open(path)?),
            None => None,
        };
        let memory = Memory {
            jobs: Vec::new(),
            uploads: Vec::new(),
            ledger: Vec::new(),
            faults: BTreeMap::new(),
            requests: BTreeMap::new(),
            processing: options.processing,
            list_lag: options.list_lag,
            file,
        };
        Ok(Self { options, base_url, memory: Mutex::new(memory) })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn script(&self, endpoint: Endpoint, fault: Fault) {
        self.memory().faults.entry(endpoint).or_default().push_back(fault);
    }

    pub(super) fn set_processing(&self, processing: Duration) {
        self.memory().processing = processing;
    }

    pub(super) fn set_list_lag(&self, list_lag: Duration) {
        self.memory().list_lag = list_lag;
    }

    pub(super) fn catch_up(&self) {
        let mut memory = self.memory();
        memory.list_lag = Duration::ZERO;
        memory.jobs.iter_mut().for_each(|job| job.list_lag = Duration::ZERO);
    }

    /// Counts a request and takes the fault that it meets.
    pub(super) fn arrive(&self, endpoint: Endpoint) -> Option<Fault> {
        let mut memory = self.memory();
        *memory.requests.entry(endpoint).or_default() += 1;
        memory.faults.get_mut(&endpoint).and_then(VecDeque::pop_front)
    }

    pub(super) fn requests(&self, endpoint: Endpoint) -> usize {
        self.memory().requests.get(&endpoint).copied().unwrap_or(0)
    }

    pub(super) fn ledger(&self) -> Vec<Accepted> {
        self.memory().ledger.clone()
    }

    pub(super) fn uploads(&self) -> Vec<Uploaded> {
        self.memory().uploads.clone()
    }

    pub(super) fn keep_upload(&self, upload: Uploaded) {
        self.memory().uploads.push(upload);
    }

    /// Every job, oldest first.
    pub(super) fn jobs(&self) -> Vec<Job> {
        self.memory().jobs.clone()
    }

    pub(super) fn find<T>(&self, id: &str, read: impl FnOnce(&mut Job) -> T) -> Option<T> {
        self.memory().jobs.iter_mut().find(|job| job.id == id).map(read)
    }

    /// Accepts a job: it is in the ledger, and on the disk, when this returns.
    ///
    /// # Errors
    /// When the ledger file cannot be written.
    pub(super) fn accept(
        &self,
        params: Map<String, Value>,
        fault: Option<&Fault>,
    ) -> io::Result<Job> {
        let mut memory = self.memory();
        let audio_url =
            params.get("audio_url").and_then(Value::as_str).unwrap_or_default().to_owned();
        // An upload goes with the job that was made of it.
        let gone = memory.jobs.iter().any(|job| job.deleted && job.audio_url == audio_url);
        let upload = memory.uploads.iter().find(|upload| upload.url == audio_url && !gone).cloned();
        let job = Job {
            id: random_uuid(),
            accepted: Instant::now(),
            created: now(),
            processing: memory.processing,
            list_lag: if let Some(Fault::ListLag(lag)) = fault { *lag } else { memory.list_lag },
            ending: match fault {
                Some(Fault::JobError { text }) => Ending::Error(text.clone()),
                _ => ending(upload.as_ref(), &audio_url),
            },
            deleted: false,
            webhook_status: None,
            audio_url,
            params,
        };
        let accepted = Accepted {
            id: job.id.clone(),
            audio_url: job.audio_url.clone(),
            sha256: upload.map(|upload| upload.sha256),
            at: job.created,
            params: job.params.clone(),
        };
        if let Some(file) = &mut memory.file {
            let line = json!({
                "id": accepted.id,
                "audio_url": accepted.audio_url,
                "sha256": accepted.sha256,
                "at": accepted.at,
            });
            file.write_all(format!("{line}\n").as_bytes())?;
            file.sync_data()?;
        }
        memory.ledger.push(accepted);
        memory.jobs.push(job.clone());
        Ok(job)
    }
}

fn ending(upload: Option<&Uploaded>, audio_url: &str) -> Ending {
    let Some(upload) = upload else {
        return Ending::Error(format!(
            "Download error, unable to download {audio_url}. Please make sure the file exists and \
             is accessible from the internet."
        ));
    };
    fixtures::by_sha256(&upload.sha256).map_or_else(
        || {
            Ending::Error(format!(
                "File does not appear to contain audio. File type is {}.",
                upload.looks_like
            ))
        },
        Ending::Text,
    )
}

/// A random name for a job or an upload.
pub(super) fn random_uuid() -> String {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).expect("the system gives random bytes");
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// The time of this machine: the server is a world of its own, outside the service's clock.
fn now() -> DateTime<Utc> {
    DateTime::<Utc>::from(SystemTime::now()).trunc_subsecs(6)
}
