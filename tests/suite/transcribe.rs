//! The command `transcribe`: a result on the standard output, everything else on the standard
//! error, an exit code for scripts, and nothing left behind.

use std::{
    ffi::OsStr,
    fs::{self, File},
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, ensure};
use black_box_tests::{Ended, MediaServer, Setup, binary, service::PATIENCE};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use testkit::{
    assemblyai::{Endpoint, FakeAssemblyAi, FakeOptions},
    fixtures::{self, Recording},
};
use tokio::{
    io::AsyncReadExt,
    net::unix::pipe,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

const DONE: i32 = 0;
const FAILED: i32 = 1;
const MISUSED: i32 = 2;
const NOT_NOW: i32 = 3;
const HUNG_UP: i32 = 129;
const INTERRUPTED: i32 = 130;
const TERMINATED: i32 = 143;

/// A longer wait than any test has.
const FOREVER: Duration = Duration::from_hours(24);

const KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// A folder with a recording in it, and an engine to transcribe it.
struct World {
    setup: Setup,
    engine: FakeAssemblyAi,
    recording: &'static Recording,
}

impl World {
    fn new(options: FakeOptions) -> anyhow::Result<Self> {
        let engine = FakeAssemblyAi::start_with(options)?;
        let recording = fixtures::by_name("jfk").context("a recording")?;
        let setup = quiet()?
            .with("ENGINE", "assemblyai")
            .with("ASSEMBLYAI_API_KEY", KEY)
            .with("ASSEMBLYAI_BASE_URL", &engine.base_url())
            .with("MEDIA_ALLOWED_NETWORKS", "127.0.0.0/8");
        fs::write(setup.folder().join("speech.wav"), recording.wav)?;
        fs::write(setup.folder().join("noise.wav"), "this is no recording at all")?;
        Ok(Self { setup, engine, recording })
    }

    /// Starts a command by way of a program that becomes it.
    fn under(&self, program: &[&str], arguments: &[&str]) -> anyhow::Result<Child> {
        let (program, own) = program.split_first().context("a program")?;
        let binary = binary().as_os_str();
        let all =
            own.iter().map(OsStr::new).chain([binary]).chain(arguments.iter().map(OsStr::new));
        let mut command = self.setup.command(Path::new(program), &[]);
        command.args(all).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(Command::from(command).kill_on_drop(true).spawn()?)
    }

    async fn until_submitted(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.engine.ledger().is_empty() {
            ensure!(Instant::now() < deadline, "nothing is submitted");
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// One job was accepted, and nothing of it is at the engine any more.
    fn assert_erased(&self) {
        let ledger = self.engine.ledger();
        assert_eq!(ledger.len(), 1, "{ledger:?}");
        assert!(self.engine.is_deleted(&ledger[0].id), "a copy stays at the engine");
    }
}

/// Temporary files in a place that can be looked at.
fn quiet() -> anyhow::Result<Setup> {
    let setup = Setup::new()?;
    let temporary = temporary(&setup);
    fs::create_dir(&temporary)?;
    Ok(setup.with("TMPDIR", &temporary.to_string_lossy()))
}

fn temporary(setup: &Setup) -> PathBuf {
    setup.folder().join("tmp")
}

fn assert_ended(ended: &Ended, setup: &Setup, code: i32) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    if code != DONE {
        assert_eq!(ended.stdout, "", "there is no result");
        assert!(ended.stderr.contains("saas-ia: "), "nothing is said: {ended:?}");
    }
    let left: Vec<_> = fs::read_dir(temporary(setup)).expect("it is read").collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    assert!(!setup.data().exists(), "the data of a service is not touched");
}

fn id_of(child: &Child) -> anyhow::Result<Pid> {
    Ok(Pid::from_raw(child.id().context("it runs")?.try_into()?))
}

async fn ended(child: Child) -> anyhow::Result<Ended> {
    let output = timeout(PATIENCE, child.wait_with_output()).await??;
    Ok(Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[tokio::test]
async fn without_a_key_a_simulated_text_is_printed_and_said_to_be_one() -> anyhow::Result<()> {
    let setup = quiet()?;
    let ended = setup.run(&["transcribe", "https://youtu.be/dQw4w9WgXcQ"]).await?;
    assert_ended(&ended, &setup, DONE);
    assert!(ended.stdout.contains("dQw4w9WgXcQ"), "{}", ended.stdout);
    assert!(ended.stdout.ends_with('\n') && !ended.stdout.contains("\"level\""), "{ended:?}");
    assert!(ended.stderr.contains("SIMULATED"), "{}", ended.stderr);
    Ok(())
}

#[tokio::test]
async fn a_file_becomes_what_is_said_in_it() -> anyhow::Result<()> {
    let world = World::new(FakeOptions::default())?;
    let ended = world.setup.run(&["transcribe", "speech.wav"]).await?;
    assert_ended(&ended, &world.setup, DONE);
    assert_eq!(words(&ended.stdout), words(world.recording.text));
    assert_eq!(ended.stderr, "", "there is nothing to say");
    assert_eq!(world.engine.uploads()[0].sha256, world.recording.sha256());
    world.assert_erased();
    Ok(())
}

#[tokio::test]
async fn a_copy_that_is_to_be_kept_at_the_engine_is_kept() -> anyhow::Result<()> {
    let mut world = World::new(FakeOptions::default())?;
    world.setup = world.setup.with("ERASE_PROVIDER_COPIES", "false");
    let ended = world.setup.run(&["transcribe", "speech.wav"]).await?;
    assert_ended(&ended, &world.setup, DONE);
    assert!(!world.engine.is_deleted(&world.engine.ledger()[0].id));
    Ok(())
}

#[tokio::test]
async fn the_standard_input_becomes_the_words_with_their_times() -> anyhow::Result<()> {
    let world = World::new(FakeOptions::default())?;
    let arguments = ["transcribe", "-", "--format", "json", "--language", "en"];
    let mut command = Command::from(world.setup.command(binary(), &arguments));
    command.stdin(File::open(world.setup.folder().join("speech.wav"))?).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await??;
    assert_eq!(output.status.code(), Some(DONE), "{output:?}");
    let transcript: Value = serde_json::from_slice(&output.stdout)?;
    let heard = transcript["words"].as_array().context("words")?;
    let known = world.recording.words();
    assert_eq!(heard.len(), known.len());
    for (heard, known) in heard.iter().zip(known) {
        assert_eq!(heard["text"], known.text);
        assert_eq!(
            (&heard["start_ms"], &heard["end_ms"]),
            (&known.start_ms.into(), &known.end_ms.into())
        );
    }
    world.assert_erased();
    Ok(())
}

#[tokio::test]
async fn subtitles_of_an_address_go_into_a_file_that_is_replaced_when_they_are_there()
-> anyhow::Result<()> {
    let world = World::new(FakeOptions::default())?;
    let media = MediaServer::start(world.recording.wav, Duration::ZERO).await?;
    let result = world.setup.folder().join("speech.srt");
    fs::write(&result, "older")?;

    let missing = media.url("missing.wav");
    let arguments = ["transcribe", &missing, "--format", "srt", "--output", "speech.srt"];
    let failed = world.setup.run(&arguments).await?;
    assert_ended(&failed, &world.setup, FAILED);
    assert!(failed.stderr.contains("source_refused"), "{}", failed.stderr);
    assert_eq!(fs::read_to_string(&result)?, "older");

    let url = media.url("speech.wav");
    let arguments =
        ["transcribe", &url, "--format", "srt", "--output", "speech.srt", "--lines", "1"];
    let ended = world.setup.run(&arguments).await?;
    assert_ended(&ended, &world.setup, DONE);
    assert_eq!(ended.stdout, "");
    let subtitles = fs::read_to_string(&result)?;
    assert!(subtitles.starts_with("1\n00:00:0") && subtitles.contains(" --> "), "{subtitles}");
    let files = fs::read_dir(world.setup.folder())?.count();
    assert_eq!(files, 4, "only the recordings, the result and the temporary folder are there");
    Ok(())
}

#[tokio::test]
async fn what_is_no_recording_fails_by_its_code() -> anyhow::Result<()> {
    let world = World::new(FakeOptions::default())?;
    let ended = world.setup.run(&["transcribe", "noise.wav"]).await?;
    assert_ended(&ended, &world.setup, FAILED);
    assert!(ended.stderr.contains("saas-ia: no_audio: "), "{}", ended.stderr);

    let small = world.setup.clone().with("MEDIA_MAX_BYTES", "1024");
    let ended = small.run(&["transcribe", "speech.wav"]).await?;
    assert_ended(&ended, &world.setup, FAILED);
    assert!(ended.stderr.contains("saas-ia: source_too_large: "), "{}", ended.stderr);
    Ok(())
}

#[tokio::test]
async fn what_the_operator_can_mend_is_not_waited_for() -> anyhow::Result<()> {
    let options = FakeOptions { api_key: Some("another".to_owned()), ..FakeOptions::default() };
    let world = World::new(options)?;
    let ended = world.setup.run(&["transcribe", "speech.wav"]).await?;
    assert_ended(&ended, &world.setup, NOT_NOW);
    assert!(ended.stderr.contains("saas-ia: provider_auth: "), "{}", ended.stderr);
    assert!(!ended.output().contains(KEY), "{}", ended.output());
    Ok(())
}

#[tokio::test]
async fn a_mistake_is_told_before_anything_is_sent() -> anyhow::Result<()> {
    let world = World::new(FakeOptions::default())?;
    for (arguments, named) in [
        (&["no-such.wav"][..], "no-such.wav"),
        (&["."], "folder"),
        (&["https://"], "URL"),
        (&["http://10.0.0.1/a.wav"], "URL"),
        (&["speech.wav", "--language", "klingon language"], "--language"),
        (&["speech.wav", "--format", "docx"], "docx"),
        (&["speech.wav", "--lines", "9"], "--lines"),
        (&["speech.wav", "--max-seconds", "0"], "--max-seconds"),
        (&["speech.wav", "--speakers-expected", "2"], "--speakers"),
        (&["speech.wav", "--speakers", "--speakers-expected", "99"], "--speakers-expected"),
        (&["speech.wav", "--output", "no-such-folder/a.txt"], "no-such-folder"),
        (&["speech.wav", "--output", "."], "folder"),
        (&[], "FILE|URL"),
    ] {
        let ended = world.setup.run(&[&["transcribe"], arguments].concat()).await?;
        assert_eq!(ended.code, Some(MISUSED), "{arguments:?}: {ended:?}");
        assert_eq!(ended.stdout, "", "{arguments:?}");
        assert!(ended.stderr.contains(named), "{arguments:?}: {}", ended.stderr);
    }
    let wrong = world.setup.clone().with("ENGINE", "whisper");
    assert_ended(&wrong.run(&["transcribe", "speech.wav"]).await?, &wrong, MISUSED);
    assert_eq!(world.engine.requests(Endpoint::Upload), 0);
    Ok(())
}

#[tokio::test]
async fn a_request_to_end_calls_the_job_off_and_leaves_nothing_at_the_engine() -> anyhow::Result<()>
{
    for (signal, code) in
        [(Signal::SIGINT, INTERRUPTED), (Signal::SIGTERM, TERMINATED), (Signal::SIGHUP, HUNG_UP)]
    {
        let options = FakeOptions { processing: FOREVER, ..FakeOptions::default() };
        let world = World::new(options)?;
        // However this test was started, by `nohup` for instance.
        let child = world.under(&["env", "--default-signal"], &["transcribe", "speech.wav"])?;
        world.until_submitted().await?;
        kill(id_of(&child)?, signal)?;
        let ended = ended(child).await?;
        assert_ended(&ended, &world.setup, code);
        world.assert_erased();
    }
    Ok(())
}

#[tokio::test]
async fn who_is_to_outlive_the_terminal_does() -> anyhow::Result<()> {
    let options = FakeOptions { processing: Duration::from_secs(3), ..FakeOptions::default() };
    let world = World::new(options)?;
    let child = world.under(&["nohup"], &["transcribe", "speech.wav"])?;
    world.until_submitted().await?;
    kill(id_of(&child)?, Signal::SIGHUP)?;
    let ended = ended(child).await?;
    assert_ended(&ended, &world.setup, DONE);
    assert_eq!(words(&ended.stdout), words(world.recording.text));
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_complained_about_is_told_by_the_exit_code() -> anyhow::Result<()> {
    let world = World::new(FakeOptions::default())?;
    let simulated = world.setup.clone().with("ENGINE", "mock");
    for (setup, arguments, code) in [
        (&world.setup, &["transcribe", "--verbose", "speech.wav"][..], DONE),
        (&simulated, &["transcribe", "speech.wav"], DONE),
        (&world.setup, &["transcribe", "noise.wav"], FAILED),
        (&world.setup, &["transcribe", "no-such.wav"], MISUSED),
        (&world.setup.clone().with("ENGINE", "whisper"), &["transcribe", "speech.wav"], MISUSED),
    ] {
        let mut command = Command::from(setup.command(binary(), arguments));
        command.stdout(Stdio::piped()).stderr(File::options().write(true).open("/dev/full")?);
        let child = command.kill_on_drop(true).spawn()?;
        let output = timeout(PATIENCE, child.wait_with_output()).await??;
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        assert_eq!(output.stdout.is_empty(), code != DONE, "{arguments:?}: {output:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_result_takes_the_place_of_a_file_and_not_its_mode_or_its_link() -> anyhow::Result<()> {
    let world = World::new(FakeOptions::default())?;
    let folder = world.setup.folder();
    let mode = |name: &str| fs::metadata(folder.join(name)).map(|meta| meta.mode() & 0o777);
    fs::write(folder.join("private.txt"), "older")?;
    fs::set_permissions(folder.join("private.txt"), fs::Permissions::from_mode(0o600))?;
    symlink("private.txt", folder.join("link.txt"))?;
    for name in ["private.txt", "link.txt"] {
        fs::write(folder.join("private.txt"), "older")?;
        let ended = world.setup.run(&["transcribe", "speech.wav", "-o", name]).await?;
        assert_ended(&ended, &world.setup, DONE);
        let written = fs::read_to_string(folder.join("private.txt"))?;
        assert_eq!(words(&written), words(world.recording.text), "{name}");
        assert_eq!(mode("private.txt")?, 0o600, "{name}");
        let link = fs::symlink_metadata(folder.join("link.txt"))?;
        assert!(link.is_symlink(), "{name}: {link:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_pipe_that_is_named_stays_one_and_gets_the_result() -> anyhow::Result<()> {
    let world = World::new(FakeOptions::default())?;
    let path = world.setup.folder().join("pipe");
    let made = Command::new("mkfifo").arg(&path).status().await?;
    ensure!(made.success(), "there is no pipe");
    let mut pipe = pipe::OpenOptions::new().open_receiver(&path)?;
    let ended = world.setup.run(&["transcribe", "speech.wav", "-o", "pipe"]).await?;
    assert_ended(&ended, &world.setup, DONE);
    assert_eq!(ended.stdout, "");
    assert!(fs::symlink_metadata(&path)?.file_type().is_fifo(), "it was replaced");
    let mut written = String::new();
    timeout(PATIENCE, pipe.read_to_string(&mut written)).await??;
    assert_eq!(words(&written), words(world.recording.text));
    Ok(())
}
