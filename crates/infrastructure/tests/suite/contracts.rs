//! The contract suites of the ports to the outside world, over the real adapters. Those of the
//! database stand with it, as does that of the media.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use infrastructure::{
    engines::{
        assemblyai::{AssemblyAi, AssemblyAiConfig},
        mock::MockEngine,
    },
    events::LocalBus,
    security::{BcryptConfig, BcryptHasher, JwtAlgorithm, JwtConfig, JwtTokens},
};
use testkit::{
    assemblyai::{FakeAssemblyAi, FakeOptions},
    contract::{TestClock, speech::Speech},
    fakes::SequentialIds,
    fixtures,
};

testkit::speech_to_text_contract!(mock, async { super::mock() });
testkit::speech_to_text_contract!(assemblyai, async { super::assemblyai() });
testkit::password_hasher_contract!(bcrypt, async { (Box::new(super::hasher(None)), ()) });
testkit::password_hasher_contract!(peppered_bcrypt, async {
    (Box::new(super::hasher(Some("pepper-pepper-pepper-pepper-pepper"))), ())
});
testkit::token_issuer_contract!(hs256, async { issuers(JwtAlgorithm::Hs256) });
testkit::token_issuer_contract!(hs512, async { issuers(JwtAlgorithm::Hs512) });
testkit::event_bus_contract!(local_bus, async { (Box::new(LocalBus::new()), ()) });

fn mock() -> Speech {
    let clock = Arc::new(TestClock::at_noon());
    let engine = |delay| Arc::new(MockEngine::new(delay, Arc::<TestClock>::clone(&clock)));
    // After a restart the delay may be another.
    let (engine, restarted) = (engine(Duration::from_secs(2)), engine(Duration::from_hours(1)));
    Speech::new(engine, restarted, ()).with_pause(Box::new(move |pause| {
        clock.advance(pause);
        std::future::ready(()).boxed()
    }))
}

/// A job takes some questions; the server goes by the time of the machine.
fn assemblyai() -> Speech {
    let processing = Duration::from_millis(50);
    let options = FakeOptions { processing, ..FakeOptions::default() };
    let server = FakeAssemblyAi::start_with(options).expect("a server");
    let engine = || {
        let base_url = server.base_url().parse().expect("a URL");
        let models = vec!["universal-2".to_owned()];
        let config = AssemblyAiConfig::new(base_url, "key-0123456789abcdef".into(), models);
        Arc::new(AssemblyAi::new(config, Arc::new(TestClock::at_noon())).expect("a configuration"))
    };
    let directory = tempfile::tempdir().expect("a directory");
    let audio = directory.path().join("audio.wav");
    let recording = fixtures::by_name("austen-0870").expect("a fixture");
    std::fs::write(&audio, recording.wav).expect("a file");
    Speech::new(engine(), engine(), (server, directory))
        .with_audio(audio)
        .with_pause(Box::new(|_| tokio::time::sleep(Duration::from_millis(10)).boxed()))
}

fn hasher(pepper: Option<&str>) -> BcryptHasher {
    let pepper = pepper.map(Into::into);
    BcryptHasher::new(&BcryptConfig { cost: 4, pepper, ..BcryptConfig::default() })
}

fn issuers(algorithm: JwtAlgorithm) -> (Box<JwtTokens>, Box<JwtTokens>) {
    let issuer = |secret: &str| {
        let ttl = Duration::from_mins(30);
        let config = JwtConfig { secret: secret.into(), algorithm, ttl };
        Box::new(JwtTokens::new(&config, Arc::new(SequentialIds::default())))
    };
    (issuer("one secret, long enough for any rule"), issuer("another secret, as long as the first"))
}
