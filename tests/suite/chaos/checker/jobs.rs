//! Rules about how a job moves in the database.

use super::{
    super::history::{Change, Table, is_terminal, rank},
    Findings, Rule,
};

pub(super) fn check(job: &str, changes: &[&Change], findings: &mut Findings) {
    let mut walk = Walk { job, holder: None, epoch: 0, changes, findings };
    for change in changes {
        match change.table {
            Table::Jobs => walk.job_row(change),
            Table::Transcriptions => walk.transcription(change),
            Table::Submissions => {}
        }
    }
    let count = |table, is: fn(&Change) -> bool| {
        changes.iter().filter(|change| change.table == table && is(change)).count()
    };
    for (table, name) in [(Table::Jobs, "job"), (Table::Transcriptions, "transcription")] {
        let made = count(table, |change| change.before.is_none());
        if made > 1 {
            findings.add(Rule::NoJobIsInvented, format!("{job}: the {name} was made {made} times"));
        }
    }
    let completed = count(Table::Transcriptions, |change| {
        change.word_after("status") == "completed" && change.word_before("status") != "completed"
    });
    if completed > 1 {
        let what = format!("{job} was completed {completed} times");
        findings.add(Rule::NoStageTakesEffectTwice, what);
    }
}

/// Whether a lease was taken from its holder.
pub(super) fn is_reaped(change: &Change) -> bool {
    if change.word_before("state") != "leased" {
        return false;
    }
    match &change.after {
        Some(_) => change.number_after("crashes") > change.number_before("crashes"),
        // Given up, rather than handed on.
        None => change.expired && change.number_before("crashes") == 2,
    }
}

struct Walk<'a> {
    job: &'a str,
    /// Which process holds the job.
    holder: Option<&'a str>,
    /// The highest epoch that was handed out.
    epoch: i64,
    changes: &'a [&'a Change],
    findings: &'a mut Findings,
}

impl<'a> Walk<'a> {
    fn add(&mut self, rule: Rule, what: &str) {
        self.findings.add(rule, format!("{}: {what}", self.job));
    }

    fn job_row(&mut self, change: &'a Change) {
        if change.before.is_none() {
            return;
        }
        if change.after.is_none() {
            return self.goes(change);
        }
        match (change.word_before("state"), change.word_after("state")) {
            ("ready", "leased") => self.claimed(change),
            ("leased", "leased") => self.held(change),
            ("leased", _) => self.let_go(change),
            ("scheduled" | "waiting", "ready")
            | ("waiting", "scheduled")
            | ("ready" | "scheduled", "waiting") => {}
            (from, to) => self.add(Rule::OnlyKnownWays, &format!("a job went from {from} to {to}")),
        }
        let stage = |stage| rank("processing", stage);
        if stage(change.word_after("stage")) < stage(change.word_before("stage")) {
            let (from, to) = (change.word_before("stage"), change.word_after("stage"));
            self.add(Rule::OnlyKnownWays, &format!("its stage fell from {from} to {to}"));
        }
    }

    fn claimed(&mut self, change: &'a Change) {
        let epoch = change.number_after("epoch");
        if epoch <= self.epoch {
            let what = format!("epoch {epoch} was handed out after {}", self.epoch);
            self.add(Rule::NoStageTakesEffectTwice, &what);
        }
        self.epoch = self.epoch.max(epoch);
        self.holder = Some(&change.who);
    }

    fn held(&mut self, change: &Change) {
        if change.word_before("lease_owner") != change.word_after("lease_owner") {
            self.add(Rule::OnlyTheHolderActs, "a lease changed hands without a claim");
        }
        self.by_the_holder(change);
    }

    fn let_go(&mut self, change: &Change) {
        if !is_reaped(change) {
            self.by_the_holder(change);
        } else if !change.expired {
            self.add(Rule::OnlyTheHolderActs, "a lease was taken that had not ended");
        }
        self.holder = None;
    }

    fn goes(&mut self, change: &Change) {
        let end = self.changes.iter().find(|other| {
            other.table == Table::Transcriptions && other.transaction == change.transaction
        });
        let Some(end) = end else {
            return self.add(Rule::NoJobIsLost, "a job went, and its transcription stayed");
        };
        let called_off = end.after.is_none() || end.word_after("status") == "canceled";
        let given_up = end.word_after("status") == "failed" && change.expired;
        if change.word_before("state") == "leased" && !called_off && !given_up {
            self.by_the_holder(change);
        }
        if end.after.is_some() && !is_terminal(end.word_after("status")) {
            self.add(Rule::NoJobIsLost, "a job went before its transcription had ended");
        }
        self.holder = None;
    }

    fn by_the_holder(&mut self, change: &Change) {
        if self.holder != Some(&change.who) {
            let what = format!(
                "{} moved it from {} to {} while {} held it",
                change.who,
                change.word_before("stage"),
                change.word_after("stage"),
                self.holder.unwrap_or("nobody"),
            );
            self.add(Rule::OnlyTheHolderActs, &what);
        }
    }

    fn transcription(&mut self, change: &Change) {
        if change.after.is_none() || change.before.is_none() {
            return;
        }
        let (from, to) = (change.word_before("status"), change.word_after("status"));
        let known = match (from, to) {
            ("pending", "processing" | "failed" | "canceled") => true,
            ("processing", to) => to == "processing" || is_terminal(to),
            _ => false,
        };
        if !known {
            self.add(Rule::OnlyKnownWays, &format!("its status went from {from} to {to}"));
        }
        if rank(to, change.word_after("stage")) < rank(from, change.word_before("stage")) {
            self.add(Rule::OnlyKnownWays, &format!("it went back, from {from} to {to}"));
        }
    }
}
