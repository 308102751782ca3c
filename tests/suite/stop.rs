//! An orderly end under load.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use black_box_tests::{Setup, service::PATIENCE};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

const USERS: usize = 4;
const JOBS_BEFORE: usize = 20;

#[tokio::test]
async fn an_end_under_load_answers_what_was_asked_and_loses_no_job() -> anyhow::Result<()> {
    let mut service = Setup::new()?.with("MOCK_DELAY_MS", "400").start().await?;
    let mut accounts = Vec::new();
    for user in 0..USERS {
        accounts.push(service.client().account(&format!("user{user}@example.com")).await?);
    }

    let accepted = Arc::new(AtomicUsize::new(0));
    let mut asking = JoinSet::new();
    for (user, account) in accounts.iter().cloned().enumerate() {
        let accepted = Arc::clone(&accepted);
        // Each asks for one job after the other until the service is gone.
        asking.spawn(async move {
            let mut ids = Vec::new();
            let mut statuses = BTreeSet::new();
            for at in 0.. {
                let url = format!("https://media.example.com/{user}/{at}.wav");
                let Ok(answer) = account.create(&url).await else { break };
                statuses.insert(answer.status);
                if answer.status != 201 {
                    continue;
                }
                accepted.fetch_add(1, Ordering::Relaxed);
                ids.push(answer.word("id").map(str::to_owned));
            }
            (user, ids, statuses)
        });
    }
    let deadline = Instant::now() + PATIENCE;
    while accepted.load(Ordering::Relaxed) < JOBS_BEFORE {
        ensure!(Instant::now() < deadline, "nothing is accepted:\n{}", service.log()?);
        sleep(Duration::from_millis(5)).await;
    }
    let ended = service.terminate(Duration::from_secs(30)).await?;
    ensure!(ended.code() == Some(0), "{ended}:\n{}", service.log()?);

    let answered = asking.join_all().await;
    service.restart().await?;
    let mut count = 0;
    for (user, ids, statuses) in answered {
        ensure!(statuses.is_subset(&BTreeSet::from([201, 503])), "{statuses:?}");
        for id in ids {
            let ended = accounts[user].until_ended(&id?).await?;
            ensure!(ended.json["status"] == "completed", "{}", ended.text);
            ensure!(ended.json["retry_count"] == 0, "{}", ended.text);
            count += 1;
        }
    }
    println!("{count} jobs accepted before and during the end, all completed after it");
    accounts.first().context("an account")?.until_idle(PATIENCE).await
}
