//! A small client, which knows the contract and nothing else.

use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::{
    Method, Url,
    header::{CONTENT_TYPE, HeaderMap},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::service::PATIENCE;

/// A password that every test may use.
pub const PASSWORD: &str = "correct horse battery staple";

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
    /// The body, where it is JSON, else `null`.
    pub json: Value,
}

impl Answer {
    /// A header as text; an absent one is empty.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// A member of the body that must be text.
    ///
    /// # Errors
    /// When it is not.
    pub fn word(&self, member: &str) -> anyhow::Result<&str> {
        let word = self.json.get(member).and_then(Value::as_str);
        word.with_context(|| format!("no text in {member}: {} {}", self.status, self.text))
    }

    /// The answer itself, if it has this status.
    ///
    /// # Errors
    /// When it has another.
    pub fn expect(self, status: u16) -> anyhow::Result<Self> {
        ensure!(self.status == status, "{} instead of {status}: {}", self.status, self.text);
        Ok(self)
    }
}

/// Speaks to one service. Every call is a connection of its own, so that a killed process cannot
/// be mistaken for a stale connection.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    /// Speaks to the service at `base`.
    ///
    /// # Errors
    /// When there is no TLS for reqwest to set up.
    pub fn new(base: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(PATIENCE)
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { http, base: base.to_owned() })
    }

    /// Sends a request as it is.
    ///
    /// # Errors
    /// When no answer came.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> anyhow::Result<Answer> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        read(request).await
    }

    /// Sends a request without a body.
    ///
    /// # Errors
    /// When no answer came.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
    ) -> anyhow::Result<Answer> {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> =
            bearer.iter().map(|value| ("Authorization", value.as_str())).collect();
        self.send(method, path, &headers, None).await
    }

    /// `GET`.
    ///
    /// # Errors
    /// When no answer came.
    pub async fn get(&self, path: &str, token: Option<&str>) -> anyhow::Result<Answer> {
        self.call(Method::GET, path, token).await
    }

    /// `POST` of JSON.
    ///
    /// # Errors
    /// When no answer came.
    pub async fn post(
        &self,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> anyhow::Result<Answer> {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![(CONTENT_TYPE.as_str(), "application/json")];
        headers.extend(bearer.iter().map(|value| ("Authorization", value.as_str())));
        self.send(Method::POST, path, &headers, Some(body.to_string())).await
    }

    /// Registers an account with [`PASSWORD`].
    ///
    /// # Errors
    /// When no answer came.
    pub async fn register(&self, email: &str) -> anyhow::Result<Answer> {
        let body = json!({ "email": email, "password": PASSWORD });
        self.post("/api/auth/register", None, &body).await
    }

    /// Signs in with the `OAuth2` form.
    ///
    /// # Errors
    /// When no answer came.
    pub async fn login(&self, email: &str, password: &str) -> anyhow::Result<Answer> {
        self.login_with(&[], email, password).await
    }

    /// Signs in with the `OAuth2` form and more headers.
    ///
    /// # Errors
    /// When no answer came.
    pub async fn login_with(
        &self,
        headers: &[(&str, &str)],
        email: &str,
        password: &str,
    ) -> anyhow::Result<Answer> {
        let members = [("username", email), ("password", password)];
        let form = Url::parse_with_params(&self.base, members)?;
        let body = form.query().map(str::to_owned);
        let mut all = vec![(CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded")];
        all.extend_from_slice(headers);
        self.send(Method::POST, "/api/auth/login", &all, body).await
    }

    /// Registers an account and signs in.
    ///
    /// # Errors
    /// When either is refused.
    pub async fn account(&self, email: &str) -> anyhow::Result<Account> {
        self.register(email).await?.expect(201)?;
        let answer = self.login(email, PASSWORD).await?.expect(200)?;
        let token = answer.word("access_token")?.to_owned();
        Ok(Account { client: self.clone(), token })
    }
}

async fn read(request: reqwest::RequestBuilder) -> anyhow::Result<Answer> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await?;
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(Answer { status, headers, text, json })
}

/// What stands between the parts of a form, and in none of the fixtures.
const BOUNDARY: &str = "5d1c9a7e3b2f4c60";

/// A multipart form with one file.
fn form(name: &str, content: &[u8], options: &[(&str, &str)]) -> Vec<u8> {
    let mut form = Vec::new();
    for (name, value) in options {
        let head = format!("Content-Disposition: form-data; name=\"{name}\"");
        form.extend(format!("--{BOUNDARY}\r\n{head}\r\n\r\n{value}\r\n").bytes());
    }
    let head = format!("Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"");
    form.extend(format!("--{BOUNDARY}\r\n{head}\r\n\r\n").bytes());
    form.extend(content);
    form.extend(format!("\r\n--{BOUNDARY}--\r\n").bytes());
    form
}

/// An account that is signed in.
#[derive(Clone)]
pub struct Account {
    /// Speaks to the service.
    pub client: Client,
    /// Its access token.
    pub token: String,
}

impl Account {
    /// `GET` with the token.
    ///
    /// # Errors
    /// When no answer came.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.client.get(path, Some(&self.token)).await
    }

    /// Asks for a transcription.
    ///
    /// # Errors
    /// When no answer came.
    pub async fn create(&self, video_url: &str) -> anyhow::Result<Answer> {
        let body = json!({ "video_url": video_url });
        self.client.post("/api/transcription", Some(&self.token), &body).await
    }

    /// Asks for a transcription with words that the engine is told to expect.
    ///
    /// # Errors
    /// When no answer came.
    pub async fn create_with_keyterm(
        &self,
        video_url: &str,
        keyterm: &str,
    ) -> anyhow::Result<Answer> {
        let body = json!({ "video_url": video_url, "keyterms": [keyterm] });
        self.client.post("/api/transcription", Some(&self.token), &body).await
    }

    /// Hands in a file, with options beside it.
    ///
    /// # Errors
    /// When no answer came.
    pub async fn upload(
        &self,
        name: &str,
        content: &[u8],
        options: &[(&str, &str)],
    ) -> anyhow::Result<Answer> {
        let Client { http, base } = &self.client;
        let request = http
            .post(format!("{base}/api/transcription/upload"))
            .bearer_auth(&self.token)
            .header(CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"));
        read(request.body(form(name, content, options))).await
    }

    /// Reads a transcription.
    ///
    /// # Errors
    /// When no answer came.
    pub async fn transcription(&self, id: &str) -> anyhow::Result<Answer> {
        self.get(&format!("/api/transcription/{id}")).await
    }

    /// Reads a transcription until it has ended.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn until_ended(&self, id: &str) -> anyhow::Result<Answer> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.transcription(id).await?.expect(200)?;
            if !["pending", "processing"].contains(&answer.word("status")?) {
                return Ok(answer);
            }
            ensure!(Instant::now() < deadline, "{id} does not end: {}", answer.text);
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until none of its transcriptions is pending or processing.
    ///
    /// # Errors
    /// When that takes longer than `patience`.
    pub async fn until_idle(&self, patience: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        // A job is never pending again once it is processing.
        for status in ["pending", "processing"] {
            let path = format!("/api/transcription?limit=1&status={status}");
            loop {
                let page = self.get(&path).await?.expect(200)?;
                let items = page.json["items"].as_array().context("a page has items")?;
                let Some(item) = items.first() else { break };
                ensure!(Instant::now() < deadline, "does not end: {item}");
                sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(())
    }

    /// Every transcription, page by page.
    ///
    /// # Errors
    /// When a page is refused.
    pub async fn list(&self) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor = None::<String>;
        loop {
            let after = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
            let page = self.get(&format!("/api/transcription?limit=100{after}")).await?;
            let page = page.expect(200)?;
            let listed = page.json.get("items").and_then(Value::as_array);
            items.extend(listed.context("a page has items")?.iter().cloned());
            if page.json["has_more"] != json!(true) {
                return Ok(items);
            }
            cursor = Some(page.word("next_cursor")?.to_owned());
        }
    }
}
