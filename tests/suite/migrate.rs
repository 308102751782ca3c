//! The command `migrate`, and what a start makes of the schema, on both databases.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, ensure};
use black_box_tests::{Ended, Setup};
use testkit::servers::{self, PostgresServer, TestDatabase};
use tokio::{task::JoinSet, time::sleep};

/// A start that finds steps which it may not take.
const PENDING: i32 = 3;

/// An argument, a setting or an answer is missing.
const MISUSED: i32 = 2;

/// A place for data, and what holds it.
struct Place {
    setup: Setup,
    _database: Option<TestDatabase>,
}

impl Place {
    fn sqlite() -> anyhow::Result<Self> {
        Ok(Self { setup: Setup::new()?, _database: None })
    }

    async fn postgres() -> anyhow::Result<Self> {
        let database = servers::empty_database().await;
        let setup = Setup::new()?.with("DATABASE_URL", &database.url());
        Ok(Self { setup, _database: Some(database) })
    }

    async fn both() -> anyhow::Result<[Self; 2]> {
        Ok([Self::sqlite()?, Self::postgres().await?])
    }
}

fn in_production(setup: &Setup) -> Setup {
    setup
        .clone()
        .without("RATE_LIMITS")
        .without("BCRYPT_COST")
        .with("ENVIRONMENT", "production")
        .with("SECRET_KEY", "Zk3vQ8mT5xWb2nR7yLc9dHf4jKs6pAg1eUo0iVtXwCz")
        .with("ENGINE", "mock")
}

async fn migrate(setup: &Setup, words: &[&str]) -> anyhow::Result<Ended> {
    setup.run(&[&["migrate"], words].concat()).await
}

async fn done(setup: &Setup, words: &[&str]) -> anyhow::Result<String> {
    let ended = migrate(setup, words).await?;
    ensure!(ended.code == Some(0), "{words:?}: {}", ended.output());
    Ok(ended.stdout)
}

/// How many steps are applied, and how many pending.
async fn counts(setup: &Setup) -> anyhow::Result<(usize, usize)> {
    let status = done(setup, &["status"]).await?;
    let count = |word| status.lines().filter(|line| line.starts_with(word)).count();
    Ok((count("applied "), count("pending ")))
}

#[tokio::test]
async fn the_schema_goes_up_and_down_by_command() -> anyhow::Result<()> {
    for place in Place::both().await? {
        let setup = &place.setup;
        let (none, all) = counts(setup).await?;
        assert!(none == 0 && all > 5, "{none} {all}");
        assert_eq!(done(setup, &["up"]).await?, format!("{all} applied\n"));
        assert_eq!(done(setup, &["up"]).await?, "0 applied\n");
        assert_eq!(done(setup, &["down"]).await?, "1 taken back\n");
        assert_eq!(done(setup, &["down", "--steps", "3"]).await?, "3 taken back\n");
        assert_eq!(counts(setup).await?, (all - 4, 4));
        assert_eq!(done(setup, &["down", "--all"]).await?, format!("{} taken back\n", all - 4));
        assert_eq!(done(setup, &["up"]).await?, format!("{all} applied\n"));

        let service = setup.clone().start().await?;
        service.client().account("ada@example.com").await?;
    }
    Ok(())
}

#[tokio::test]
async fn more_steps_than_there_are_cannot_be_taken_back() -> anyhow::Result<()> {
    for place in Place::both().await? {
        let setup = &place.setup;
        done(setup, &["up"]).await?;
        let before = done(setup, &["status"]).await?;
        let refused = migrate(setup, &["down", "--steps", "999"]).await?;
        assert_eq!(refused.code, Some(1), "{}", refused.output());
        let applied = before.lines().filter(|line| line.starts_with("applied")).count();
        assert!(refused.stderr.contains(&format!("{applied} applied")), "{}", refused.stderr);
        assert_eq!(done(setup, &["status"]).await?, before, "nothing was changed");
    }
    Ok(())
}

#[tokio::test]
async fn of_all_processes_that_migrate_at_once_one_takes_the_steps() -> anyhow::Result<()> {
    for place in Place::both().await? {
        let (_, all) = counts(&place.setup).await?;
        let mut racing = JoinSet::new();
        for _ in 0..5 {
            let setup = place.setup.clone();
            racing.spawn(async move { done(&setup, &["up"]).await });
        }
        let mut said = racing.join_all().await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        said.sort();
        let one = format!("{all} applied\n");
        assert_eq!(said, ["0 applied\n", "0 applied\n", "0 applied\n", "0 applied\n", &one]);
    }
    Ok(())
}

#[tokio::test]
async fn a_fresh_schema_has_no_data() -> anyhow::Result<()> {
    for place in Place::both().await? {
        let mut service = place.setup.clone().start().await?;
        service.client().account("ada@example.com").await?;
        service.terminate(Duration::from_secs(30)).await?;
        for words in [&["fresh"][..], &["down", "--all"]] {
            let refused = migrate(&place.setup, words).await?;
            assert_eq!(refused.code, Some(MISUSED), "{words:?}: {}", refused.output());
            assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);
        }
        let said = done(&place.setup, &["fresh", "--yes"]).await?;
        assert!(said.contains("applied to an empty schema"), "{said}");
        service.restart().await?;
        service.client().register("ada@example.com").await?.expect(201)?;
    }
    Ok(())
}

#[tokio::test]
async fn production_is_emptied_by_nobody_who_does_not_say_so() -> anyhow::Result<()> {
    for place in Place::both().await? {
        let setup = in_production(&place.setup);
        done(&setup, &["up"]).await?;
        let mut service = setup.clone().start().await?;
        service.client().register("ada@example.com").await?.expect(201)?;
        service.terminate(Duration::from_secs(30)).await?;
        for words in [&["fresh"][..], &["down"], &["down", "--all"]] {
            let refused = migrate(&setup, words).await?;
            assert_eq!(refused.code, Some(MISUSED), "{words:?}: {}", refused.output());
            assert!(refused.stderr.contains("--yes"), "{}", refused.stderr);
        }
        service.restart().await?;
        service.client().register("ada@example.com").await?.expect(409)?;
        service.terminate(Duration::from_secs(30)).await?;

        done(&setup, &["fresh", "--yes"]).await?;
        service.restart().await?;
        service.client().register("ada@example.com").await?.expect(201)?;
    }
    Ok(())
}

#[tokio::test]
async fn nothing_is_taken_back_under_a_service_that_holds_the_file() -> anyhow::Result<()> {
    let service = Setup::new()?.start().await?;
    let account = service.client().account("ada@example.com").await?;
    for words in [&["down"][..], &["down", "--all"], &["fresh"], &["fresh", "--yes"]] {
        let refused = migrate(service.setup(), words).await?;
        assert_eq!(refused.code, Some(1), "{words:?}: {}", refused.output());
        for said in ["stop the service first", "saas-ia.db.lock"] {
            assert!(refused.stderr.contains(said), "{words:?}: {}", refused.stderr);
        }
    }
    assert_eq!(counts(service.setup()).await?.1, 0, "it can be looked at meanwhile");
    assert_eq!(done(service.setup(), &["up"]).await?, "0 applied\n");
    account.get("/api/auth/me").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn nothing_is_taken_back_under_a_service_that_has_sessions() -> anyhow::Result<()> {
    let place = Place::postgres().await?;
    let service = place.setup.clone().start().await?;
    let account = service.client().account("ada@example.com").await?;
    for words in [&["down"][..], &["down", "--all"], &["fresh"]] {
        let refused = migrate(&place.setup, words).await?;
        assert_eq!(refused.code, Some(1), "{words:?}: {}", refused.output());
        assert!(refused.stderr.contains("stop the service first"), "{}", refused.stderr);
    }
    assert_eq!(counts(&place.setup).await?.1, 0, "it can be looked at meanwhile");
    account.get("/api/auth/me").await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn production_does_not_start_on_a_schema_that_lacks_steps() -> anyhow::Result<()> {
    for place in Place::both().await? {
        let setup = in_production(&place.setup);
        done(&setup, &["up"]).await?;
        let all = done(&setup, &["status"]).await?;
        done(&setup, &["down", "--steps", "2", "--yes"]).await?;
        let refused = setup.run(&["serve"]).await?;
        assert_eq!(refused.code, Some(PENDING), "{}", refused.output());
        let steps: BTreeSet<&str> = all.lines().filter_map(|line| line.split(' ').nth(1)).collect();
        let named: Vec<_> = steps.iter().filter(|step| refused.stderr.contains(**step)).collect();
        assert_eq!(named.len(), 2, "{}", refused.stderr);
        assert!(refused.stderr.contains("`saas-ia migrate up`"), "{}", refused.stderr);
        assert_eq!(counts(&setup).await?.1, 2, "it took none");

        done(&setup, &["up"]).await?;
        setup.start().await?.client().get("/health/ready", None).await?.expect(200)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_schema_of_a_newer_version_keeps_nobody_from_serving() -> anyhow::Result<()> {
    let database = servers::empty_database().await;
    let setup = Setup::new()?.with("DATABASE_URL", &database.url());
    done(&setup, &["up"]).await?;
    let mut service = in_production(&setup).start().await?;
    database.run(&["INSERT INTO seaql_migrations VALUES ('m20991231_000099_telepathy', 1)"])?;
    // What was found a moment before is told for a second.
    let mut told = String::new();
    for _ in 0..100 {
        told = service.client().get("/health/ready", None).await?.expect(200)?.text;
        if told.contains("1 of a newer version") {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert!(told.contains("1 of a newer version"), "{told}");
    // Also those that start while the newer version is brought in.
    service.terminate(Duration::from_secs(30)).await?;
    service.restart().await?;
    assert!(service.log()?.contains("schema_newer"), "{}", service.log()?);
    assert!(done(&setup, &["status"]).await?.ends_with("unknown m20991231_000099_telepathy\n"));
    let refused = migrate(&setup, &["down", "--yes"]).await?;
    assert_eq!(refused.code, Some(1), "{}", refused.output());
    assert!(refused.stderr.contains("m20991231_000099_telepathy"), "{}", refused.stderr);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_late_is_waited_for() -> anyhow::Result<()> {
    let server = PostgresServer::start_without_fsync()?;
    server.kill()?;
    let setup = Setup::new()?.with("DATABASE_URL", &server.url("postgres"));
    let mut service = setup.clone().begin()?;
    service.wait_until_logged("database_awaited").await?;
    let migrating = tokio::spawn({
        let setup = setup.clone();
        async move { done(&setup, &["status"]).await }
    });
    server.come_back()?;
    service.wait_until_ready().await?;
    migrating.await??;
    service.client().account("ada@example.com").await?;
    Ok(())
}

#[tokio::test]
async fn a_server_that_refuses_is_not_waited_for() -> anyhow::Result<()> {
    let database = servers::empty_database().await;
    let (server, _) = database
        .url()
        .rsplit_once('/')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .context("an address with a name")?;
    let setup = Setup::new()?.with("DATABASE_URL", &format!("{server}/nothing_of_this_name"));
    let ended = setup.as_api()?.run(&["serve"]).await?;
    assert_eq!(ended.code, Some(1), "{}", ended.output());
    assert!(ended.stderr.contains("the database refuses"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("database_awaited"), "{}", ended.stderr);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_come_ends_the_start_with_a_clear_text() -> anyhow::Result<()> {
    let server = PostgresServer::start_without_fsync()?;
    server.kill()?;
    let setup = Setup::new()?.with("DATABASE_URL", &server.url("postgres"));
    let mut stopped = setup.clone().as_api()?.begin()?;
    stopped.wait_until_logged("database_awaited").await?;
    let ended = stopped.terminate(Duration::from_secs(10)).await?;
    assert_eq!(ended.code(), Some(0), "a signal ends the waiting: {}", stopped.log()?);

    let ended = setup.run(&["serve"]).await?;
    assert_eq!(ended.code, Some(1), "{}", ended.output());
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("saas-ia: the database does not answer"), "{}", ended.stderr);
    let password = server.url("postgres");
    let password = password.split([':', '@']).nth(2).unwrap_or_default();
    ensure!(password.len() > 8 && !ended.output().contains(password), "{}", ended.output());
    Ok(())
}
