//! Videos of `YouTube`, by stubs that stand for yt-dlp: what becomes of what they say and make.

mod limits;
mod real;
mod refusals;
mod tool;

use std::{path::PathBuf, sync::Mutex, time::Duration};

use application::ports::{AudioFile, FetchError, MediaSource, Progress};
use domain::{FailureCode, Source, SourceFacts, YouTubeId};
use infrastructure::media::MediaLibrary;

use super::world::{JOB, World, listing, stub};

/// Makes the sound that is expected of a run.
const MAKES_SOUND: &str = "head -c 1000 /dev/zero > audio.wav";

/// The video that is asked for. Its id looks like an option.
fn video() -> Source {
    Source::YouTube(YouTubeId::parse("-o_exec_123").unwrap())
}

/// A library whose yt-dlp tells a good version, and else is `script`.
fn played_by(script: &str) -> World {
    let mut world = World::new();
    let script = format!(
        "case \"$*\" in *--version) echo 2026.10.26; exit;; esac\necho run >> ../../../runs\n{script}"
    );
    world.config.ytdlp = Some(stub(&world, "yt-dlp", &script));
    world.config.ffmpeg = Some(PathBuf::from("/bin/sh"));
    world
}

/// How often yt-dlp was run to fetch something.
fn runs(world: &World) -> usize {
    let runs = world.config.work_dir.parent().unwrap().join("runs");
    std::fs::read_to_string(runs).unwrap_or_default().lines().count()
}

async fn fetch_by(library: &MediaLibrary) -> Result<AudioFile, FetchError> {
    library.fetch(JOB, &video(), &()).await
}

async fn fetch(world: &World) -> AudioFile {
    fetch_by(&world.library()).await.unwrap()
}

/// Fetches what must fail, after which nothing may be kept.
async fn refusal(world: &World) -> FetchError {
    let error = fetch_by(&world.library()).await.unwrap_err();
    assert!(!world.folder().exists(), "{error:?}");
    error
}

async fn refusal_code(world: &World) -> FailureCode {
    refusal(world).await.code
}

/// Lets other tasks and processes run until `ready`; a test that waits in vain fails.
async fn until(what: &str, ready: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if ready() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen: {what}");
}

#[derive(Default)]
struct Shares(Mutex<Vec<f64>>);

impl Progress for Shares {
    fn at(&self, share: f64) {
        self.0.lock().unwrap().push(share);
    }
}

#[tokio::test]
async fn the_sound_the_title_the_length_and_the_progress_of_a_video_arrive() {
    let world = played_by(&format!(
        r#"echo 'SAAS-IA-FACTS {{"title": "A talk", "duration": 8.5, "live_status": "not_live"}}'
        echo 'SAAS-IA-PROGRESS {{"status": "downloading", "downloaded_bytes": 1, "total_bytes": 4}}'
        {MAKES_SOUND}"#
    ));
    let shares = Shares::default();
    let audio = world.library().fetch(JOB, &video(), &shares).await.unwrap();
    assert_eq!(audio.bytes, 1_000);
    assert_eq!(std::fs::read(&audio.path).unwrap(), [0; 1_000]);
    let facts = SourceFacts { title: Some("A talk".into()), duration_ms: Some(8_500) };
    assert_eq!(audio.facts, facts);
    assert_eq!(*shares.0.lock().unwrap(), [0.25, 1.0]);
    assert_eq!(listing(&world.folder()), ["audio", "note"]);
}

#[tokio::test]
async fn a_complete_file_is_not_fetched_again_and_keeps_its_title() {
    let world = played_by(&format!(
        r#"echo 'SAAS-IA-FACTS {{"title": "A talk"}}'
        {MAKES_SOUND}"#
    ));
    let first = fetch(&world).await;
    assert_eq!(fetch(&world).await, first);
    assert_eq!(first.facts.title.as_deref(), Some("A talk"));
    assert_eq!(runs(&world), 1);
}

#[tokio::test]
async fn the_length_is_measured_where_there_is_an_ffprobe() {
    let mut world = played_by(&format!(
        r#"echo 'SAAS-IA-FACTS {{"title": "A talk", "duration": 1}}'
        {MAKES_SOUND}"#
    ));
    let says = r#"{"streams":[{"codec_type":"audio"}],
        "format":{"format_name":"wav","duration":"2.5","tags":{"title":"of the file"}}}"#;
    world.config.ffprobe = Some(stub(&world, "ffprobe", &format!("cat <<'END'\n{says}\nEND")));
    let facts = SourceFacts { title: Some("A talk".into()), duration_ms: Some(2_500) };
    assert_eq!(fetch(&world).await.facts, facts);

    world.config.max_seconds = 2;
    assert_eq!(refusal_code(&world).await, FailureCode::SourceTooLong);
}

#[tokio::test]
async fn yt_dlp_sees_the_id_and_an_environment_of_its_own_and_nothing_else() {
    let seen = "{ pwd; stat -c %a . ..; env | sort; echo \"$@\"; cat; } > ../../../seen";
    let world = played_by(&format!("{seen}\n{MAKES_SOUND}"));
    fetch(&world).await;
    let data = world.config.work_dir.parent().unwrap();
    let seen = std::fs::read_to_string(data.join("seen")).unwrap();
    let mut lines = seen.lines();
    let folder = lines.next().unwrap();
    let job = world.folder();
    assert!(folder.starts_with(&format!("{}/audio.", job.display())), "{seen}");
    assert_eq!((lines.next(), lines.next()), (Some("700"), Some("700")), "{seen}");
    let environment: Vec<_> = lines.by_ref().take_while(|line| !line.starts_with("--")).collect();
    let names: Vec<_> = environment.iter().map(|line| line.split('=').next().unwrap()).collect();
    // The shell itself adds two.
    assert_eq!(names, ["HOME", "LC_ALL", "PATH", "PWD", "TMPDIR"], "{seen}");
    assert!(environment.contains(&format!("HOME={folder}/home").as_str()), "{seen}");
    assert!(seen.ends_with(" -- https://www.youtube.com/watch?v=-o_exec_123\n"), "{seen}");
}

#[tokio::test]
async fn a_dropped_fetch_ends_the_program_and_what_it_has_started() {
    let world = played_by("sleep 60 &\necho $! $$ > ../../../pids\nwait");
    let library = world.library();
    let pids = world.config.work_dir.parent().unwrap().join("pids");
    let read = || std::fs::read_to_string(&pids).unwrap_or_default();
    tokio::select! {
        ended = fetch_by(&library) => panic!("{ended:?}"),
        () = until("it runs", || read().ends_with('\n')) => {}
    }
    let pids: Vec<String> = read().split_whitespace().map(str::to_owned).collect();
    assert_eq!(pids.len(), 2);
    until("they are gone", || pids.iter().all(|pid| !lives(pid))).await;
    until("the folder is cleared", || listing(&world.folder()).is_empty()).await;
}

/// Whether there is a process of this number that has not ended.
fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

#[tokio::test]
async fn an_attempt_that_was_given_up_does_not_finish_its_successors_file() {
    // The first run waits for a word, and only then makes its sound.
    let script = r"[ $(wc -l < ../../../runs) = 1 ] || { head -c 2000 /dev/zero > audio.wav; exit; }
        while [ ! -e ../../../go ]; do sleep 0.01; done
        head -c 1000 /dev/zero > audio.wav";
    let world = played_by(script);
    let former = world.library();
    let former = tokio::spawn(async move { fetch_by(&former).await });
    until("the first runs", || runs(&world) == 1).await;
    let latter = fetch(&world).await;
    std::fs::write(world.config.work_dir.parent().unwrap().join("go"), "").unwrap();
    assert!(former.await.unwrap().is_err());
    assert_eq!(latter.bytes, 2_000);
    assert_eq!(std::fs::read(&latter.path).unwrap().len(), 2_000);
}

#[tokio::test]
async fn what_yt_dlp_writes_beside_its_folder_is_not_taken_for_the_sound() {
    let forged = r#"{"mark":{"inode":1,"bytes":5000,"modified_s":0,"modified_ns":0},"facts":{}}"#;
    for stray in [
        "head -c 5000 /dev/zero > ../audio",
        &format!("head -c 5000 /dev/zero > ../audio; echo '{forged}' > ../note"),
        "mkdir ../audio ../note; touch ../audio/file",
    ] {
        // The first run goes astray and fails, the second makes its sound.
        let script = format!("{stray}\n[ $(wc -l < ../../../runs) = 2 ] || exit 1\n{MAKES_SOUND}");
        let world = played_by(&script.replace("mkdir", "mkdir -p"));
        fetch_by(&world.library()).await.unwrap_err();
        assert!(world.folder().join("audio").exists(), "{stray}");
        let audio = fetch(&world).await;
        assert_eq!((audio.bytes, runs(&world)), (1_000, 2), "{stray}");
        assert_eq!(std::fs::read(&audio.path).unwrap(), [0; 1_000], "{stray}");
        assert_eq!(listing(&world.folder()), ["audio", "note"], "{stray}");
        assert_eq!(fetch(&world).await, audio, "{stray}");
        assert_eq!(runs(&world), 2, "{stray}");
    }
}
