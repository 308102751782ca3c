//! How single values are written.

use std::{fmt, net::IpAddr, ops::RangeInclusive};

use application::{BudgetName, limits::Quotas};
use ipnet::IpNet;
use url::{Host, Url};

use super::reader::elements;

/// Which pages of other origins may use the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Every page; never in production.
    Any,
    /// Pages of these origins, written as a browser writes them.
    Only(Vec<String>),
}

/// The shield in front of everything, for each address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FloodLimit {
    /// How many calls a second, on average.
    pub per_second: u32,
    /// How many at once.
    pub burst: u32,
}

impl fmt::Display for FloodLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s,burst={}", self.per_second, self.burst)
    }
}

/// A whole number within `range`.
pub(super) fn number(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<u64, String> {
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        let (low, high) = (range.start(), range.end());
        number.ok_or_else(|| format!("must be a whole number from {low} to {high}"))
    }
}

/// `true` or `false`.
pub(super) fn truth(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "must be true or false".to_owned())
}

/// A number of bytes: `1048576`, `500MB`, `2GiB`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: Option<u64> = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "kb" => Some(1_000),
        "mb" => Some(1_000_000),
        "gb" => Some(1_000_000_000),
        "kib" => Some(1 << 10),
        "mib" => Some(1 << 20),
        "gib" => Some(1 << 30),
        _ => None,
    };
    let parsed = number.parse::<u64>().ok().zip(factor);
    parsed
        .and_then(|(number, factor)| number.checked_mul(factor))
        .filter(|bytes| (1..=1 << 40).contains(bytes))
        .ok_or_else(|| "must be a size from 1 byte to 1024GiB, such as 500MB or 2GiB".to_owned())
}

/// A network, or one address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let single = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse::<IpNet>()
        .or_else(|_| single())
        .map(|network| network.trunc())
        .map_err(|_| "must list networks such as 10.0.0.0/8, or addresses".to_owned())
}

/// A name or an address to listen on.
pub(super) fn host(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(address.to_string());
    }
    match Host::parse(text) {
        Ok(Host::Domain(name)) if name.bytes().any(|byte| byte.is_ascii_alphabetic()) => Ok(name),
        _ => Err("must be an address or a name to listen on, without a port".to_owned()),
    }
}

/// `*`, or exact origins.
pub(super) fn cors_origins(text: &str) -> Result<CorsOrigins, String> {
    if text == "*" {
        return Ok(CorsOrigins::Any);
    }
    elements(text).map(origin).collect::<Result<_, _>>().map(CorsOrigins::Only)
}

fn origin(text: &str) -> Result<String, String> {
    let refused = || "must list exact origins such as https://app.example.com".to_owned();
    let url = Url::parse(text).map_err(|_| refused())?;
    let bare = matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && !text.contains('*');
    if bare { Ok(url.origin().ascii_serialization()) } else { Err(refused()) }
}

/// The address of an API.
pub(super) fn base_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    });
    url.ok_or_else(|| {
        "must be an http or https address without user, query and fragment".to_owned()
    })
}

/// `off`, or what differs from the table: `auth_login=10/minute,transcription_create=off`.
pub(super) fn rate_limits(text: &str) -> Result<Quotas, String> {
    if text == "off" {
        return Ok(Quotas::OFF);
    }
    let mut quotas = Quotas::default();
    let mut seen = Vec::new();
    for element in elements(text) {
        let (name, quota) = element.split_once('=').ok_or(
            "must be off, or a list such as auth_login=10/minute,transcription_create=off",
        )?;
        let name = BudgetName::from_word(name.trim()).ok_or_else(|| {
            let known: Vec<&str> = BudgetName::TABLE.iter().map(|(_, name, _)| *name).collect();
            format!("names a budget that is none of {}", known.join(", "))
        })?;
        if seen.contains(&name) {
            return Err(format!("sets {} twice", name.as_str()));
        }
        seen.push(name);
        quotas.set(name, quota_of(quota.trim())?);
    }
    Ok(quotas)
}

fn quota_of(text: &str) -> Result<Option<u32>, &'static str> {
    if text == "off" {
        return Ok(None);
    }
    let number = text.strip_suffix("/minute").and_then(|number| number.trim().parse().ok());
    let quota = number.filter(|quota| (1..=1_000_000).contains(quota));
    quota.map(Some).ok_or("must give each budget N/minute or off")
}

/// `off`, `500/s`, or `500/s,burst=1000`; without a burst it is twice the rate.
pub(super) fn flood_limit(text: &str) -> Result<Option<FloodLimit>, String> {
    if text == "off" {
        return Ok(None);
    }
    let (rate, burst) = match text.split_once(',') {
        None => (text, None),
        Some((rate, rest)) => (rate, Some(rest)),
    };
    let within = |number: &u32| (1..=1_000_000).contains(number);
    let number = |text: &str| text.trim().parse::<u32>().ok().filter(within);
    let per_second = rate.trim().strip_suffix("/s").and_then(number);
    let burst = match burst {
        None => per_second.map(|rate| rate.saturating_mul(2)),
        Some(rest) => rest.trim().strip_prefix("burst=").and_then(number),
    };
    per_second
        .zip(burst)
        .map(|(per_second, burst)| Some(FloodLimit { per_second, burst }))
        .ok_or_else(|| "must be off, or such as 500/s or 500/s,burst=1000".to_owned())
}
