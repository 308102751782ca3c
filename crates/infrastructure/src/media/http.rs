//! The guarded client: one request at a time, each to an address that was judged.

use std::{sync::Arc, time::Duration};

use application::ports::FetchError;
use chrono::{DateTime, TimeDelta};
use domain::{AddressPolicy, FailureCode, MediaUrl};
use reqwest::{
    Client, Response, StatusCode,
    header::{
        ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER,
    },
    redirect,
};
use tokio::{task, time};

use super::{
    address::{Pinned, Resolver},
    error::{failed, unreachable},
};

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 3;

/// What the service calls itself to the servers from which it fetches.
const USER_AGENT: &str = concat!("saas-ia/", env!("CARGO_PKG_VERSION"));

/// Longest wait that another server can ask of us.
const MAX_RETRY_AFTER: TimeDelta = TimeDelta::days(1);

pub(super) struct GuardedHttp {
    policy: AddressPolicy,
    resolver: Arc<dyn Resolver>,
    answer: Duration,
}

impl GuardedHttp {
    pub(super) fn new(
        policy: AddressPolicy,
        resolver: Arc<dyn Resolver>,
        answer: Duration,
    ) -> Self {
        Self { policy, resolver, answer }
    }

    /// Asks for `url`, follows redirects under the same rules, and returns an answer that
    /// promises a file, its body unread.
    pub(super) async fn open(&self, url: &MediaUrl) -> Result<Response, FetchError> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = time::timeout(self.answer, self.ask(&url)).await.map_err(|_| {
                let waited = format!("{}: no answer in {:?}", host(&url), self.answer);
                failed(FailureCode::SourceUnreachable, waited)
            })??;
            match judge(response.status(), response.headers(), &url)? {
                Judgement::File => return Ok(response),
                Judgement::Elsewhere(next) => url = next,
            }
        }
        let detail = format!("{}: more than {MAX_REDIRECTS} redirects", host(&url));
        Err(failed(FailureCode::SourceRefused, detail))
    }

    async fn ask(&self, url: &MediaUrl) -> Result<Response, FetchError> {
        let pinned = Pinned::check(url, &self.policy, self.resolver.as_ref()).await?;
        let client = client(pinned, url.as_url().scheme() == "https").await?;
        let request = client
            .get(url.as_url().clone())
            .header(ACCEPT, "audio/*, video/*, application/octet-stream, */*;q=0.5")
            .header(ACCEPT_ENCODING, "identity");
        request.send().await.map_err(|error| unreachable(host(url), &error.without_url()))
    }
}

/// A client for one request: nothing of another request, neither a connection nor an address, can
/// be used for it.
async fn client(pinned: Pinned, tls: bool) -> Result<Client, FetchError> {
    let build = move || {
        let builder = Client::builder()
            .user_agent(USER_AGENT)
            .dns_resolver(pinned)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .pool_max_idle_per_host(0);
        // Reading the certificates of the machine takes a while, and fails where there are none.
        if tls { builder } else { builder.tls_certs_only([]) }.build()
    };
    let local = |error: String| failed(FailureCode::LocalResource, format!("http client: {error}"));
    let client = task::spawn_blocking(build).await.map_err(|error| local(error.to_string()))?;
    client.map_err(|error| local(format!("{error:?}")))
}

fn host(url: &MediaUrl) -> &str {
    url.as_url().host_str().unwrap_or_default()
}

#[derive(Debug)]
enum Judgement {
    File,
    Elsewhere(MediaUrl),
}

fn judge(status: StatusCode, headers: &HeaderMap, url: &MediaUrl) -> Result<Judgement, FetchError> {
    let fail = |code| Err(failed(code, format!("{}: answered {}", host(url), status.as_u16())));
    let later = |code| {
        let error = failed(code, format!("{}: answered {}", host(url), status.as_u16()));
        Err(FetchError { retry_after: retry_after(headers), ..error })
    };
    match status.as_u16() {
        200 | 203 if is_web_page(headers) => {
            Err(failed(FailureCode::NoAudio, format!("{}: a web page", host(url))))
        }
        200 | 203 => Ok(Judgement::File),
        204 | 205 => fail(FailureCode::NoAudio),
        301 | 302 | 303 | 307 | 308 => next_hop(url, headers).map(Judgement::Elsewhere),
        429 => later(FailureCode::SourceThrottled),
        408 | 425 | 500..=599 => later(FailureCode::SourceUnreachable),
        _ => fail(FailureCode::SourceRefused),
    }
}

/// Where a redirect leads. What it says is read as if a user had written it, and a transfer that
/// began encrypted stays so.
fn next_hop(from: &MediaUrl, headers: &HeaderMap) -> Result<MediaUrl, FetchError> {
    let refuse = |code, why: &str| failed(code, format!("{}: a redirect {why}", host(from)));
    let target = headers
        .get(LOCATION)
        .and_then(|location| std::str::from_utf8(location.as_bytes()).ok())
        .and_then(|location| from.as_url().join(location).ok())
        .ok_or_else(|| refuse(FailureCode::SourceRefused, "to nowhere"))?;
    let next = MediaUrl::parse(target.as_str())
        .map_err(|_| refuse(FailureCode::SourceForbidden, "to what is not a plain web address"))?;
    if from.as_url().scheme() == "https" && next.as_url().scheme() != "https" {
        return Err(refuse(FailureCode::SourceForbidden, "from https to http"));
    }
    Ok(next)
}

/// Whether the answer is a page for people: an error, a log-in, a player. Other types are not
/// believed either way, since servers guess them from the name of the file.
fn is_web_page(headers: &HeaderMap) -> bool {
    let declared = header(headers, &CONTENT_TYPE).unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(essence.as_str(), "text/html" | "application/xhtml+xml")
}

/// `Retry-After` in either form. An instant is measured against the other server's own `Date`, so
/// that its clock need not agree with ours.
fn retry_after(headers: &HeaderMap) -> Option<TimeDelta> {
    let value = header(headers, &RETRY_AFTER)?.trim();
    let wait = if let Ok(seconds) = value.parse::<u32>() {
        TimeDelta::seconds(i64::from(seconds))
    } else {
        let now = DateTime::parse_from_rfc2822(header(headers, &DATE)?).ok()?;
        DateTime::parse_from_rfc2822(value).ok()? - now
    };
    Some(wait.clamp(TimeDelta::zero(), MAX_RETRY_AFTER))
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::next_hop;
    use domain::{FailureCode, MediaUrl};
    use reqwest::header::{HeaderMap, HeaderValue, LOCATION};

    fn hop(from: &str, location: &str) -> Result<String, FailureCode> {
        let from = MediaUrl::parse(from).expect("a URL");
        let location = HeaderValue::from_str(location).expect("a header");
        let next = next_hop(&from, &HeaderMap::from_iter([(LOCATION, location)]));
        next.map(|url| url.as_url().to_string()).map_err(|error| error.code)
    }

    #[test]
    fn https_never_falls_back_to_http() {
        let (plain, tls) = ("http://a.test/x/y?q", "https://a.test/x/y?q");
        for location in ["http://b.test/", "HTTP://b.test", "http://b.test:443/"] {
            assert_eq!(hop(tls, location), Err(FailureCode::SourceForbidden), "{location}");
            assert!(hop(plain, location).is_ok(), "{location}");
        }
        assert_eq!(hop(plain, "https://b.test/"), Ok("https://b.test/".into()));
        assert_eq!(hop(tls, "https://b.test/"), Ok("https://b.test/".into()));
    }

    #[test]
    fn a_relative_location_is_read_from_where_it_was_said() {
        let from = "https://a.test:444/x/y?q#f";
        assert_eq!(hop(from, "z"), Ok("https://a.test:444/x/z".into()));
        assert_eq!(hop(from, "/z#t=1"), Ok("https://a.test:444/z".into()));
        assert_eq!(hop(from, "//b.test/z"), Ok("https://b.test/z".into()));
        assert_eq!(hop(from, "?p"), Ok("https://a.test:444/x/y?p".into()));
    }

    #[test]
    fn a_location_with_credentials_is_refused() {
        for location in ["https://u:p@b.test/", "//u@b.test/", "https:\\\\u:p@b.test"] {
            assert_eq!(hop("https://a.test/", location), Err(FailureCode::SourceForbidden));
        }
    }
}
