//! Password digests: bcrypt over a keyed digest of the whole password.
//!
//! Stored as `$saasia$v=1,k=<key id>$2b$<cost>$…`, where bcrypt hashes
//! `base64(HMAC-SHA-384(key, password))`: 64 bytes without a NUL, so that bcrypt ignores nothing.
//! The key is the pepper, or a constant of the product. Plain bcrypt hashes (`$2a$`, `$2b$`,
//! `$2y$`) of the service's predecessor verify and count as outdated.

use std::time::Duration;

use application::ports::{HashError, PasswordHasher, PortFailure, Verified};
use async_trait::async_trait;
use aws_lc_rs::{digest, hmac};
use base64::{Engine, engine::general_purpose::STANDARD};
use bcrypt::HashParts;
use domain::PasswordDigest;
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::gate::Gate;

/// What stands before the bcrypt hash, up to the key id.
const SCHEME: &str = "$saasia$v=1,k=";

/// The key where no pepper is set. It hides nothing; it only makes the scheme one.
const CONSTANT_KEY: &[u8] = b"saas-ia password digest v1";

/// The id of [`CONSTANT_KEY`]; no pepper has it, theirs are longer.
const CONSTANT_KEY_ID: &str = "0";

/// How passwords are hashed.
#[derive(Debug, Clone)]
pub struct BcryptConfig {
    /// Two to this power rounds; 4 to 31.
    pub cost: u32,
    /// The key for new digests; `None` for a constant.
    pub pepper: Option<SecretString>,
    /// Keys of digests made before; these are outdated but verify.
    pub previous_peppers: Vec<SecretString>,
    /// How many hashes are computed at once.
    pub permits: usize,
    /// How many more may wait; the rest is turned away.
    pub queue: usize,
}

impl Default for BcryptConfig {
    /// Cost 12, no pepper, a hash for each core, 64 waiting.
    fn default() -> Self {
        Self {
            cost: 12,
            pepper: None,
            previous_peppers: Vec::new(),
            permits: std::thread::available_parallelism().map_or(1, usize::from),
            queue: 64,
        }
    }
}

/// Hashes passwords with bcrypt on the blocking pool.
pub struct BcryptHasher {
    cost: u32,
    /// The current key first.
    keys: Vec<Key>,
    /// A valid hash that nothing matches, verified where there is no account.
    dummy: String,
    gate: Gate,
}

struct Key {
    id: String,
    hmac: hmac::Key,
}

impl Key {
    fn constant() -> Self {
        Self {
            id: CONSTANT_KEY_ID.to_owned(),
            hmac: hmac::Key::new(hmac::HMAC_SHA384, CONSTANT_KEY),
        }
    }

    fn pepper(pepper: &SecretString) -> Self {
        let bytes = pepper.expose_secret().as_bytes();
        let hash = digest::digest(&digest::SHA256, bytes);
        let id =
            hash.as_ref()[..4].iter().fold(String::new(), |id, byte| id + &format!("{byte:02x}"));
        Self { id, hmac: hmac::Key::new(hmac::HMAC_SHA384, bytes) }
    }

    /// What bcrypt hashes instead of the password.
    fn digest(&self, password: &str) -> SecretSlice<u8> {
        let tag = hmac::sign(&self.hmac, password.as_bytes());
        STANDARD.encode(tag.as_ref()).into_bytes().into()
    }
}

/// One verification, decided before the hash is computed.
struct Check {
    input: SecretSlice<u8>,
    hash: String,
    /// Whether equal hashes mean a right password.
    counts: bool,
    outdated: bool,
}

impl BcryptHasher {
    /// Computes nothing yet.
    pub fn new(config: &BcryptConfig) -> Self {
        let peppers = config.pepper.iter().chain(&config.previous_peppers).map(Key::pepper);
        let mut keys: Vec<Key> = peppers.collect();
        // Digests made before there was a pepper keep working; without one this is the current.
        let constant_at = if config.pepper.is_some() { keys.len() } else { 0 };
        keys.insert(constant_at, Key::constant());
        let typical = Duration::from_micros(60) * 2_u32.saturating_pow(config.cost.min(24));
        Self {
            cost: config.cost,
            keys,
            dummy: format!("$2b${:02}${}", config.cost, ".".repeat(53)),
            gate: Gate::new(config.permits, config.queue, typical),
        }
    }

    fn current(&self) -> &Key {
        &self.keys[0]
    }

    fn check(&self, password: &str, digest: Option<&PasswordDigest>) -> Check {
        let known = digest.and_then(|digest| {
            let check = self.check_stored(password, digest.expose());
            if check.is_none() {
                tracing::error!(
                    event = "password_digest_unusable",
                    "a stored password digest has an unknown form or key"
                );
            }
            check
        });
        known.unwrap_or_else(|| Check {
            input: self.current().digest(password),
            hash: self.dummy.clone(),
            counts: false,
            outdated: false,
        })
    }

    fn check_stored(&self, password: &str, stored: &str) -> Option<Check> {
        let Some(keyed) = stored.strip_prefix(SCHEME) else {
            return check_plain(password, stored);
        };
        let (id, hash) = keyed.split_at_checked(keyed.find('$')?)?;
        let key = self.keys.iter().find(|key| key.id == id)?;
        let cost = cost_of(hash)?;
        Some(Check {
            input: key.digest(password),
            hash: hash.to_owned(),
            counts: true,
            outdated: cost != self.cost || id != self.current().id,
        })
    }
}

/// The predecessor hashed the first 72 bytes and refused NUL. Here a NUL would make
/// different passwords equal, because bcrypt repeats a key with its closing NUL.
fn check_plain(password: &str, stored: &str) -> Option<Check> {
    cost_of(stored)?;
    let bytes = password.as_bytes();
    Some(Check {
        input: bytes[..bytes.len().min(72)].to_vec().into(),
        hash: stored.to_owned(),
        counts: !bytes.contains(&0),
        outdated: true,
    })
}

/// The cost of a bcrypt hash that can be verified.
fn cost_of(hash: &str) -> Option<u32> {
    let supported = ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| hash.starts_with(prefix));
    let cost = hash.parse::<HashParts>().ok()?.get_cost();
    (supported && (4..=31).contains(&cost)).then_some(cost)
}

#[async_trait]
impl PasswordHasher for BcryptHasher {
    async fn hash(&self, password: &str) -> Result<PasswordDigest, HashError> {
        let (cost, input) = (self.cost, self.current().digest(password));
        let hash = self
            .gate
            .run(move || bcrypt::non_truncating_hash(input.expose_secret(), cost))
            .await?
            .map_err(|error| PortFailure::permanent("hasher.hash", error))?;
        Ok(PasswordDigest::new(format!("{SCHEME}{}{hash}", self.current().id)))
    }

    async fn verify(
        &self,
        password: &str,
        digest: Option<&PasswordDigest>,
    ) -> Result<Verified, HashError> {
        let Check { input, hash, counts, outdated } = self.check(password, digest);
        let equal = self
            .gate
            .run(move || bcrypt::verify(input.expose_secret(), &hash))
            .await?
            .map_err(|error| PortFailure::permanent("hasher.verify", error))?;
        Ok(Verified { matches: equal && counts, outdated })
    }
}
