//! Users who ask, read, cancel and delete, through whichever instance of the API comes first, and
//! write down what they were told.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use black_box_tests::{Account, Answer, Chance, Client};
use tokio::{task::JoinSet, time::sleep};

use super::{
    history::{Asked, End, History, Order, Read, is_terminal},
    world::World,
};
use crate::marks;

/// How many transcriptions of one user live at once.
const LIVE: usize = 6;
/// How long a user waits who was not served.
const WAIT: Duration = Duration::from_millis(500);

/// Users at work.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    users: JoinSet<User>,
}

/// One user, who does one thing after the other.
pub(super) struct User {
    number: usize,
    /// The account, as each instance of the API serves it.
    accounts: Vec<Account>,
    chance: Chance,
    media: String,
    wav: &'static [u8],
    live: Vec<Live>,
    asked: BTreeMap<String, Asked>,
    reads: Vec<Read>,
    bad_answers: Vec<String>,
}

/// A transcription that has not ended, as far as its user knows.
struct Live {
    mark: String,
    id: String,
}

impl Load {
    /// Lets so many users begin.
    pub(super) async fn start(
        world: &World,
        apis: &[Client],
        users: usize,
        chance: &mut Chance,
    ) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut load = Self { stop, users: JoinSet::new() };
        for number in 0..users {
            let account = apis[0].account(&format!("user{number}@example.com")).await?;
            let at = |client: &Client| Account { client: client.clone(), ..account.clone() };
            let user = User {
                number,
                accounts: apis.iter().map(at).collect(),
                chance: chance.split(),
                media: world.media.url(""),
                wav: world.recording.wav,
                live: Vec::new(),
                asked: BTreeMap::new(),
                reads: Vec::new(),
                bad_answers: Vec::new(),
            };
            let stop = Arc::clone(&load.stop);
            load.users.spawn(user.work(stop));
        }
        Ok(load)
    }

    /// Lets the users finish what they are at; returns them.
    pub(super) async fn stop(self) -> Vec<User> {
        self.stop.store(true, Ordering::Relaxed);
        self.users.join_all().await
    }
}

impl User {
    async fn work(mut self, stop: Arc<AtomicBool>) -> Self {
        while !stop.load(Ordering::Relaxed) {
            let wants = self.live.len() < LIVE && self.chance.below(3) == 0;
            if wants && !self.ask().await {
                sleep(WAIT).await;
            }
            match self.chance.below(100) {
                0..2 => self.end_one("cancel").await,
                2..4 => self.end_one("delete").await,
                _ => self.read().await,
            }
            sleep(Duration::from_millis(20 + self.chance.below(80))).await;
        }
        self
    }

    fn account(&mut self) -> Account {
        let at = self.chance.below(self.accounts.len() as u64);
        self.accounts[usize::try_from(at).unwrap_or_default()].clone()
    }

    /// One of the living.
    fn one(&mut self) -> Option<usize> {
        let count = self.live.len() as u64;
        (count > 0).then(|| usize::try_from(self.chance.below(count)).unwrap_or_default())
    }

    /// Asks for a transcription; `false` when it was not accepted, as far as the user can tell.
    async fn ask(&mut self) -> bool {
        let mark = format!("user {} job {}", self.number, self.asked.len());
        self.asked.insert(mark.clone(), Asked::default());
        let account = self.account();
        let answer = if self.chance.below(4) == 0 {
            marks::upload(&account, self.wav, &mark).await
        } else {
            let url = format!("{}{}-{}.wav", self.media, self.number, self.asked.len());
            marks::create(&account, &url, &mark).await
        };
        let id =
            self.sound(answer, &[201]).and_then(|answer| answer.word("id").map(str::to_owned).ok());
        let Some(id) = id else { return false };
        if let Some(asked) = self.asked.get_mut(&mark) {
            asked.id = Some(id.clone());
        }
        self.live.push(Live { mark, id });
        true
    }

    async fn read(&mut self) {
        let Some(at) = self.one() else { return };
        let id = self.live[at].id.clone();
        let account = self.account();
        let answer = account.transcription(&id).await;
        let Some(answer) = self.sound(answer, &[200]) else { return };
        let status = answer.json["status"].as_str().unwrap_or_default().to_owned();
        let stage = answer.json["stage"].as_str().map(str::to_owned);
        let ended = is_terminal(&status);
        self.reads.push(Read { job: id, status, stage });
        // What has ended is read now and then, too: it must stay as it is.
        if ended && self.chance.below(8) == 0 {
            self.live.swap_remove(at);
        }
    }

    async fn end_one(&mut self, how: &str) {
        let Some(at) = self.one() else { return };
        let Live { mark, id } = &self.live[at];
        let (mark, id) = (mark.clone(), id.clone());
        let account = self.account();
        let path = format!("/api/transcription/{id}");
        let token = Some(account.token.as_str());
        let (answer, done) = if how == "cancel" {
            let path = format!("{path}/cancel");
            (account.client.call(reqwest::Method::POST, &path, token).await, 200)
        } else {
            self.live.swap_remove(at);
            (account.client.call(reqwest::Method::DELETE, &path, token).await, 204)
        };
        // It ended by itself before; that is no order that was carried out.
        let refused = answer.as_ref().is_ok_and(|answer| answer.status == 409);
        let order = match self.sound(answer, &[done, 409]) {
            _ if refused => return,
            Some(_) => Order::Done,
            None => Order::Given,
        };
        if let Some(asked) = self.asked.get_mut(&mark) {
            let given = if how == "cancel" { &mut asked.cancel } else { &mut asked.delete };
            if *given != Order::Done {
                *given = order;
            }
        }
    }

    /// The answer, if it is one of these. Any other must say that the service is away for a while.
    fn sound(&mut self, answer: anyhow::Result<Answer>, wanted: &[u16]) -> Option<Answer> {
        let answer = answer.ok()?;
        if wanted.contains(&answer.status) {
            return Some(answer);
        }
        let waits = answer.header("retry-after").parse::<u32>().is_ok();
        if answer.status != 503 || !waits {
            self.bad_answers.push(format!("{} {}", answer.status, answer.text));
        }
        None
    }

    /// Waits until none of the transcriptions lives, and writes down how each ended.
    pub(super) async fn finish(
        mut self,
        patience: Duration,
        text: &str,
        history: &mut History,
    ) -> anyhow::Result<()> {
        let account = self.account();
        account.until_idle(patience).await?;
        for item in account.list().await? {
            let (id, mark) = (&item["id"], &item["metadata"]["mark"]);
            let id = id.as_str().context("an item has an id")?;
            let mark = mark.as_str().context("an item has its mark")?;
            let account = self.account();
            let told = account.transcription(id).await?.expect(200)?;
            let status = told.word("status")?.to_owned();
            let end = End {
                text_is_right: if status == "completed" {
                    told.word("text")? == text
                } else {
                    told.json["text"].is_null()
                },
                code: told.json["error"]["code"].as_str().map(str::to_owned),
                status,
            };
            self.asked.entry(mark.to_owned()).or_default().end = Some(end);
        }
        history.asked.extend(self.asked);
        history.reads.push(self.reads);
        history.bad_answers.extend(self.bad_answers);
        Ok(())
    }
}
