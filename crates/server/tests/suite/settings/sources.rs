//! Files, `.env` and the environment.

use std::fs;

use secrecy::ExposeSecret;
use server::settings::{EngineChoice, Environment, SecretKey, Settings, Sources};

use super::{GOOD_KEY, env, faults, load, map};

fn files(pairs: &[(&str, &str)]) -> Sources {
    Sources { files: map(pairs), ..Sources::default() }
}

#[test]
fn with_nothing_set_the_service_runs_here_with_the_mock() {
    let settings = load(&[]).unwrap();
    assert_eq!(settings.environment, Environment::Development);
    assert_eq!((settings.http.host.as_str(), settings.http.port), ("127.0.0.1", 8004));
    assert_eq!(settings.storage.database.to_string(), "sqlite://data/saas-ia.db");
    assert!(matches!(settings.engine.choice, EngineChoice::Mock));
    assert!(
        matches!(&settings.security.secret_key, SecretKey::Kept(path) if path.ends_with("secret-key"))
    );
    assert!(settings.warnings.iter().any(|warning| warning.contains("ASSEMBLYAI_API_KEY")));
}

#[test]
fn every_environment_has_its_own_defaults() {
    let production = [("ENVIRONMENT", "production"), ("SECRET_KEY", GOOD_KEY), ("ENGINE", "mock")];
    let described = load(&production).unwrap().describe();
    assert!(described.contains("HOST=0.0.0.0\n") && described.contains("LOG_FORMAT=json\n"));
    let described = load(&[("ENVIRONMENT", "test")]).unwrap().describe();
    assert!(described.contains("BCRYPT_COST=4\n"), "{described}");
}

#[test]
fn the_environment_beats_the_folder_which_beats_what_is_built_in() {
    let mut sources = files(&[
        ("default.toml", "port = 1001\nhost = \"10.0.0.1\"\napp_name = \"Default\""),
        ("development.toml", "port = 1002\nhost = \"10.0.0.2\""),
        ("production.toml", "port = 1003"),
    ]);
    sources.env = map(&[("PORT", "1004"), ("HOST", " ")]);
    let settings = Settings::load(&sources).unwrap();
    assert_eq!(settings.http.port, 1004);
    assert_eq!(settings.http.host, "10.0.0.2");
    assert_eq!(settings.app_name, "Default");
}

#[test]
fn lists_and_numbers_may_be_written_as_toml_writes_them() {
    let sources = files(&[(
        "default.toml",
        "trusted_proxies = [\"10.0.0.0/8\", \"::1\"]\nmedia_max_bytes = 5\ncors_origins = []",
    )]);
    let described = Settings::load(&sources).unwrap().describe();
    assert!(described.contains("TRUSTED_PROXIES=10.0.0.0/8,::1/128\n"), "{described}");
    assert!(described.contains("MEDIA_MAX_BYTES=5\n") && described.contains("CORS_ORIGINS=\n"));
}

#[test]
fn all_faults_of_all_sources_are_reported_at_once() {
    let mut sources = files(&[
        ("default.toml", "prot = 1\nPORT = 2\nlog_level = 1.5\nworkers = 0"),
        ("development.toml", "environment = \"production\"\nconfig_dir = \"x\"\n[nested]\na = 1"),
    ]);
    sources.env = map(&[("PORT", "eighty"), ("ALGORITHM", "RS256"), ("HOST", "a b")]);
    let error = Settings::load(&sources).unwrap_err();
    let text = error.to_string();
    let mut names = faults(Err(error));
    names.sort();
    let expected = [
        "ALGORITHM",
        "CONFIG_DIR",
        "ENVIRONMENT",
        "HOST",
        "LOG_LEVEL",
        "PORT",
        "PORT",
        "WORKERS",
        "nested",
        "prot",
    ];
    assert_eq!(names, expected);
    assert!(text.contains("\n  PORT: must be a whole number from 0 to 65535"), "{text}");
    assert!(
        text.contains("prot: is not a setting of this version (config/default.toml)"),
        "{text}"
    );
}

#[test]
fn a_file_that_is_not_toml_is_named_and_never_quoted() {
    let sources = files(&[("default.toml", "port = 1\nsecret_key = hunter2hunter2")]);
    let text = Settings::load(&sources).unwrap_err().to_string();
    assert!(text.contains("config/default.toml: is not TOML, at line 2"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn a_dotenv_counts_in_development_and_yields_to_the_environment() {
    let dotenv = "\u{feff}# comment\nPORT=2000\nexport APP_NAME='From dotenv'\nHOST=\n";
    let with = |pairs| Sources { dotenv: Some(dotenv.to_owned()), ..env(pairs) };
    let settings = Settings::load(&with(&[("PORT", "3000")])).unwrap();
    assert_eq!((settings.http.port, settings.app_name.as_str()), (3000, "From dotenv"));
    let settings = Settings::load(&with(&[("ENVIRONMENT", "development")])).unwrap();
    assert_eq!(settings.http.port, 2000);
    let settings = Settings::load(&with(&[("ENVIRONMENT", "test")])).unwrap();
    assert_eq!(settings.http.port, 8004);
}

#[test]
fn a_dotenv_that_names_production_is_judged_by_its_rules() {
    let dotenv = format!("ENVIRONMENT=production\nSECRET_KEY={GOOD_KEY}\n");
    let sources = Sources { dotenv: Some(dotenv), ..Sources::default() };
    assert_eq!(faults(Settings::load(&sources)), ["ASSEMBLYAI_API_KEY"]);
}

#[test]
fn a_broken_dotenv_is_named_and_never_quoted() {
    let dotenv = Some("SECRET_KEY='hunter2 is not closed\n".to_owned());
    let error = Settings::load(&Sources { dotenv, ..Sources::default() }).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert_eq!(faults(Err(error)), [".env"]);
}

#[test]
fn an_unknown_environment_is_a_fault() {
    assert_eq!(faults(load(&[("ENVIRONMENT", "Production")])), ["ENVIRONMENT"]);
}

#[test]
fn settings_of_other_versions_are_warned_of() {
    let settings = load(&[("METRICS_TOKEN", "x")]).unwrap();
    let warned = settings.warnings.iter().filter(|warning| warning.starts_with("METRICS_TOKEN"));
    assert_eq!(warned.count(), 1);
    let set = |name| load(&[(name, "x")]).unwrap().warnings.len();
    assert!(set("REFRESH_TOKEN_EXPIRE_DAYS") > set("APP_NAME"));
}

#[test]
fn the_folder_is_config_or_the_one_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let port = |pairs: &[(&str, &str)]| {
        Settings::load(&Sources::gather(map(pairs), folder.path())).map(|s| s.http.port)
    };
    assert_eq!(port(&[]), Ok(8004));
    put("config/default.toml", "port = 5001");
    assert_eq!(port(&[]), Ok(5001));
    put("own/development.toml", "port = 5002");
    assert_eq!(port(&[("CONFIG_DIR", "own")]), Ok(5002));
    put(".env", "CONFIG_DIR=own");
    assert_eq!(port(&[]), Ok(5002));
    let missing = port(&[("CONFIG_DIR", "elsewhere")]).unwrap_err();
    assert_eq!(missing.faults[0].name, "CONFIG_DIR");
}

#[test]
fn the_description_names_every_setting_and_hides_secrets() {
    let secrets = [
        ("SECRET_KEY", GOOD_KEY),
        ("PASSWORD_PEPPER", "n4Qe8Wm2Zx6Lp0Tv5Kc9Rb3Yh7Jd1Fs,uU2kM8vC4xZ6pL0wQ9eR3tY7nB1aS5d"),
        ("ASSEMBLYAI_API_KEY", "0f9b1c5d7e3a2468"),
    ];
    let settings = load(&secrets).unwrap();
    let described = settings.describe();
    let debugged = format!("{settings:?}");
    for (name, secret) in secrets {
        assert!(described.contains(&format!("{name}=***\n")), "{described}");
        for part in secret.split(',') {
            assert!(!described.contains(part) && !debugged.contains(part), "{name}");
        }
    }
    assert_eq!(described.lines().count(), 46);
    assert!(load(&[]).unwrap().describe().contains("SECRET_KEY=(generated)\n"));
    assert!(
        matches!(settings.security.secret_key, SecretKey::Given(key) if key.expose_secret() == GOOD_KEY)
    );
}

#[test]
fn what_is_described_can_be_set_and_means_the_same() {
    let set = [
        ("RATE_LIMITS", "auth_login=7/minute,docs=off"),
        ("HOST", "::1"),
        ("REDIS_URL", "rediss://someone:hunter2hunter2@redis.example.com:6380/3"),
    ];
    let described = load(&set).unwrap().describe();
    let again: Vec<(&str, &str)> = described
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| *name != "SECRET_KEY")
        .collect();
    assert_eq!(load(&again).unwrap().describe(), described);
}
