//! Where the Redis is that instances share.

use secrecy::ExposeSecret as _;

use super::{faults, load};

#[test]
fn without_an_address_everything_is_in_the_process() {
    let settings = load(&[]).unwrap();
    assert!(settings.redis.config.is_none());
    assert!(settings.describe().contains("REDIS_URL=\n"));
}

#[test]
fn an_address_is_taken_as_it_is_written_and_shown_without_its_password() {
    for (written, shown) in [
        ("redis://localhost", "redis://localhost"),
        ("redis://127.0.0.1:6382/15", "redis://127.0.0.1:6382/15"),
        ("redis://:hunter2@[::1]:6379/0", "redis://:***@[::1]:6379/0"),
        ("rediss://me:hunter2@redis.example.com/", "rediss://me:***@redis.example.com/"),
        ("redis://:hunter%402@10.0.0.1", "redis://:***@10.0.0.1"),
    ] {
        let settings = load(&[("REDIS_URL", written)]).unwrap();
        let url = settings.redis.config.as_ref().unwrap().url.expose_secret();
        assert_eq!(url, written);
        let (described, debugged) = (settings.describe(), format!("{settings:?}"));
        assert!(described.contains(&format!("REDIS_URL={shown}\n")), "{described}");
        assert!(!described.contains("hunter") && !debugged.contains("hunter"), "{written}");
    }
}

#[test]
fn what_is_no_address_of_a_redis_is_a_fault_and_not_repeated() {
    for written in [
        "localhost:6379",
        "http://localhost",
        "redis://",
        "redis:///0",
        "redis://localhost:99999",
        "redis://localhost:0",
        "redis://localhost/hunter2",
        "redis://localhost/-1",
        "redis://localhost/0/1",
        "redis://localhost/0?protocol=resp3",
        "rediss://localhost/#insecure",
        "redis://0.0.0.0:6379",
        "redis://:hunter2%ff@localhost",
        "redis+unix:///run/redis.sock",
    ] {
        let outcome = load(&[("REDIS_URL", written)]);
        if let Err(error) = &outcome {
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        assert_eq!(faults(outcome), ["REDIS_URL"], "{written}");
    }
}

#[test]
fn a_redis_elsewhere_should_have_a_password_and_speak_tls() {
    let warnings = |written| {
        let warnings = load(&[("REDIS_URL", written)]).unwrap().warnings;
        warnings.into_iter().filter(|warning| warning.starts_with("REDIS_URL")).count()
    };
    for (written, expected) in [
        ("redis://localhost", 0),
        ("redis://127.0.0.1", 0),
        ("redis://[::1]", 0),
        ("redis://:secret@redis", 0),
        ("redis://10.0.0.1", 0),
        ("redis://[fd00::5]", 0),
        ("redis://203.0.113.5", 2),
        ("redis://:secret@redis.example.com", 1),
        ("rediss://redis.example.com", 1),
        ("rediss://:secret@redis.example.com", 0),
    ] {
        assert_eq!(warnings(written), expected, "{written}");
    }
}
