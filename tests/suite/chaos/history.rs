//! What is known of a run: from the clients, from the database, and from the engine.

use std::{collections::BTreeMap, fmt};

use anyhow::{Context, bail};
use serde_json::Value;

/// Everything that the rules are held against.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    /// What was asked for, by the mark that goes with each job to the engine.
    pub(super) asked: BTreeMap<String, Asked>,
    /// What each client read, in order.
    pub(super) reads: Vec<Vec<Read>>,
    /// Answers that no client may get, whatever fails.
    pub(super) bad_answers: Vec<String>,
    /// Every change of a job, a transcription or a submission that was committed, in order.
    pub(super) changes: Vec<Change>,
    /// What the engine accepted.
    pub(super) accepted: Vec<Accepted>,
    /// What is left when all has come to rest.
    pub(super) left: Vec<String>,
}

/// A transcription that a client asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// Its identifier, if the service said that it accepted it.
    pub(super) id: Option<String>,
    pub(super) cancel: Order,
    pub(super) delete: Order,
    /// What the service says at last, unless it was deleted.
    pub(super) end: Option<End>,
}

/// What became of a call that ends a transcription.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Order {
    #[default]
    NotGiven,
    /// Without an answer, or refused: it may have been carried out.
    Given,
    /// The service said that it is done.
    Done,
}

/// How a transcription ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub(super) status: String,
    pub(super) code: Option<String>,
    /// Whether it holds what is said in the recording, and nothing else.
    pub(super) text_is_right: bool,
}

/// What a client was told of a job.
#[derive(Debug, Clone)]
pub(super) struct Read {
    pub(super) job: String,
    pub(super) status: String,
    pub(super) stage: Option<String>,
}

/// What the engine accepted.
#[derive(Debug, Clone)]
pub(super) struct Accepted {
    pub(super) mark: String,
    /// In microseconds since 1970, as all instants here.
    pub(super) at: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Jobs,
    Transcriptions,
    Submissions,
}

/// A committed change of a row.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) at: i64,
    /// Which process made it.
    pub(super) who: String,
    /// Changes of one transaction have the same.
    pub(super) transaction: i64,
    pub(super) table: Table,
    pub(super) job: String,
    /// Whether the lease that the row told of had ended.
    pub(super) expired: bool,
    /// `None` for a new row.
    pub(super) before: Option<Value>,
    /// `None` for a row that goes.
    pub(super) after: Option<Value>,
}

impl Change {
    /// Reads a line of the witness.
    ///
    /// # Errors
    /// When it is not one.
    pub(super) fn parse(line: &str) -> anyhow::Result<Self> {
        let line: Value = serde_json::from_str(line).context("a change is JSON")?;
        let word = |name: &str| line[name].as_str().map(str::to_owned);
        let number = |name: &str| line[name].as_i64().with_context(|| format!("no {name}: {line}"));
        let row = |name: &str| Some(&line[name]).filter(|row| !row.is_null()).cloned();
        Ok(Self {
            at: number("at")?,
            who: word("who").context("a change has an author")?,
            transaction: number("tx")?,
            table: match word("relation").as_deref() {
                Some("jobs") => Table::Jobs,
                Some("transcriptions") => Table::Transcriptions,
                Some("provider_submissions") => Table::Submissions,
                _ => bail!("of which table is {line}"),
            },
            job: word("job").context("a change is of a job")?,
            expired: line["expired"] == true,
            before: row("before"),
            after: row("after"),
        })
    }

    /// A column before the change; empty where there is none.
    pub(super) fn word_before(&self, column: &str) -> &str {
        self.before.as_ref().and_then(|row| row[column].as_str()).unwrap_or_default()
    }

    /// A column after the change; empty where there is none.
    pub(super) fn word_after(&self, column: &str) -> &str {
        self.after.as_ref().and_then(|row| row[column].as_str()).unwrap_or_default()
    }

    pub(super) fn number_before(&self, column: &str) -> i64 {
        self.before.as_ref().and_then(|row| row[column].as_i64()).unwrap_or_default()
    }

    pub(super) fn number_after(&self, column: &str) -> i64 {
        self.after.as_ref().and_then(|row| row[column].as_i64()).unwrap_or_default()
    }

    /// The mark of a transcription.
    pub(super) fn mark(&self) -> &str {
        let row = self.after.as_ref().or(self.before.as_ref());
        row.and_then(|row| row["metadata"]["mark"].as_str()).unwrap_or_default()
    }
}

/// For whoever has to find out what happened.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row =
            |row: &Option<Value>| row.as_ref().map_or_else(|| "-".to_owned(), Value::to_string);
        let Self { at, who, transaction, table, .. } = self;
        write!(
            f,
            "{at} {transaction} {who} {table:?}: {} => {}",
            row(&self.before),
            row(&self.after)
        )
    }
}

/// How far a status and a stage are: what is further never goes back.
pub(super) fn rank(status: &str, stage: &str) -> usize {
    const STAGES: [&str; 5] = ["fetching", "uploading", "submitting", "transcribing", "storing"];
    match status {
        "pending" => 0,
        "processing" => 1 + STAGES.iter().position(|known| *known == stage).unwrap_or_default(),
        _ => 1 + STAGES.len(),
    }
}

/// Whether nothing follows this status.
pub(super) fn is_terminal(status: &str) -> bool {
    ["completed", "failed", "canceled"].contains(&status)
}
