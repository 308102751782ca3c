//! The secret from which signing keys are derived: how one is judged, and the one that is kept
//! for development.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use application::ports::Entropy;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;

/// Fewest bytes of a secret.
pub(super) const MIN_BYTES: usize = 32;

/// `SECRET_KEY`.
#[derive(Debug, Clone)]
pub enum SecretKey {
    /// It was given.
    Given(SecretString),
    /// It was not: a random one is kept in this file. Never in production.
    Kept(PathBuf),
}

impl SecretKey {
    /// The secret itself. Makes and keeps one, readable by its owner alone, where none was given
    /// and none is kept yet; of several processes that do so at once, all get the same.
    ///
    /// # Errors
    /// When the file cannot be read or written, or holds no secret.
    pub fn resolve(&self, entropy: &dyn Entropy) -> io::Result<SecretString> {
        match self {
            Self::Given(secret) => Ok(secret.clone()),
            Self::Kept(path) => match read(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    make(path, entropy)?;
                    read(path)
                }
                outcome => outcome,
            },
        }
    }
}

fn read(path: &Path) -> io::Result<SecretString> {
    let text = fs::read_to_string(path)?;
    if text.trim().len() < MIN_BYTES {
        let problem = format!("{} holds no secret; remove it to get a new one", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    }
    Ok(text.trim().into())
}

/// Writes a whole file aside and links it to its name, which fails if another was first.
fn make(path: &Path, entropy: &dyn Entropy) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let secret = URL_SAFE_NO_PAD.encode(entropy.secret());
    let unique = URL_SAFE_NO_PAD.encode(&entropy.secret()[..12]);
    let aside = path.with_extension(format!("{unique}.tmp"));
    let linked = write_private(&aside, &secret).and_then(|()| fs::hard_link(&aside, path));
    // What is left behind by a crash here is a secret that nobody uses.
    let _ = fs::remove_file(&aside);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Parts of well-known secrets, without punctuation and in lower case. A random text has none of
/// them but by a chance of one in millions.
const WELL_KNOWN: [&str; 31] = [
    "changeme",
    "changethis",
    "changein",
    "changeit",
    "replaceme",
    "replacethis",
    "replacewith",
    "secretkey",
    "yoursecret",
    "mysecret",
    "devsecret",
    "testsecret",
    "supersecret",
    "jwtsecret",
    "topsecret",
    "secretsecret",
    "placeholder",
    "insecure",
    "notsecure",
    "donotuse",
    "example",
    "default",
    "letmein",
    "password",
    "qwerty",
    "asdfgh",
    "correcthorse",
    "deadbeef",
    "saasia",
    "loremipsum",
    // The key printed in FastAPI's tutorial, which many services were begun with.
    "09d25e094faa6ca2556c818166b7a956",
];

/// Judges a secret that is to guard something.
pub(super) fn judge(secret: &str) -> Result<(), String> {
    let advice = "make one with `openssl rand -base64 48`";
    if secret.len() < MIN_BYTES {
        return Err(format!("must have at least {MIN_BYTES} bytes; {advice}"));
    }
    let plain: String = secret.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    if WELL_KNOWN.iter().any(|known| plain.contains(known)) {
        return Err(format!("is a well-known or placeholder value; {advice}"));
    }
    if is_guessable(secret.as_bytes()) {
        return Err(format!("is too easy to guess; {advice}"));
    }
    Ok(())
}

/// Whether a text of at least 32 bytes is clearly not random: few different bytes, repetition,
/// runs of neighbours, or prose.
fn is_guessable(secret: &[u8]) -> bool {
    let mut counts = BTreeMap::<u8, u32>::new();
    for byte in secret {
        *counts.entry(*byte).or_default() += 1;
    }
    #[expect(clippy::cast_precision_loss, reason = "a setting is far shorter than 2^52 bytes")]
    let length = secret.len() as f64;
    let bits: f64 = counts.values().map(|n| -f64::from(*n) * (f64::from(*n) / length).log2()).sum();
    let triples: BTreeSet<&[u8]> = secret.windows(3).collect();
    let neighbours = secret.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) <= 1).count();
    // A random text of hexadecimal digits, the poorest that is usual, passes each by far.
    bits < 72.0
        || triples.len() * 10 < (secret.len() - 2) * 7
        || neighbours * 3 > secret.len() * 2
        || is_prose(secret)
}

/// Words have some two bits a letter, so they must be more.
fn is_prose(secret: &[u8]) -> bool {
    let lower = secret.iter().filter(|byte| byte.is_ascii_lowercase()).count();
    let upper = secret.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    let breaks = secret.iter().filter(|byte| matches!(byte, b' ' | b'-' | b'_' | b'.')).count();
    let hexadecimal = secret.iter().all(u8::is_ascii_hexdigit);
    !hexadecimal && lower.max(upper) + breaks >= secret.len() - 4 && secret.len() < 56
}

#[cfg(test)]
mod tests {
    use super::{SecretKey, judge};
    use application::ports::Entropy;
    use infrastructure::system::OsEntropy;
    use secrecy::ExposeSecret;

    #[test]
    fn random_secrets_pass_in_every_usual_writing() {
        use base64::{Engine, engine::general_purpose::STANDARD};
        for _ in 0..2_000 {
            let bytes = OsEntropy.secret();
            let (high, low) = bytes.split_at(16);
            let number = |half: &[u8]| u128::from_be_bytes(half.try_into().unwrap());
            let hex = format!("{:032x}{:032x}", number(high), number(low));
            for secret in [STANDARD.encode(bytes), hex[..32].to_owned(), hex.to_uppercase(), hex] {
                assert_eq!(judge(&secret), Ok(()), "{secret}");
            }
        }
        assert_eq!(judge("ochre-tundra-violin-gasket-murmur-lattice-pebble-onward-quartz"), Ok(()));
    }

    #[test]
    fn processes_that_start_together_keep_one_secret() {
        let folder = tempfile::tempdir().unwrap();
        let key = SecretKey::Kept(folder.path().join("new/secret-key"));
        let secrets: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..16).map(|_| scope.spawn(|| key.resolve(&OsEntropy).unwrap())).collect();
            let joined = threads.into_iter().map(|thread| thread.join().unwrap());
            joined.map(|secret| secret.expose_secret().to_owned()).collect()
        });
        assert!(secrets.iter().all(|secret| *secret == secrets[0]));
        assert_eq!(judge(&secrets[0]), Ok(()));
        let left: Vec<_> = std::fs::read_dir(folder.path().join("new")).unwrap().collect();
        assert_eq!(left.len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn the_kept_secret_is_readable_by_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret-key");
        SecretKey::Kept(path.clone()).resolve(&OsEntropy).unwrap();
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_an_error_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret-key");
        std::fs::write(&path, "short").unwrap();
        assert!(SecretKey::Kept(path.clone()).resolve(&OsEntropy).is_err());
        assert_eq!(std::fs::read_to_string(path).unwrap(), "short");
    }
}
