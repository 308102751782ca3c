//! A bucket of Amazon S3, or of another service that speaks its protocol.

use std::{fmt, sync::Arc, time::Duration};

use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig, aws::AmazonS3Builder};
use secrecy::{ExposeSecret, SecretString};

/// How many bytes a part has, at least: the protocol demands 5 MiB of all but the last.
pub(super) const PIECE_BYTES: u64 = 8 * 1_024 * 1_024;

/// Most parts of one file.
pub(super) const MAX_PIECES: u64 = 10_000;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long nothing may come of an answer.
const SILENCE: Duration = Duration::from_secs(30);

/// A bucket, and who we are there.
#[derive(Clone)]
pub struct S3Config {
    /// The bucket.
    pub bucket: String,
    /// What stands before every name in it; may be empty.
    pub prefix: String,
    /// Where the service is, unless it is Amazon's.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: String,
    /// The name of the key.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: SecretString,
    /// Whether the endpoint may be spoken to without TLS.
    pub allow_http: bool,
}

impl fmt::Debug for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Config")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

pub(super) fn open(config: &S3Config) -> Result<Arc<dyn ObjectStore>, object_store::Error> {
    // A request as a whole has no deadline here, since a download may take long; every other call
    // has one of its own.
    let client = ClientOptions::new()
        .with_allow_http(config.allow_http)
        .with_connect_timeout(CONNECT)
        .with_read_timeout(SILENCE)
        .with_timeout_disabled();
    let retry = RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: 3,
        retry_timeout: Duration::from_secs(30),
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&config.bucket)
        .with_region(&config.region)
        .with_access_key_id(&config.access_key_id)
        .with_secret_access_key(config.secret_access_key.expose_secret())
        .with_client_options(client)
        .with_retry(retry)
        // Not every service that speaks the protocol knows how to delete several at once.
        .with_disable_bulk_delete(true);
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
    }
    Ok(Arc::new(builder.build()?))
}
