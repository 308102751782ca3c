//! The contract suites of the ports to the outside world, over the fakes: what is shown on fakes is
//! worth something as long as they keep the promises of the real adapters.

use std::{
    env, fs,
    path::PathBuf,
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use domain::{FailureCode, Source};
use testkit::{
    contract::{media::Media, speech::Speech},
    fakes::{InMemoryObjects, LocalBus, PlainHasher, PlainTokens, ScriptedMedia, ScriptedSpeech},
};

testkit::speech_to_text_contract!(speech, async { super::speech() });
testkit::media_source_contract!(media, async { super::media() });
testkit::object_store_contract!(objects, async { (Box::new(InMemoryObjects::default()), ()) });
testkit::password_hasher_contract!(passwords, async { (Box::new(PlainHasher::default()), ()) });
testkit::token_issuer_contract!(tokens, async {
    (Box::new(PlainTokens::default()), Box::new(PlainTokens::default()))
});
testkit::event_bus_contract!(events, async { (Box::new(LocalBus::default()), ()) });

/// The fake is the engine and its far side in one, so that it is there after a restart.
fn speech() -> Speech {
    let engine = Arc::new(ScriptedSpeech::default());
    Speech::new(engine.clone(), engine, ()).with_audio(PathBuf::from("in-memory.wav"))
}

fn media() -> Media {
    let directory = Directory::new();
    let library = ScriptedMedia::in_directory(&directory.0);
    let [good, bad] = ["good", "bad"].map(|name| {
        Source::parse(&format!("https://media.example.com/{name}.wav")).expect("a source")
    });
    library.refuse(bad.clone(), FailureCode::SourceRefused);
    Media::new(library, good, bad, directory)
}

/// A directory that goes when it is dropped.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("saas-ia-fakes-{}-{number}", process::id()));
        fs::create_dir(&path).expect("a directory");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Left behind at worst, in a place that is cleared.
        let _ = fs::remove_dir_all(&self.0);
    }
}
