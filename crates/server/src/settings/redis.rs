//! Where the Redis is that instances share.

use infrastructure::redis::RedisConfig;
use url::Url;

use super::{describe::HIDDEN, networks::is_near, reader::Reader};

/// Where the Redis is that instances share.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// `REDIS_URL`; `None` when everything is in the process.
    pub config: Option<RedisConfig>,
    /// The address without its password.
    shown: String,
}

impl RedisSettings {
    /// Everything in the process.
    pub const fn none() -> Self {
        Self { config: None, shown: String::new() }
    }

    pub(super) fn gather(reader: &mut Reader) -> Option<Self> {
        if reader.text("REDIS_URL").is_none() {
            return Some(Self::none());
        }
        let url = reader.optional("REDIS_URL", address)?;
        if !url.host_str().is_some_and(is_near) {
            for (missing, warning) in [
                (url.password().is_none(), "has no password"),
                (url.scheme() != "rediss", "is not rediss://, so that others can read along"),
            ] {
                if missing {
                    let place = "though the server is elsewhere";
                    reader.warn(format!("REDIS_URL {warning}, {place}"));
                }
            }
        }
        Some(Self { config: Some(RedisConfig::new(url.as_str())), shown: without_password(&url) })
    }

    /// The setting as the environment would write it.
    pub(super) fn describe(&self) -> Vec<(&'static str, String)> {
        vec![("REDIS_URL", self.shown.clone())]
    }
}

fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| {
        let database = url.path().strip_prefix('/').unwrap_or_default();
        matches!(url.scheme(), "redis" | "rediss")
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.port() != Some(0)
            && database.len() <= 5
            && database.bytes().all(|byte| byte.is_ascii_digit())
            && url.query().is_none()
            && url.fragment().is_none()
            && RedisConfig::new(url.as_str()).check().is_ok()
    });
    url.ok_or_else(|| {
        "must be such as redis://:password@host:6379/0, or rediss:// for TLS, with the number of a \
         database or none, and nothing behind it"
            .to_owned()
    })
}

fn without_password(url: &Url) -> String {
    let mut shown = url.clone();
    if url.password().is_some() && shown.set_password(Some(HIDDEN)).is_err() {
        return HIDDEN.to_owned();
    }
    shown.into()
}
