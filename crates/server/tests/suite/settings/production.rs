//! What production refuses.

use server::settings::{EngineChoice, Settings, SettingsError};

use super::{GOOD_KEY, faults, load};

/// Production, in order but for `changes`.
fn production(changes: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let sound = [
        ("ENVIRONMENT", "production"),
        ("SECRET_KEY", GOOD_KEY),
        ("ASSEMBLYAI_API_KEY", "0f9b1c5d7e3a2468"),
    ];
    load(&[&sound, changes].concat())
}

/// Secrets that were printed in examples, made by hand, or left as they were found.
const BAD_KEYS: [&str; 54] = [
    "",
    " ",
    "secret",
    "changeme",
    "MOCK",
    "supersecretkey",
    "0123456789",
    "Vq3Zt8LmX1cRw6Yb0NnKs5HdUj2PgTe",
    "your-secret-key-change-in-production",
    "change-me-in-production-use-strong-random-key",
    "dev-secret-key-change-in-prod",
    "dev-secret-key-change-in-production",
    "YOUR-SECRET-KEY-CHANGE-IN-PRODUCTION",
    "your_secret_key_change_in_production",
    "your-super-secret-jwt-key-change-this",
    "your-256-bit-secret-your-256-bit-secret",
    "please-change-me-please-change-me-please",
    "change_this_to_a_long_random_string_please",
    "replace-me-with-a-random-64-character-string",
    "replace_with_openssl_rand_hex_32_output_here",
    "insert-your-secret-here-insert-your-secret",
    "this-is-an-example-secret-do-not-use-it",
    "my-super-secret-key-for-jwt-signing-1234",
    "super-secret-key-for-development-only-123",
    "django-insecure-x8$k2m!v9q@w3e#r5t^y7u&i0o",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "secretsecretsecretsecretsecretsecret",
    "password-password-password-password-1",
    "Password1234567890Password1234567890",
    "default-secret-default-secret-default-1",
    "not-secure-not-secure-not-secure-1234567",
    "test-secret-key-for-testing-only-please-1",
    "placeholder-placeholder-placeholder-1",
    "jwt-secret-jwt-secret-jwt-secret-jwt-42",
    "saas-ia-saas-ia-saas-ia-saas-ia-saas-ia",
    "SaaS-IA-production-signing-key-2026-v1!",
    "correct horse battery staple correct horse",
    "letmeinletmeinletmeinletmeinletmein12",
    "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
    "qwertyuiopasdfghjklzxcvbnm1234567890",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "00000000000000000000000000000000",
    "11111111111111111111111111111111111111112",
    "abababababababababababababababababababab",
    "abcabcabcabcabcabcabcabcabcabcabcabcabcabc",
    "12345678901234567890123456789012",
    "0123456789abcdef0123456789abcdef",
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "zyxwvutsrqponmlkjihgfedcba9876543210",
    "kF9d2xQ7kF9d2xQ7kF9d2xQ7kF9d2xQ7kF9d2xQ7",
    "thisismyverylongkeyforsigningtokens",
    "the quick brown fox jumps over the dog",
    "................................................",
];

#[test]
fn a_sound_configuration_starts_without_a_warning() {
    let settings = production(&[]).unwrap();
    assert_eq!(settings.warnings, Vec::<String>::new());
    assert!(matches!(settings.engine.choice, EngineChoice::AssemblyAi { .. }));
}

#[test]
fn every_bad_key_is_refused_by_name_and_never_repeated() {
    for key in BAD_KEYS {
        let error = production(&[("SECRET_KEY", key)]).map(|_| key).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("\n  SECRET_KEY: "), "{key}: {text}");
        assert!(key.trim().len() < 10 || !text.contains(key), "{key}: {text}");
        assert_eq!(faults(Err(error)), ["SECRET_KEY"], "{key}");
    }
}

#[test]
fn a_bad_key_is_warned_of_in_development() {
    for key in BAD_KEYS.into_iter().filter(|key| !key.trim().is_empty()) {
        let settings = load(&[("SECRET_KEY", key), ("ASSEMBLYAI_API_KEY", "MOCK")]).unwrap();
        assert_eq!(settings.warnings.len(), 1, "{key}");
        assert!(settings.warnings[0].starts_with("SECRET_KEY"), "{key}");
    }
}

#[test]
fn what_is_not_safe_is_refused() {
    for (name, value) in [
        ("ASSEMBLYAI_API_KEY", ""),
        ("ASSEMBLYAI_API_KEY", "MOCK"),
        ("ASSEMBLYAI_API_KEY", "your-assemblyai-api-key"),
        ("ASSEMBLYAI_API_KEY", "Your-Key"),
        ("ASSEMBLYAI_API_KEY", "change-me"),
        ("CORS_ORIGINS", "*"),
        ("RATE_LIMITS", "off"),
        ("PUBLIC_URL", "http://transcripts.example.com"),
        ("PUBLIC_URL", "http://127.0.0.1:8004"),
        ("BCRYPT_COST", "9"),
        ("PASSWORD_PEPPER", "short"),
        ("PASSWORD_PEPPER", "your-secret-key-change-in-production"),
        ("PASSWORD_PEPPER", GOOD_KEY),
    ] {
        assert_eq!(faults(production(&[(name, value)])), [name], "{name}={value}");
    }
    let every_budget = application::BudgetName::TABLE.map(|(_, name, _)| format!("{name}=off"));
    assert_eq!(faults(production(&[("RATE_LIMITS", &every_budget.join(","))])), ["RATE_LIMITS"]);
}

#[test]
fn the_mock_must_be_asked_for_by_name() {
    for key in ["", "MOCK", "your-key"] {
        let settings = production(&[("ENGINE", "mock"), ("ASSEMBLYAI_API_KEY", key)]).unwrap();
        assert!(matches!(settings.engine.choice, EngineChoice::Mock), "{key}");
    }
}

#[test]
fn a_pepper_may_be_changed() {
    let (new, old) = ("n4Qe8Wm2Zx6Lp0Tv5Kc9Rb3Yh7Jd1Fs0", "uU2kM8vC4xZ6pL0wQ9eR3tY7nB1aS5d8");
    for break_ in [",", " ", ", "] {
        let peppers = format!("{new}{break_}{old}");
        let security = production(&[("PASSWORD_PEPPER", &peppers)]).unwrap().security;
        assert!(security.pepper.is_some());
        assert_eq!(security.previous_peppers.len(), 1);
    }
}
