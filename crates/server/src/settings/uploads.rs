//! Where the files lie that users hand in, and how many.

use infrastructure::objects::S3Config;
use url::{Host, Url};

use super::{reader::Reader, values};

/// The region of a service that has none.
const REGION: &str = "us-east-1";

/// Where the files lie that users hand in, and how many.
#[derive(Debug, Clone)]
pub struct UploadSettings {
    /// `OBJECT_STORE_URL` and what belongs to it; `None` for a folder in `DATA_DIR`.
    pub bucket: Option<S3Config>,
    /// `UPLOAD_QUOTA_BYTES`: what one user's live transcriptions may have handed in; `None` when
    /// it is off.
    pub quota_bytes: Option<u64>,
}

impl UploadSettings {
    pub(super) fn gather(reader: &mut Reader) -> Option<Self> {
        let quota = reader.required("UPLOAD_QUOTA_BYTES", |text| match text {
            "off" => Ok(None),
            _ => values::bytes(text).map(Some).map_err(|problem| format!("{problem}, or off")),
        });
        let bucket = match reader.text("OBJECT_STORE_URL").map(str::to_owned) {
            Some(place) => gather_bucket(reader, &place).map(Some),
            None => Some(no_bucket(reader)),
        };
        Some(Self { bucket: bucket?, quota_bytes: quota? })
    }

    /// The settings as the environment would write them.
    pub(super) fn describe(&self) -> Vec<(&'static str, String)> {
        let of = |tell: fn(&S3Config) -> String| self.bucket.as_ref().map(tell).unwrap_or_default();
        let quota = self.quota_bytes.map_or_else(|| "off".to_owned(), |bytes| bytes.to_string());
        vec![
            ("UPLOAD_QUOTA_BYTES", quota),
            ("OBJECT_STORE_URL", of(|s3| format!("s3://{}/{}", s3.bucket, s3.prefix))),
            ("OBJECT_STORE_ENDPOINT", of(|s3| s3.endpoint.clone().unwrap_or_default())),
            ("OBJECT_STORE_REGION", of(|s3| s3.region.clone())),
            ("OBJECT_STORE_ACCESS_KEY_ID", of(|s3| s3.access_key_id.clone())),
            ("OBJECT_STORE_SECRET_ACCESS_KEY", of(|_| super::describe::HIDDEN.to_owned())),
            ("OBJECT_STORE_ALLOW_HTTP", of(|s3| s3.allow_http.to_string())),
        ]
    }
}

/// Says what is set for nothing.
fn no_bucket(reader: &mut Reader) -> Option<S3Config> {
    for name in ["OBJECT_STORE_ENDPOINT", "OBJECT_STORE_ACCESS_KEY_ID"] {
        if reader.text(name).is_some() {
            reader.warn(format!("{name} is set, but does nothing without OBJECT_STORE_URL"));
        }
    }
    None
}

/// `None` when something is wrong, which `reader` has been told.
fn gather_bucket(reader: &mut Reader, place: &str) -> Option<S3Config> {
    let place = bucket_and_prefix(place);
    if place.is_none() {
        let problem = "must be s3:// and the name of a bucket, and may have a prefix behind it";
        reader.fault("OBJECT_STORE_URL", problem);
    }
    let allow_http = reader.optional("OBJECT_STORE_ALLOW_HTTP", values::truth);
    let endpoint = reader.optional("OBJECT_STORE_ENDPOINT", values::base_url);
    let plain = endpoint.as_ref().is_some_and(|url| url.scheme() == "http");
    let allow_http = allow_http.unwrap_or_default();
    if plain && !allow_http && !endpoint.as_ref().is_some_and(is_here) {
        let problem = "must be https; OBJECT_STORE_ALLOW_HTTP=true allows http";
        reader.fault("OBJECT_STORE_ENDPOINT", problem);
    }
    let key = reader.required("OBJECT_STORE_ACCESS_KEY_ID", |text| Ok(text.to_owned()));
    let secret = reader.required("OBJECT_STORE_SECRET_ACCESS_KEY", |text| Ok(text.into()));
    let (bucket, prefix) = place?;
    Some(S3Config {
        bucket,
        prefix,
        endpoint: endpoint.map(|url| url.as_str().trim_end_matches('/').to_owned()),
        region: reader.text("OBJECT_STORE_REGION").unwrap_or(REGION).to_owned(),
        access_key_id: key?,
        secret_access_key: secret?,
        allow_http: plain,
    })
}

/// Whether an address is that of this machine.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn bucket_and_prefix(text: &str) -> Option<(String, String)> {
    let rest = text.strip_prefix("s3://")?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_end_matches('/');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let named = (3..=63).contains(&bucket.len()) && bucket.bytes().all(plain);
    let segment =
        |part: &str| !part.is_empty() && !matches!(part, "." | "..") && part.bytes().all(plain);
    let placed = prefix.is_empty() || prefix.split('/').all(segment);
    (named && placed).then(|| (bucket.to_owned(), prefix.to_owned()))
}
