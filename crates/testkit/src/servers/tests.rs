use std::{
    env,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{
    PostgresServer, RedisServer, database, empty_database, folder::Folder, lifeline::PATIENCE,
    redis,
};

/// Waits for something that others bring about.
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The processes that were started from `folder`, by what their command lines say.
fn processes_of(folder: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(folder)).collect()
}

#[tokio::test]
async fn two_databases_of_one_template_do_not_see_each_other() {
    let mut prepared = 0;
    let mut prepare = async |url: &str| {
        prepared += 1;
        assert!(url.starts_with("postgres"), "{url}");
    };
    let ours = database("two", &mut prepare).await;
    let theirs = database("two", &mut prepare).await;
    assert_eq!(prepared, 1);

    ours.run(&["CREATE TABLE facts (fact text)", "INSERT INTO facts VALUES ('ours')"]).unwrap();
    assert_eq!(ours.run(&["SELECT fact FROM facts"]).unwrap(), "ours\n");
    let error = theirs.run(&["SELECT fact FROM facts"]).unwrap_err();
    assert!(format!("{error:#}").contains("does not exist"), "{error:#}");
}

#[tokio::test]
async fn a_copy_holds_what_its_template_was_given() {
    let filled = database("filled", async |url: &str| {
        let mut psql = Command::new(super::programs::postgres("psql").unwrap());
        psql.args(["-q", "-d", url, "-c", "CREATE TABLE facts AS SELECT 'theirs' AS fact"]);
        super::psql::output(psql, PATIENCE).unwrap();
    })
    .await;
    assert_eq!(filled.run(&["SELECT fact FROM facts"]).unwrap(), "theirs\n");
    let empty = empty_database().await;
    assert_eq!(empty.run(&["SELECT to_regclass('facts') IS NULL"]).unwrap(), "t\n");
}

#[tokio::test]
async fn a_database_goes_with_its_test() {
    let (witness, database) = (empty_database().await, empty_database().await);
    let count = format!("SELECT count(*) FROM pg_database WHERE datname = '{}'", database.name());
    assert_eq!(witness.run(&[&count]).unwrap(), "1\n");
    drop(database);
    assert_eq!(witness.run(&[&count]).unwrap(), "0\n");
}

#[test]
fn a_postgres_that_is_killed_comes_back_with_what_it_had() {
    let server = PostgresServer::start().unwrap();
    assert_eq!(server.run("postgres", &["SHOW fsync"]).unwrap(), "on\n");
    server.run("postgres", &["CREATE TABLE facts AS SELECT 1 AS fact"]).unwrap();
    server.kill().unwrap();
    server.run("postgres", &["SELECT fact FROM facts"]).unwrap_err();
    server.come_back().unwrap();
    assert_eq!(server.run("postgres", &["SELECT fact FROM facts"]).unwrap(), "1\n");
    server.stop().unwrap();
    server.run("postgres", &["SELECT fact FROM facts"]).unwrap_err();
    server.come_back().unwrap();
    assert_eq!(server.run("postgres", &["SELECT fact FROM facts"]).unwrap(), "1\n");
    assert!(server.log().contains("automatic recovery in progress"), "{}", server.log());
}

#[test]
fn a_redis_that_is_killed_comes_back_empty() {
    let server = RedisServer::start().unwrap();
    assert_eq!(server.command(&["SET", "fact", "1"]).unwrap(), "OK");
    assert_eq!(server.command(&["GET", "fact"]).unwrap(), "1");
    server.kill().unwrap();
    server.command(&["GET", "fact"]).unwrap_err();
    server.come_back().unwrap();
    assert_eq!(server.command(&["GET", "fact"]).unwrap(), "");
    server.command(&["SET", "fact", "2"]).unwrap();
    server.flush_all().unwrap();
    assert_eq!(server.command(&["EXISTS", "fact"]).unwrap(), "0");
}

#[test]
fn a_frozen_redis_does_not_answer_until_it_thaws() {
    let server = RedisServer::start().unwrap();
    server.freeze().unwrap();
    server.command(&["PING"]).unwrap_err();
    server.thaw().unwrap();
    assert_eq!(server.command(&["PING"]).unwrap(), "PONG");
}

#[test]
fn two_shares_of_a_redis_have_databases_and_names_of_their_own() {
    let (ours, theirs) = (redis(), redis());
    assert_ne!(ours.prefix(), theirs.prefix());
    if env::var_os("TEST_REDIS_URL").is_none() {
        assert_ne!(ours.url(), theirs.url());
    }
}

/// Not a test of its own: what others kill.
#[tokio::test]
#[ignore = "waits to be killed by another test"]
async fn holds_servers_until_it_is_killed() {
    let folder = env::var_os("LIFELINE_FOLDER").expect("only another test starts this one");
    let (postgres, redis) = (PostgresServer::start().unwrap(), RedisServer::start().unwrap());
    let database = empty_database().await;
    fs::write(Path::new(&folder).join("ready"), "").unwrap();
    thread::sleep(PATIENCE);
    drop((postgres, redis, database));
}

/// Starts a process that holds servers in `place`, and returns once it has them.
fn holder(place: &str, environment: &[(&str, &str)]) -> Child {
    fs::set_permissions(place, Permissions::from_mode(0o777)).unwrap();
    let child = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "servers::tests::holds_servers_until_it_is_killed"])
        .env_remove("TEST_DATABASE_URL")
        .envs(environment.iter().copied())
        .env("LIFELINE_FOLDER", place)
        .env("TMPDIR", place)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let ready = Path::new(place).join("ready");
    eventually("the other process starts its servers", || ready.exists());
    fs::remove_file(ready).unwrap();
    child
}

#[test]
fn a_killed_test_process_leaves_no_server_behind() {
    let folder = Folder::new("lifeline").unwrap();
    let place = folder.path().to_str().unwrap();
    let mut child = holder(place, &[]);
    let running = processes_of(place);
    for server in ["postgres", "redis-server"] {
        assert!(running.iter().any(|line| line.contains(server)), "{running:?}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("the servers end", || processes_of(place).is_empty());
    eventually("their folders go", || fs::read_dir(place).unwrap().next().is_none());
    fs::remove_dir(place).unwrap();
}

#[test]
fn a_killed_test_process_leaves_no_database_on_a_server_that_it_was_given() {
    let folder = Folder::new("lifeline").unwrap();
    let place = folder.path().to_str().unwrap();
    let given = PostgresServer::start().unwrap();
    let count = "SELECT count(*) FROM pg_database WHERE datname LIKE 'test%'";
    let mut child = holder(place, &[("TEST_DATABASE_URL", &given.url("postgres"))]);
    // The template and its copy.
    assert_eq!(given.run("postgres", &[count]).unwrap(), "2\n");
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("its databases go", || given.run("postgres", &[count]).unwrap() == "0\n");
    eventually("its folders go", || fs::read_dir(place).unwrap().next().is_none());
    fs::remove_dir(place).unwrap();
}
