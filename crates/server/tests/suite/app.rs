//! The service on a free port, over fakes that a test replaces one at a time.

#![cfg(test)]

mod answer;

use std::{
    net::{IpAddr, SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
    time::Duration,
};

use api::ApiConfig;
use application::{Adapters, Engine, EngineConfig, limits::Quotas, uploads::UploadLimits};
use chrono::TimeDelta;
use domain::AddressPolicy;
use infrastructure::{
    persistence::{OpenError, SqliteConfig, Store},
    security::{BcryptConfig, BcryptHasher, JwtAlgorithm, JwtConfig, JwtTokens},
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use server::serve::{Front, ServeConfig};
use testkit::fakes::{self, Fakes};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(crate) use answer::Answer;

/// A password that every rule admits.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A recording that the fakes can fetch.
pub(crate) const MEDIA: &str = "https://media.example/talk.wav";

/// What an app is made of, to be changed before it starts.
pub(crate) struct Builder {
    pub(crate) fakes: Fakes,
    pub(crate) adapters: Adapters,
    pub(crate) config: ServeConfig,
}

impl Builder {
    /// Replaces adapters.
    pub(crate) fn with(mut self, replace: impl FnOnce(&mut Adapters, &Fakes)) -> Self {
        replace(&mut self.adapters, &self.fakes);
        self
    }

    /// Changes how the service is set up.
    pub(crate) fn config(mut self, change: impl FnOnce(&mut ServeConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Replaces the store, the passwords and the tokens by the real ones; the clock stays ours.
    pub(crate) async fn over_sqlite(self, directory: &Path) -> Self {
        let store = open_store(directory, &self.fakes).await;
        self.with(|adapters, fakes| {
            adapters.users = store.clone();
            adapters.transcriptions = store.clone();
            adapters.jobs = store;
            adapters.hasher = Arc::new(BcryptHasher::new(&cheap_bcrypt()));
            let secret = "a secret of this test suite, long enough".into();
            let ttl = Duration::from_mins(30);
            let config = JwtConfig { secret, algorithm: JwtAlgorithm::Hs256, ttl };
            adapters.tokens = Arc::new(JwtTokens::new(&config, fakes.ids.clone()));
        })
    }

    /// Starts it.
    pub(crate) fn start(self) -> TestApp {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let front = Front::start(listener, &self.adapters, &self.config).unwrap();
        let engine = Engine::new(&self.adapters, self.config.engine);
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .tls_certs_only([])
            .build()
            .unwrap();
        TestApp { fakes: self.fakes, adapters: self.adapters, front, engine, client }
    }
}

/// The cheapest bcrypt there is.
pub(crate) fn cheap_bcrypt() -> BcryptConfig {
    BcryptConfig { cost: 4, ..BcryptConfig::default() }
}

/// A migrated database in `directory`. The lock of an app that has just stopped may take a moment
/// to be released.
async fn open_store(directory: &Path, fakes: &Fakes) -> Arc<Store> {
    let config = SqliteConfig::new(directory.join("saas-ia.db"));
    for _ in 0..200 {
        match Store::open(config.clone(), fakes.clock.clone()).await {
            Ok(store) => {
                migration::up(store.connection()).await.unwrap();
                return Arc::new(store);
            }
            Err(OpenError::InUse(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("the database stays locked");
}

/// A running service whose clock and jobs are moved by hand.
pub(crate) struct TestApp {
    pub(crate) fakes: Fakes,
    pub(crate) adapters: Adapters,
    front: Front,
    engine: Arc<Engine>,
    client: reqwest::Client,
}

impl TestApp {
    /// Fakes everywhere, no limits, one worker thread.
    pub(crate) fn builder() -> Builder {
        let fakes = fakes::adapters();
        let adapters = fakes.adapters();
        let config = ServeConfig {
            quotas: Quotas::default(),
            policy: AddressPolicy::default(),
            uploads: UploadLimits::default(),
            engine: EngineConfig::default(),
            api: ApiConfig { environment: "test".to_owned(), ..ApiConfig::default() },
            workers: 1,
        };
        Builder { fakes, adapters, config }
    }

    /// Starts it on fakes alone.
    pub(crate) fn start() -> Self {
        Self::builder().start()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.front.address()
    }

    pub(crate) fn front(&self) -> &Front {
        &self.front
    }

    /// Stops answering.
    pub(crate) async fn stop(self) {
        self.front.stop().await;
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.fakes.clock.advance(TimeDelta::seconds(seconds));
    }

    /// Runs the jobs that are due now.
    pub(crate) async fn run_pending_jobs(&self) -> usize {
        self.engine.run_pending().await.unwrap()
    }

    /// The engine, for a test that must leave it in the middle of a job.
    pub(crate) fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.engine)
    }

    /// A request to be added to.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address()))
    }

    /// A call, with a token if there is one.
    pub(crate) async fn call(&self, method: Method, path: &str, token: &str) -> Answer {
        let request = self.request(method, path);
        send(if token.is_empty() { request } else { request.bearer_auth(token) }).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, token).await
    }

    /// Sends JSON.
    pub(crate) async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.post_text(path, token, body.to_string()).await
    }

    /// Sends what claims to be JSON.
    pub(crate) async fn post_text(
        &self,
        path: &str,
        token: &str,
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        send(request.body(body)).await
    }

    pub(crate) async fn register(&self, email: &str) -> Answer {
        let body = json!({"email": email, "password": PASSWORD});
        self.post("/api/auth/register", "", &body).await
    }

    pub(crate) async fn login(&self, email: &str, password: &str) -> Answer {
        let body = json!({"username": email, "password": password});
        self.post("/api/auth/login", "", &body).await
    }

    /// The token of a new account.
    pub(crate) async fn token(&self, email: &str) -> String {
        assert_eq!(self.register(email).await.status, 201);
        self.login(email, PASSWORD).await.ok()["access_token"].as_str().unwrap().to_owned()
    }

    /// The id of a new transcription.
    pub(crate) async fn create(&self, token: &str, video_url: &str) -> String {
        let created =
            self.post("/api/transcription", token, &json!({"video_url": video_url})).await;
        assert_eq!(created.status, 201, "{created:?}");
        created.json()["id"].as_str().unwrap().to_owned()
    }

    /// One transcription as it stands.
    pub(crate) async fn transcription(&self, token: &str, id: &str) -> Value {
        self.get(&format!("/api/transcription/{id}"), token).await.ok()
    }

    /// Writes bytes as they are and reads until the connection ends.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        // The service may answer and close before it has read all of a request that it refuses.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let _ = tokio::time::timeout(Duration::from_secs(30), read).await.expect("an end");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Fails unless the service still answers, and answers well.
    pub(crate) async fn is_alive(&self) {
        assert_eq!(self.get("/health", "").await.ok()["status"], "healthy");
    }
}

/// Sends a request and reads its answer.
pub(crate) async fn send(request: RequestBuilder) -> Answer {
    Answer::read(request.send().await.unwrap()).await
}

/// The address of this machine to itself.
pub(crate) const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// Exempts [`LOOPBACK`], and nothing else, from the rule that addresses are public.
pub(crate) fn loopback_policy() -> AddressPolicy {
    AddressPolicy::new(vec![LOOPBACK.into()])
}
