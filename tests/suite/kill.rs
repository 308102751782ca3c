//! What survives `kill -9`: every accepted job ends once, completed; none is lost, none invented.
//!
//! The process dies, the machine does not: this shows nothing about power failures.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context, ensure};
use black_box_tests::{Account, Chance, Service, Setup, service::PATIENCE};
use serde_json::Value;
use tokio::{sync::mpsc, task::JoinSet, time::sleep};

/// Between two checks a job sees this many kills, and thus can never have lost three holders,
/// after which the engine would rightly take the job itself for the cause.
const KILLS_A_ROUND: usize = 2;
const ROUNDS: usize = 25;
const USERS: usize = 4;
const JOBS_A_KILL: usize = 8;
const MOCK_DELAY_MS: u64 = 300;

/// A transcription that was asked for.
struct Attempt {
    user: usize,
    video_url: String,
    /// Its identifier, if the service said that it accepted it.
    accepted: Option<String>,
}

/// What is known of the run.
struct Run {
    chance: Chance,
    service: Service,
    accounts: Vec<Account>,
    attempts: Vec<Attempt>,
    /// How the accepted jobs ended, as they were first seen to.
    ended: BTreeMap<String, Value>,
}

#[tokio::test]
async fn fifty_kills_lose_no_job_and_finish_none_twice() -> anyhow::Result<()> {
    let mut run = Run::begin().await?;
    for _ in 0..ROUNDS {
        for _ in 0..KILLS_A_ROUND {
            run.kill_in_the_middle_of_jobs().await?;
        }
        run.drain().await?;
    }
    run.check().await
}

impl Run {
    async fn begin() -> anyhow::Result<Self> {
        let service = Setup::new()?
            .with("JOB_LEASE_SECONDS", "2")
            .with("MOCK_DELAY_MS", &MOCK_DELAY_MS.to_string())
            .with("LOG_LEVEL", "warn")
            .start()
            .await?;
        let mut accounts = Vec::new();
        for user in 0..USERS {
            accounts.push(service.client().account(&format!("user{user}@example.com")).await?);
        }
        let (attempts, ended) = (Vec::new(), BTreeMap::new());
        Ok(Self { chance: Chance::from_environment(), service, accounts, attempts, ended })
    }

    /// Asks for jobs over a while, and kills the process at a random moment after the first of them
    /// was accepted: some jobs are then being written, some claimed, some at the engine, some about
    /// to be stored.
    async fn kill_in_the_middle_of_jobs(&mut self) -> anyhow::Result<()> {
        let (first, mut accepted) = mpsc::channel(JOBS_A_KILL);
        let mut asking = JoinSet::new();
        for at in 0..JOBS_A_KILL {
            let user = at % USERS;
            let account = self.accounts[user].clone();
            let video_url = format!("https://media.example.com/{}.wav", self.attempts.len() + at);
            // One is early, so that something is accepted; the others are spread.
            let delay = if at == 0 { 0 } else { self.chance.below(MOCK_DELAY_MS) };
            let first = first.clone();
            asking.spawn(async move {
                sleep(Duration::from_millis(delay)).await;
                let answer = account.create(&video_url).await;
                let id = answer.ok().filter(|answer| answer.status == 201);
                let id = id.and_then(|answer| answer.word("id").map(str::to_owned).ok());
                if id.is_some() {
                    first.send(()).await.ok();
                }
                Attempt { user, video_url, accepted: id }
            });
        }
        drop(first);
        accepted.recv().await.context("nothing was accepted")?;
        sleep(Duration::from_millis(self.chance.below(MOCK_DELAY_MS + 100))).await;
        self.service.kill().await?;
        self.attempts.extend(asking.join_all().await);
        self.service.restart().await
    }

    /// Waits until no job is alive, and notes how each ended.
    async fn drain(&mut self) -> anyhow::Result<()> {
        for account in &self.accounts {
            account.until_idle(PATIENCE).await.with_context(|| self.service.log_or_empty())?;
        }
        for attempt in &self.attempts {
            if let Some(id) = &attempt.accepted
                && !self.ended.contains_key(id)
            {
                let answer = self.accounts[attempt.user].transcription(id).await?.expect(200)?;
                self.ended.insert(id.clone(), answer.json);
            }
        }
        Ok(())
    }

    async fn check(&self) -> anyhow::Result<()> {
        let mut listed = BTreeSet::new();
        let mut crashed = 0;
        for (user, account) in self.accounts.iter().enumerate() {
            let mut asked: BTreeMap<&str, Option<&str>> = BTreeMap::new();
            for attempt in self.attempts.iter().filter(|attempt| attempt.user == user) {
                asked.insert(&attempt.video_url, attempt.accepted.as_deref());
            }
            for item in account.list().await? {
                let id = item["id"].as_str().context("an item has an id")?.to_owned();
                let url = item["video_url"].as_str().context("an item has a video_url")?;
                let accepted = asked.remove(url).with_context(|| format!("{url} made twice"))?;
                ensure!(accepted.is_none_or(|said| said == id), "{url} has two ids");
                ensure!(item["status"] == "completed", "{item}");
                crashed += usize::from(item["retry_count"] != 0);
                listed.insert(id);
            }
        }
        let accepted: Vec<_> = self.attempts.iter().filter(|a| a.accepted.is_some()).collect();
        for attempt in &accepted {
            let id = attempt.accepted.as_deref().unwrap_or_default();
            ensure!(listed.contains(id), "{id} is lost");
            let now = self.accounts[attempt.user].transcription(id).await?.expect(200)?;
            ensure!(self.ended.get(id) == Some(&now.json), "{id} changed after its end");
            ensure!(now.json["error"].is_null(), "{}", now.text);
            ensure!(now.word("text")?.contains(&attempt.video_url), "{id} has another's text");
        }
        println!(
            "{} kills; {} asked for, {} accepted, {} completed; {crashed} were held by a process \
             that was killed",
            ROUNDS * KILLS_A_ROUND,
            self.attempts.len(),
            accepted.len(),
            listed.len(),
        );
        ensure!(crashed > 0, "no kill hit a job that was being worked on: nothing was tested");
        Ok(())
    }
}
