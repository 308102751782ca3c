//! Which database.

use std::{collections::BTreeSet, fmt, path::PathBuf};

use infrastructure::persistence::PostgresConfig;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{describe::HIDDEN, networks::is_near, reader::Reader, values};

/// Parameters that the address of a server may have.
const PARAMETERS: [&str; 6] = ["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "options"];

/// Values of `sslmode`.
const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Values of `sslmode` with which nothing is ever sent in the clear.
const ENCRYPTED: [&str; 3] = ["require", "verify-ca", "verify-full"];

/// Which database.
#[derive(Debug, Clone)]
pub enum DatabaseSettings {
    /// A file, for one process.
    Sqlite(PathBuf),
    /// A server, for any number of processes.
    Postgres(PostgresUrl),
}

/// The address of a PostgreSQL server, which may hold a password.
#[derive(Clone)]
pub struct PostgresUrl {
    url: SecretString,
    shown: String,
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl PostgresUrl {
    /// The address as it was written. For the driver alone.
    pub fn expose(&self) -> &str {
        self.url.expose_secret()
    }
}

/// As the environment would write it, the password hidden.
impl fmt::Display for DatabaseSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => f.write_str(&url.shown),
        }
    }
}

impl DatabaseSettings {
    /// Whether several processes may use it.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// `{DATA_DIR}` in the address of a file stands for `data_dir`.
    pub(super) fn gather(reader: &mut Reader, data_dir: &str) -> Option<Self> {
        let mut clear = false;
        let database = reader.required("DATABASE_URL", |text| {
            if text.starts_with("postgres") {
                let (url, parsed) = postgres(text)?;
                clear = may_be_read_on_the_way(&parsed);
                return Ok(Self::Postgres(url));
            }
            sqlite(&text.replace("{DATA_DIR}", data_dir.trim_end_matches('/'))).map(Self::Sqlite)
        });
        if clear {
            reader.warn(
                "DATABASE_URL names a server elsewhere without sslmode=require or verify-full: \
                 what is sent may be readable on the way",
            );
        }
        database
    }
}

fn sqlite(url: &str) -> Result<PathBuf, String> {
    let Some(path) = url.strip_prefix("sqlite://") else {
        return Err("must be sqlite:// and the path of a file, or postgresql://…".to_owned());
    };
    if path.is_empty() || path.contains(['?', '#', '%']) || path.contains(":memory:") {
        return Err("must be sqlite:// and the path of a file, without options".to_owned());
    }
    Ok(PathBuf::from(path))
}

fn postgres(text: &str) -> Result<(PostgresUrl, Url), String> {
    let form = "must be of the form postgresql://user:password@host:port/database";
    let url = Url::parse(text).map_err(|_| form)?;
    let name = url.path().strip_prefix('/').unwrap_or_default();
    let sound = matches!(url.scheme(), "postgresql" | "postgres")
        && url.fragment().is_none()
        && !name.is_empty()
        && !name.contains('/');
    // The driver would log one that it does not know, with its value.
    if url.query_pairs().any(|(key, _)| !PARAMETERS.contains(&key.as_ref())) {
        return Err(format!("has a parameter that is none of {}", PARAMETERS.join(", ")));
    }
    // Of two the driver takes the last, and whoever looks here may see the first.
    let mut seen = BTreeSet::new();
    if !url.query_pairs().all(|(key, _)| seen.insert(key)) {
        return Err("has a parameter twice".to_owned());
    }
    let mode = url.query_pairs().find(|(key, _)| key == "sslmode").map(|(_, mode)| mode);
    if mode.is_some_and(|mode| !MODES.contains(&mode.as_ref())) {
        return Err(format!("has an sslmode that is none of {}", MODES.join(", ")));
    }
    if !sound || PostgresConfig::new(text).is_err() {
        return Err(form.to_owned());
    }
    let mut shown = url.clone();
    if url.password().is_some() && shown.set_password(Some(HIDDEN)).is_err() {
        return Err(form.to_owned());
    }
    Ok((PostgresUrl { url: text.into(), shown: shown.into() }, url))
}

/// Whether what is sent to the server may cross the networks of others in the clear.
fn may_be_read_on_the_way(url: &Url) -> bool {
    let parameter = |name| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value);
    let encrypted = parameter("sslmode").is_some_and(|mode| ENCRYPTED.contains(&mode.as_ref()));
    let host = parameter("host").map(std::borrow::Cow::into_owned);
    !encrypted && !is_near(&host.or_else(|| url.host_str().map(str::to_owned)).unwrap_or_default())
}

/// How many connections serve requests.
pub(super) fn gather_pool_size(reader: &mut Reader) -> Option<usize> {
    let size = reader.required("DATABASE_POOL_SIZE", values::number(1..=1_000));
    size.and_then(|size| usize::try_from(size).ok())
}

#[cfg(test)]
mod tests {
    use super::{may_be_read_on_the_way, postgres, sqlite};

    #[test]
    fn a_password_is_never_shown() {
        for (text, shown) in [
            ("postgresql://u:hunter2@db:5433/saas_ia", "postgresql://u:***@db:5433/saas_ia"),
            ("postgres://u:a%40b%2F@db/x?sslmode=require", "postgres://u:***@db/x?sslmode=require"),
            ("postgres://u@db/x", "postgres://u@db/x"),
            ("postgres:///x?host=/run/postgresql", "postgres:///x?host=/run/postgresql"),
        ] {
            let (url, _) = postgres(text).unwrap();
            assert_eq!(url.shown, shown);
            assert_eq!(format!("{url:?}"), shown);
            assert_eq!(url.expose(), text);
        }
    }

    #[test]
    fn an_address_is_judged_without_being_repeated() {
        for text in [
            "postgresql://",
            "postgresql://u:hunter2@db",
            "postgresql://u:hunter2@db/",
            "postgresql://u:hunter2@db/x/y",
            "postgresql://u:hunter2@db/x#y",
            "postgresql://u:hunter2@db:port/x",
            "postgresql+asyncpg://u:hunter2@db/x",
            "postgresql://u@db/x?password=hunter2",
            "postgresql://u@db/x?sslmode=require&pwd=hunter2",
            "postgresql://u@db/x?sslmode=hunter2",
            "postgresql://u@db/x?sslmode=require&sslmode=disable",
            "postgresql://u@db/x?host=a&sslmode=require&host=b",
            "postgresql://u@db/x?statement-cache-capacity=0",
        ] {
            let problem = postgres(text).err().unwrap_or_else(|| panic!("{text} is taken"));
            assert!(!problem.contains("hunter2"), "{problem}");
        }
        assert!(sqlite("mysql://u:hunter2@db/x").is_err_and(|p| !p.contains("hunter2")));
    }

    #[test]
    fn who_sends_in_the_clear_over_networks_of_others_is_told() {
        for (rest, told) in [
            ("u@localhost/x", false),
            ("u@127.0.0.1/x", false),
            ("u@[::1]/x", false),
            ("u@10.1.2.3/x", false),
            ("u@[fd00::5]/x", false),
            ("u@postgres/x", false),
            ("u@%2Frun%2Fpostgresql/x", false),
            ("/x?host=/run/postgresql", false),
            ("u@db.example.com/x", true),
            ("u@203.0.113.5/x", true),
            ("u@db/x?host=db.example.com", true),
            ("u@db.example.com/x?sslmode=prefer", true),
            ("u@db.example.com/x?sslmode=disable", true),
            ("u@db.example.com/x?sslmode=require", false),
            ("u@db.example.com/x?sslmode=verify-full", false),
        ] {
            let (_, url) = postgres(&format!("postgresql://{rest}")).unwrap();
            assert_eq!(may_be_read_on_the_way(&url), told, "{rest}");
        }
    }
}
