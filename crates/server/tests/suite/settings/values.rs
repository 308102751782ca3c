//! How single values are written.

use application::BudgetName;
use server::settings::{CorsOrigins, EngineChoice, FloodLimit, Settings};

use super::{GOOD_KEY, env, faults, load};

#[test]
fn the_engine_follows_from_the_key_unless_it_is_named() {
    for (engine, key, expected) in [
        ("", "", Ok("mock")),
        ("", "MOCK", Ok("mock")),
        ("", "mock", Ok("assemblyai")),
        ("", "abc123", Ok("assemblyai")),
        ("", "your-key", Ok("assemblyai")),
        ("mock", "abc123", Ok("mock")),
        ("mock", "", Ok("mock")),
        ("assemblyai", "abc123", Ok("assemblyai")),
        ("assemblyai", "", Err("ASSEMBLYAI_API_KEY")),
        ("assemblyai", "MOCK", Err("ASSEMBLYAI_API_KEY")),
        ("whisper", "abc123", Err("ENGINE")),
        ("Mock", "", Err("ENGINE")),
    ] {
        let outcome = load(&[("ENGINE", engine), ("ASSEMBLYAI_API_KEY", key)]);
        let chosen = outcome.as_ref().map(|settings| settings.engine.choice.as_str());
        match expected {
            Ok(word) => assert_eq!(chosen, Ok(word), "{engine} {key}"),
            Err(name) => assert_eq!(faults(outcome), [name], "{engine} {key}"),
        }
    }
    let settings = load(&[("ASSEMBLYAI_API_KEY", "abc123")]).unwrap();
    assert!(matches!(settings.engine.choice, EngineChoice::AssemblyAi { .. }));
    assert_eq!(settings.engine.assemblyai_models, ["universal-3-5-pro", "universal-2"]);
}

#[test]
fn callbacks_and_copies_are_as_they_are_set() {
    let none = load(&[]).unwrap();
    assert_eq!(none.engine.public_url, None);
    assert_eq!((none.jobs.settle.as_secs(), none.jobs.erase_provider_copies), (600, true));
    let set = load(&[
        ("PUBLIC_URL", "https://transcripts.example.com/service"),
        ("SUBMISSION_SETTLE_SECONDS", "1"),
        ("ERASE_PROVIDER_COPIES", "false"),
    ])
    .unwrap();
    let url = set.engine.public_url.as_ref().map(url::Url::as_str);
    assert_eq!(url, Some("https://transcripts.example.com/service"));
    assert_eq!((set.jobs.settle.as_secs(), set.jobs.erase_provider_copies), (1, false));
    assert_eq!(set.warnings, none.warnings);
    let plain = load(&[("PUBLIC_URL", "http://192.0.2.1")]).unwrap();
    assert_eq!(plain.warnings.len(), none.warnings.len() + 1, "{:?}", plain.warnings);
}

#[test]
fn rate_limits_change_what_they_name() {
    let quotas = |text| load(&[("RATE_LIMITS", text)]).map(|settings| settings.http.quotas);
    let some = quotas("auth_login=10/minute, transcription_create = off").unwrap();
    assert_eq!(some.get(BudgetName::AuthLogin).unwrap().quota, 10);
    assert_eq!(some.get(BudgetName::TranscriptionCreate), None);
    assert_eq!(some.get(BudgetName::AuthMe).unwrap().quota, 20);
    let off = load(&[("RATE_LIMITS", "off")]).unwrap().http;
    assert_eq!((off.quotas.get(BudgetName::Health), off.flood_limit), (None, None));
    for wrong in [
        "on",
        "auth_login",
        "auth_login=10",
        "auth_login=0/minute",
        "auth_login=-1/minute",
        "auth_login=10/second",
        "auth_login=10/minute,auth_login=off",
        "auth_logins=10/minute",
        "off,auth_login=10/minute",
        "auth_login=99999999999/minute",
    ] {
        assert_eq!(faults(load(&[("RATE_LIMITS", wrong)])), ["RATE_LIMITS"], "{wrong}");
    }
}

#[test]
fn the_flood_limit_is_a_rate_and_a_burst() {
    for (text, expected) in [
        ("500/s,burst=1000", Some((500, 1000))),
        ("20/s", Some((20, 40))),
        ("20/s, burst=5", Some((20, 5))),
        ("off", None),
    ] {
        let limit = load(&[("FLOOD_LIMIT", text)]).unwrap().http.flood_limit;
        let expected = expected.map(|(per_second, burst)| FloodLimit { per_second, burst });
        assert_eq!(limit, expected, "{text}");
    }
    for wrong in ["0/s", "500", "500/m", "500/s,burst", "500/s,burst=0", "500/s,1000", "x/s"] {
        assert_eq!(faults(load(&[("FLOOD_LIMIT", wrong)])), ["FLOOD_LIMIT"], "{wrong}");
    }
}

#[test]
fn sizes_are_bytes_or_have_a_unit() {
    for (text, bytes) in [
        ("1048576", 1 << 20),
        ("2GiB", 1 << 31),
        ("500MB", 500_000_000),
        ("64 KiB", 65_536),
        ("7b", 7),
    ] {
        assert_eq!(load(&[("MEDIA_MAX_BYTES", text)]).unwrap().media.max_bytes, bytes, "{text}");
    }
    for wrong in ["0", "-1", "2G", "GiB", "1.5GiB", "99999999999999999999", "9999999GiB"] {
        assert_eq!(faults(load(&[("MEDIA_MAX_BYTES", wrong)])), ["MEDIA_MAX_BYTES"], "{wrong}");
    }
}

#[test]
fn origins_are_exact() {
    let origins = |text| load(&[("CORS_ORIGINS", text)]).map(|settings| settings.http.cors_origins);
    let two = origins("https://app.example.com:443/, http://localhost:3002").unwrap();
    let expected = ["https://app.example.com", "http://localhost:3002"].map(str::to_owned);
    assert_eq!(two, CorsOrigins::Only(expected.into()));
    assert_eq!(origins("*").unwrap(), CorsOrigins::Any);
    for wrong in [
        "null",
        "app.example.com",
        "https://*.example.com",
        "https://a.example/path",
        "https://a.example?x",
        "https://u:p@a.example",
        "ftp://a.example",
        "https://a.example,*",
    ] {
        assert_eq!(faults(load(&[("CORS_ORIGINS", wrong)])), ["CORS_ORIGINS"], "{wrong}");
    }
}

#[test]
fn wrong_values_are_refused_by_name() {
    for (name, value) in [
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("HOST", "http://0.0.0.0"),
        ("HOST", "999.1.1.1"),
        ("HOST", "host:80"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("WORKERS", "0"),
        ("WORKERS", "many"),
        ("DATABASE_URL", "postgresql://u:p@localhost"),
        ("DATABASE_URL", "postgresql+asyncpg://u:p@localhost/db"),
        ("DATABASE_URL", "postgresql://u:p@localhost/db?sslmode=perhaps"),
        ("DATABASE_URL", "mysql://localhost/db"),
        ("DATABASE_POOL_SIZE", "0"),
        ("WORKER_HEALTH_PORT", "0"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite://:memory:"),
        ("DATABASE_URL", "sqlite://a.db?mode=ro"),
        ("ALGORITHM", "none"),
        ("ALGORITHM", "RS256"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "0"),
        ("BCRYPT_COST", "9"),
        ("BCRYPT_COST", "32"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("TRUSTED_PROXIES", "proxy"),
        ("ASSEMBLYAI_BASE_URL", "api.assemblyai.com"),
        ("ASSEMBLYAI_BASE_URL", "https://user:key@api.assemblyai.com"),
        ("ASSEMBLYAI_MODELS", ","),
        ("PUBLIC_URL", "transcripts.example.com"),
        ("PUBLIC_URL", "/service"),
        ("PUBLIC_URL", "ftp://transcripts.example.com"),
        ("PUBLIC_URL", "https://user@transcripts.example.com"),
        ("PUBLIC_URL", "https://transcripts.example.com/?a=b"),
        ("PUBLIC_URL", "https://transcripts.example.com/#a"),
        ("SUBMISSION_SETTLE_SECONDS", "0"),
        ("SUBMISSION_SETTLE_SECONDS", "86401"),
        ("ERASE_PROVIDER_COPIES", "yes"),
        ("ERASE_PROVIDER_COPIES", "1"),
        ("MOCK_DELAY_MS", "2s"),
        ("JOB_CONCURRENCY", "0"),
        ("JOB_LEASE_SECONDS", "0"),
        ("PROVIDER_CONCURRENCY", "0"),
        ("MEDIA_MAX_SECONDS", "0"),
        ("MEDIA_ALLOWED_NETWORKS", "localhost"),
    ] {
        assert_eq!(faults(load(&[(name, value)])), [name], "{name}={value}");
    }
}

#[test]
fn a_server_is_named_without_its_password() {
    let settings = load(&[("DATABASE_URL", "postgresql://user:hunter2@db:5433/x")]).unwrap();
    let shown = format!("{}\n{settings:?}", settings.describe());
    assert!(shown.contains("DATABASE_URL=postgresql://user:***@db:5433/x\n"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let error = load(&[("DATABASE_URL", "postgresql://user:hunter2@db")]).unwrap_err();
    assert!(error.to_string().contains("postgresql://user:password@host:port/database"));
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn what_several_processes_need_is_said_at_the_start() {
    let warned = |pairs: &[(&str, &str)], name: &str| {
        load(pairs).unwrap().warnings.iter().any(|warning| warning.starts_with(name))
    };
    let server = ("DATABASE_URL", "postgresql://user@db/x");
    assert!(warned(&[server], "OBJECT_STORE_URL"));
    assert!(!warned(&[], "OBJECT_STORE_URL"));
    let bucket = [
        server,
        ("OBJECT_STORE_URL", "s3://bucket"),
        ("OBJECT_STORE_ACCESS_KEY_ID", "key"),
        ("OBJECT_STORE_SECRET_ACCESS_KEY", "secret"),
    ];
    assert!(!warned(&bucket, "OBJECT_STORE_URL"));
    assert!(warned(&[server], "SECRET_KEY is not set"));
    assert!(!warned(&[server, ("SECRET_KEY", GOOD_KEY)], "SECRET_KEY"));
    assert!(!warned(&[], "SECRET_KEY"));
    assert!(!warned(&[server], "DATABASE_URL"));
    assert!(warned(&[("DATABASE_URL", "postgresql://user@db.example.com/x")], "DATABASE_URL"));
}

#[test]
fn the_database_follows_the_data_folder() {
    let url = |pairs: &[(&str, &str)]| load(pairs).unwrap().storage.database.to_string();
    assert_eq!(url(&[("DATA_DIR", "/var/lib/x/")]), "sqlite:///var/lib/x/saas-ia.db");
    let own = [("DATA_DIR", "/var/lib/x"), ("DATABASE_URL", "sqlite://elsewhere/a.db")];
    assert_eq!(url(&own), "sqlite://elsewhere/a.db");
}

#[test]
fn a_worker_tells_nobody_elsewhere_how_it_is_unless_the_operator_says_where() {
    let production = [("ENVIRONMENT", "production"), ("SECRET_KEY", GOOD_KEY), ("ENGINE", "mock")];
    let host = |more: &[(&str, &str)], file: Option<&str>| {
        let mut sources = env(&[&production[..], more].concat());
        sources.files.extend(file.map(|text| ("production.toml".to_owned(), text.to_owned())));
        let http = Settings::load(&sources).unwrap().http;
        (http.host, http.worker_health_host)
    };
    for (more, file, serving, telling) in [
        (&[][..], None, "0.0.0.0", "127.0.0.1"),
        (&[], Some("host = \"0.0.0.0\""), "0.0.0.0", "127.0.0.1"),
        (&[], Some("host = \"10.0.0.5\""), "10.0.0.5", "10.0.0.5"),
        (&[("HOST", "0.0.0.0")], None, "0.0.0.0", "0.0.0.0"),
    ] {
        let (serves, tells) = host(more, file);
        assert_eq!((serves.as_str(), tells.as_str()), (serving, telling), "{more:?} {file:?}");
    }
}
