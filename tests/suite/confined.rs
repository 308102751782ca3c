//! Foreign programs are held on a short lead: what they may take is limited, and nothing of them
//! outlives the service, however it dies.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use black_box_tests::{MediaServer, Setup, binary, service::PATIENCE};
use nix::sys::signal::Signal;
use tempfile::TempDir;
use testkit::{assemblyai::FakeAssemblyAi, fixtures};
use tokio::time::{Instant, sleep};

/// How a supervisor ends that had to end a tree which took too much.
const OVER_LIMITS: i32 = 125;

/// Limits that a shell stays far below.
const LIMITS: [(&str, u64); 7] = [
    ("--cpu-seconds", 60),
    ("--memory-bytes", 1 << 30),
    ("--address-bytes", 8 << 30),
    ("--file-bytes", 1 << 30),
    ("--open-files", 100),
    ("--processes", 16),
    ("--resident-bytes", 1 << 30),
];

/// A folder in which a shell script runs under a supervisor. The scripts tell the numbers of their
/// processes by empty files in `pids`, which can be made also where nothing may be written.
struct Held {
    folder: TempDir,
    child: Child,
}

impl Held {
    fn start(script: &str, changed: &[(&str, u64)]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(binary());
        command.arg("confined");
        for (name, value) in LIMITS {
            let value = changed.iter().find(|(other, _)| *other == name).map_or(value, |c| c.1);
            command.args([name, &value.to_string()]);
        }
        let child = command
            .args(["--", "/bin/sh", "-c", script])
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { folder, child })
    }

    /// Lets the script come to its end, and returns the exit code of the supervisor. The lifeline
    /// is kept until then.
    async fn end(&mut self) -> anyhow::Result<Option<i32>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            ensure!(Instant::now() < deadline, "the supervisor does not end");
            sleep(Duration::from_millis(10)).await;
        }
    }

    fn pids(&self) -> PathBuf {
        self.folder.path().join("pids")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Whatever a test has found out, it must not leave a supervisor behind, nor wait for one.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `folder` names so many processes.
async fn pids(folder: &Path, count: usize) -> anyhow::Result<Vec<i32>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let names = fs::read_dir(folder).into_iter().flatten().flatten();
        let pids: Vec<i32> =
            names.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        if pids.len() >= count {
            return Ok(pids);
        }
        ensure!(Instant::now() < deadline, "{}: {pids:?}", folder.display());
        sleep(Duration::from_millis(10)).await;
    }
}

/// Whether there is a process of this number that has not ended.
fn lives(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

async fn until_gone(pids: &[i32]) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while pids.iter().any(|pid| lives(*pid)) {
        ensure!(Instant::now() < deadline, "{pids:?} do not end");
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

fn gone(pids: &[i32]) -> anyhow::Result<()> {
    let left: Vec<_> = pids.iter().filter(|pid| lives(**pid)).collect();
    ensure!(left.is_empty(), "{left:?} of {pids:?} are left");
    Ok(())
}

/// A program that has a child in its group, one that has left it, and a grandchild.
const FAMILY: &str = "mkdir pids; sleep 600 & : > pids/$!
    setsid sleep 600 & : > pids/$!
    sh -c 'sleep 600 & : > pids/$!; wait' &
    : > pids/$$; ";

#[tokio::test]
async fn a_supervisor_ends_as_its_program_does() -> anyhow::Result<()> {
    for (script, code) in
        [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("exec /no/such/program", 127)]
    {
        assert_eq!(Held::start(script, &[])?.end().await?, Some(code), "{script}");
    }
    let nothing = Setup::new()?.run(&["confined", "--cpu-seconds", "1"]).await?;
    assert_eq!(nothing.code, Some(2), "{}", nothing.output());
    let help = Setup::new()?.run(&["--help"]).await?;
    assert!(!help.output().contains("confined"), "{}", help.output());
    Ok(())
}

#[tokio::test]
async fn nothing_that_a_program_leaves_behind_survives_it() -> anyhow::Result<()> {
    let script =
        format!("{FAMILY} while [ $(ls pids | wc -l) -lt 4 ]; do sleep 0.01; done; exit 3");
    let mut held = Held::start(&script, &[])?;
    assert_eq!(held.end().await?, Some(3));
    gone(&pids(&held.pids(), 4).await?)
}

#[tokio::test]
async fn everything_ends_when_the_lifeline_does() -> anyhow::Result<()> {
    let mut held = Held::start(&format!("{FAMILY} wait"), &[])?;
    let pids = pids(&held.pids(), 4).await?;
    drop(held.child.stdin.take());
    held.end().await?;
    gone(&pids)
}

#[tokio::test]
async fn a_program_does_not_outlive_a_supervisor_that_was_killed() -> anyhow::Result<()> {
    let mut held = Held::start("mkdir pids; : > pids/$$; exec sleep 600", &[])?;
    let pids = pids(&held.pids(), 1).await?;
    held.child.kill()?;
    until_gone(&pids).await
}

#[tokio::test]
async fn a_fork_bomb_is_ended() -> anyhow::Result<()> {
    // It stops by itself at some hundred, so that a failure of this test does no harm.
    let script = "mkdir pids; for i in $(seq 200); do sleep 600 & : > pids/$!; done; wait";
    let mut held = Held::start(script, &[])?;
    assert_eq!(held.end().await?, Some(OVER_LIMITS));
    gone(&pids(&held.pids(), 17).await?)
}

#[tokio::test]
async fn a_process_gets_no_more_memory_than_allowed() -> anyhow::Result<()> {
    let hog = "exec python3 -c 'x = bytearray(1 << 28)'";
    for (option, bytes, code) in [
        ("--memory-bytes", 1 << 30, 0),
        ("--memory-bytes", 1 << 27, 1),
        ("--address-bytes", 1 << 27, 1),
    ] {
        let ended = Held::start(hog, &[(option, bytes)])?.end().await?;
        assert_eq!(ended, Some(code), "{option} {bytes}");
    }
    Ok(())
}

#[tokio::test]
async fn the_tree_as_a_whole_gets_no_more_memory_than_allowed() -> anyhow::Result<()> {
    let hog = "python3 -c 'import time; x = bytearray(b\"x\" * (1 << 26)); time.sleep(600)' &";
    let mut held =
        Held::start(&format!("{hog} {hog} {hog} wait"), &[("--resident-bytes", 1 << 27)])?;
    assert_eq!(held.end().await?, Some(OVER_LIMITS));
    Ok(())
}

#[tokio::test]
async fn processor_time_files_and_descriptors_are_limited() -> anyhow::Result<()> {
    let mut busy = Held::start("while :; do :; done", &[("--cpu-seconds", 1)])?;
    assert_eq!(busy.end().await?, Some(128 + Signal::SIGXCPU as i32));

    let grows = "exec head -c 3000000 /dev/zero > grown";
    let mut grower = Held::start(grows, &[("--file-bytes", 1_000_000)])?;
    assert_eq!(grower.end().await?, Some(128 + Signal::SIGXFSZ as i32));
    assert_eq!(fs::metadata(grower.folder.path().join("grown"))?.len(), 1_000_000);

    let mut asker = Held::start("{ ulimit -n; ulimit -c; } > limits", &[("--open-files", 33)])?;
    assert_eq!(asker.end().await?, Some(0));
    assert_eq!(fs::read_to_string(asker.folder.path().join("limits"))?, "33\n0\n");
    Ok(())
}

/// Writes a program that tells the numbers of its processes and goes on for ever.
fn endless(folder: &Path, name: &str, first: &str) -> anyhow::Result<String> {
    let path = folder.join(name);
    let pids = folder.join(format!("{name}.pids"));
    let family = FAMILY.replace("pids", &pids.to_string_lossy());
    fs::write(&path, format!("#!/bin/sh\n{first}\n{family} wait\n"))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path.to_string_lossy().into_owned())
}

#[tokio::test]
async fn no_program_of_the_service_outlives_it_when_it_is_killed() -> anyhow::Result<()> {
    let recording = fixtures::recordings().first().context("a recording")?;
    let media = MediaServer::start(recording.wav, Duration::ZERO).await?;
    // The mock would not want to have the sound.
    let engine = FakeAssemblyAi::start();
    let setup = Setup::new()?;
    let folder = setup.folder().to_owned();
    let version = "case \"$*\" in *--version) echo 2026.10.26; exit;; esac";
    let (ytdlp, ffprobe) = (endless(&folder, "yt-dlp", version)?, endless(&folder, "ffprobe", "")?);
    let mut service = setup
        .with("ENGINE", "assemblyai")
        .with("ASSEMBLYAI_API_KEY", "0f1e2d3c4b5a69788796a5b4c3d2e1f0")
        .with("ASSEMBLYAI_BASE_URL", &engine.base_url())
        .with("MEDIA_ALLOWED_NETWORKS", "127.0.0.1/32")
        .with("YTDLP_PATH", &ytdlp)
        .with("FFMPEG_PATH", "sh")
        .with("FFPROBE_PATH", &ffprobe)
        .start()
        .await?;
    let account = service.client().account("ada@example.com").await?;
    account.create("https://youtu.be/dQw4w9WgXcQ").await?.expect(201)?;
    account.create(&media.url("a.wav")).await?.expect(201)?;
    let mut all = pids(&folder.join("yt-dlp.pids"), 4).await?;
    all.extend(pids(&folder.join("ffprobe.pids"), 4).await?);
    ensure!(all.iter().all(|pid| lives(*pid)), "{all:?} must live for the test to mean something");

    service.kill().await?;

    until_gone(&all).await
}
