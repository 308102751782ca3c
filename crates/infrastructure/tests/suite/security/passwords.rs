//! Digests against values made by another implementation (Python's `bcrypt` 5.0 and `hmac`).

use application::ports::{HashError, PasswordHasher};
use domain::PasswordDigest;
use futures_util::future::join_all;
use infrastructure::security::{BcryptConfig, BcryptHasher};

const PASSWORD: &str = "correct horse 🐎 battery";
const PEPPER: &str = "pepper-pepper-pepper-pepper-pepper";
const BY_CONSTANT: &str =
    "$saasia$v=1,k=0$2b$04$abcdefghijklmnopqrstuujXFleqv5wkWQZR.pH1vNqus/CL7yxIW";
const BY_PEPPER: &str =
    "$saasia$v=1,k=b9ad66ea$2b$04$abcdefghijklmnopqrstuu5gktB8wzfEGwYeVOYYikmu5sjeq3d2e";

fn config() -> BcryptConfig {
    BcryptConfig { cost: 4, permits: 2, ..BcryptConfig::default() }
}

fn hasher() -> BcryptHasher {
    BcryptHasher::new(&config())
}

fn peppered(current: &str, previous: &[&str]) -> BcryptHasher {
    BcryptHasher::new(&BcryptConfig {
        pepper: Some(current.into()),
        previous_peppers: previous.iter().map(|pepper| (*pepper).into()).collect(),
        ..config()
    })
}

/// `(matches, outdated)`.
async fn verify(hasher: &BcryptHasher, password: &str, stored: &str) -> (bool, bool) {
    let digest = PasswordDigest::new(stored);
    let verified = hasher.verify(password, Some(&digest)).await.unwrap();
    (verified.matches, verified.outdated)
}

#[tokio::test]
async fn digests_made_elsewhere_by_the_same_scheme_verify() {
    assert_eq!(verify(&hasher(), PASSWORD, BY_CONSTANT).await, (true, false));
    assert_eq!(verify(&peppered(PEPPER, &[]), PASSWORD, BY_PEPPER).await, (true, false));
    assert!(!verify(&hasher(), "correct horse", BY_CONSTANT).await.0);
}

#[tokio::test]
async fn every_byte_of_every_password_counts() {
    let hasher = hasher();
    let long = "x".repeat(100);
    let mut other = long.clone();
    other.replace_range(90..91, "y");
    let passwords = [
        "nul\0nul\0nul",
        "🦀🦀🦀🦀🦀🦀🦀🦀",
        " leading and trailing ",
        "ﬁ",
        &"🐎".repeat(128),
        &long,
    ];
    for password in passwords {
        let stored = hasher.hash(password).await.unwrap();
        assert_eq!(verify(&hasher, password, stored.expose()).await, (true, false));
        for wrong in [&other, "nul", "nul\0nul", "fi", "", "leading and trailing"] {
            assert!(!verify(&hasher, wrong, stored.expose()).await.0, "{wrong:?}");
        }
    }
}

#[tokio::test]
async fn one_password_has_many_digests_and_none_shows_it() {
    let hasher = peppered(PEPPER, &[]);
    let (one, other) = (hasher.hash(PASSWORD).await.unwrap(), hasher.hash(PASSWORD).await.unwrap());
    assert_ne!(one, other);
    assert!(one.expose().starts_with("$saasia$v=1,k=b9ad66ea$2b$04$"), "{}", one.expose());
    assert!(!one.expose().contains(PEPPER));
}

#[tokio::test]
async fn plain_hashes_of_the_predecessor_verify_as_outdated() {
    let hasher = hasher();
    for version in ["2a", "2b", "2y"] {
        let stored = format!("${version}$04$abcdefghijklmnopqrstuuc1v0RjomgASaaVwvOKJNz5kr8MMyxxC");
        assert_eq!(verify(&hasher, "Test123!", &stored).await, (true, true));
        assert!(!verify(&hasher, "test123!", &stored).await.0);
        // bcrypt repeats a key with its closing NUL, so these would be equal to it.
        assert!(!verify(&hasher, "Test123!\0Test123!", &stored).await.0);
    }
    let of_72_bytes = "$2b$04$abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe";
    let longer = format!("{}and the rest, which was ignored", "a".repeat(72));
    assert_eq!(verify(&hasher, &longer, of_72_bytes).await, (true, true));
    assert!(!verify(&hasher, &"a".repeat(71), of_72_bytes).await.0);
}

#[tokio::test]
async fn another_cost_is_outdated() {
    let dearer = BcryptHasher::new(&BcryptConfig { cost: 5, ..config() });
    assert_eq!(verify(&dearer, PASSWORD, BY_CONSTANT).await, (true, true));
}

#[tokio::test]
async fn a_pepper_can_be_added_and_changed() {
    let added = peppered(PEPPER, &[]);
    assert_eq!(verify(&added, PASSWORD, BY_CONSTANT).await, (true, true));
    let changed = peppered("another pepper, made much later", &[PEPPER]);
    assert_eq!(verify(&changed, PASSWORD, BY_PEPPER).await, (true, true));
    assert_eq!(verify(&changed, PASSWORD, BY_CONSTANT).await, (true, true));
    let forgotten = peppered("another pepper, made much later", &[]);
    assert!(!verify(&forgotten, PASSWORD, BY_PEPPER).await.0);
}

#[tokio::test]
async fn what_is_no_digest_matches_nothing_and_is_no_error() {
    let hasher = hasher();
    for stored in [
        "",
        "$",
        "plain",
        "$2b$04$short",
        "$2x$04$abcdefghijklmnopqrstuuc1v0RjomgASaaVwvOKJNz5kr8MMyxxC",
        "$2b$99$abcdefghijklmnopqrstuuc1v0RjomgASaaVwvOKJNz5kr8MMyxxC",
        "$2b$00$abcdefghijklmnopqrstuuc1v0RjomgASaaVwvOKJNz5kr8MMyxxC",
        "$saasia$v=1,k=",
        "$saasia$v=1,k=0",
        "$saasia$v=1,k=0$",
        "$saasia$v=1,k=0$2b$04$é",
        "$saasia$v=2,k=0$2b$04$abcdefghijklmnopqrstuujXFleqv5wkWQZR.pH1vNqus/CL7yxIW",
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
    ] {
        for password in ["", PASSWORD, "Test123!", stored] {
            assert!(!verify(&hasher, password, stored).await.0, "{stored}");
        }
    }
}

#[tokio::test]
async fn without_an_account_a_password_of_any_length_is_hashed_and_refused() {
    let hasher = hasher();
    for password in ["", PASSWORD, &"x".repeat(1_000_000)] {
        let verified = hasher.verify(password, None).await.unwrap();
        assert!(!verified.matches && !verified.outdated);
    }
    // A hash is really computed: it needs a place like any other.
    let full = BcryptHasher::new(&BcryptConfig { cost: 9, permits: 1, queue: 0, ..config() });
    let outcomes = join_all((0..20).map(|_| full.verify(PASSWORD, None))).await;
    assert!(outcomes.iter().any(Result::is_ok));
    assert!(outcomes.iter().any(|o| matches!(o, Err(HashError::Overloaded { .. }))));
}
