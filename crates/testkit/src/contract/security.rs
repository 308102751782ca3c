//! What every [`PasswordHasher`] and every [`TokenIssuer`] must do.

use application::ports::{Clock, PasswordHasher, TokenIssuer, Verified};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{PasswordDigest, UserId};

use super::{TestClock, samples::next_id};

const PASSWORD: &str = "correct horse 🐎 battery";

/// Makes a module `$name` of tests, one for each promise of
/// [`PasswordHasher`]. `$fixture` yields a pair: a pointer to
/// the hasher, and whatever must live as long.
#[macro_export]
macro_rules! password_hasher_contract {
    ($name:ident, $fixture:expr) => {
        $crate::contract_cases! { $name, $fixture, |hasher| {
            security: [
                the_right_password_matches(&*hasher.0),
                no_other_password_matches(&*hasher.0),
                every_character_of_a_long_password_counts(&*hasher.0),
                nothing_matches_where_there_is_no_digest(&*hasher.0),
                a_password_has_another_digest_every_time(&*hasher.0),
            ]
        } }
    };
}

/// Makes a module `$name` of tests, one for each promise of
/// [`TokenIssuer`]. `$fixture` yields a pair of pointers: to the
/// issuer, and to one of the same kind with another secret.
#[macro_export]
macro_rules! token_issuer_contract {
    ($name:ident, $fixture:expr) => {
        $crate::contract_cases! { $name, $fixture, |tokens| {
            security: [
                a_token_says_whose_it_is(&*tokens.0),
                a_token_expires_when_it_was_said_to(&*tokens.0),
                the_token_of_another_issuer_is_refused(&*tokens.0, &*tokens.1),
                what_is_no_token_is_refused(&*tokens.0),
                a_part_of_a_token_is_refused(&*tokens.0),
                a_token_with_one_altered_character_is_refused(&*tokens.0),
            ]
        } }
    };
}

async fn hashed(hasher: &dyn PasswordHasher, password: &str) -> PasswordDigest {
    hasher.hash(password).await.expect("it is hashed")
}

async fn verified(
    hasher: &dyn PasswordHasher,
    password: &str,
    digest: Option<&PasswordDigest>,
) -> Verified {
    hasher.verify(password, digest).await.expect("it is checked")
}

/// A password matches its digest, which is of the current scheme.
pub async fn the_right_password_matches(hasher: &dyn PasswordHasher) {
    let long = "é$".repeat(200);
    for password in [PASSWORD, "", " ", "a\0b", "$2b$04$", long.as_str()] {
        let digest = hashed(hasher, password).await;
        let found = verified(hasher, password, Some(&digest)).await;
        assert_eq!(found, Verified { matches: true, outdated: false }, "{password:?}");
    }
}

/// Neither a password that resembles it matches, nor an empty one, nor a long one.
pub async fn no_other_password_matches(hasher: &dyn PasswordHasher) {
    let digest = hashed(hasher, PASSWORD).await;
    let upper = PASSWORD.to_uppercase();
    let longer = [" ", "\0", "\0more", "x"].map(|tail| format!("{PASSWORD}{tail}"));
    let long = PASSWORD.repeat(500);
    let others = [
        "",
        "\0",
        "wrong",
        &PASSWORD[1..],
        &PASSWORD[..PASSWORD.len() - 1],
        &upper,
        &long,
        digest.expose(),
    ];
    for other in others.into_iter().chain(longer.iter().map(String::as_str)) {
        assert!(!verified(hasher, other, Some(&digest)).await.matches, "{other:?}");
    }
}

/// Nothing is cut off, neither behind a length nor behind a NUL.
pub async fn every_character_of_a_long_password_counts(hasher: &dyn PasswordHasher) {
    for (right, wrong) in [
        ("x".repeat(71) + "ab", "x".repeat(71) + "ac"),
        ("x".repeat(72) + "a", "x".repeat(72) + "b"),
        ("x".repeat(1_000) + "a", "x".repeat(1_000)),
        ("head\0tail".to_owned(), "head\0other".to_owned()),
        ("head\0".to_owned(), "head".to_owned()),
        (String::new(), "\0".to_owned()),
    ] {
        let digest = hashed(hasher, &right).await;
        assert!(verified(hasher, &right, Some(&digest)).await.matches);
        assert!(!verified(hasher, &wrong, Some(&digest)).await.matches, "{wrong:?}");
    }
}

/// Who has no digest cannot sign in, with whatever password.
pub async fn nothing_matches_where_there_is_no_digest(hasher: &dyn PasswordHasher) {
    for password in [PASSWORD, "", "\0", "plain", "........"] {
        assert!(!verified(hasher, password, None).await.matches, "{password:?}");
    }
}

/// Equal passwords cannot be told by their digests.
pub async fn a_password_has_another_digest_every_time(hasher: &dyn PasswordHasher) {
    let (one, other) = (hashed(hasher, PASSWORD).await, hashed(hasher, PASSWORD).await);
    assert_ne!(one.expose(), other.expose());
    for digest in [one, other] {
        assert!(verified(hasher, PASSWORD, Some(&digest)).await.matches);
    }
}

fn someone() -> UserId {
    UserId::from_uuid(next_id())
}

fn noon() -> DateTime<Utc> {
    TestClock::at_noon().now()
}

fn issued(tokens: &dyn TokenIssuer, user: UserId) -> String {
    tokens.issue(user, noon()).expect("it is issued").token
}

fn assert_refused(tokens: &dyn TokenIssuer, token: &str) {
    assert!(tokens.verify(token, noon()).is_err(), "{token:?} is accepted");
}

/// A token leads back to the user for whom it was issued.
#[expect(clippy::unused_async, reason = "the cases of all ports are called alike")]
pub async fn a_token_says_whose_it_is(tokens: &dyn TokenIssuer) {
    let users = [someone(), someone(), someone()];
    let of_each = users.map(|user| issued(tokens, user));
    for (user, token) in users.iter().zip(&of_each) {
        assert_eq!(tokens.verify(token, noon()), Ok(*user));
    }
}

/// A token is valid until `expires_in` has passed, and not a moment longer.
#[expect(clippy::unused_async, reason = "the cases of all ports are called alike")]
pub async fn a_token_expires_when_it_was_said_to(tokens: &dyn TokenIssuer) {
    let user = someone();
    for now in [noon(), noon() + TimeDelta::milliseconds(750)] {
        let issued = tokens.issue(user, now).expect("it is issued");
        let end = now + issued.expires_in;
        let second = TimeDelta::seconds(1);
        assert_eq!(tokens.verify(&issued.token, end - second), Ok(user));
        for late in [end, end + second, end + TimeDelta::days(4_000)] {
            assert!(tokens.verify(&issued.token, late).is_err(), "accepted at {late}");
        }
    }
}

/// A token is worth nothing where another secret is in use.
#[expect(clippy::unused_async, reason = "the cases of all ports are called alike")]
pub async fn the_token_of_another_issuer_is_refused(
    tokens: &dyn TokenIssuer,
    other: &dyn TokenIssuer,
) {
    let (user, stranger) = (someone(), someone());
    let (ours, theirs) = (issued(tokens, user), issued(other, stranger));
    assert_refused(tokens, &theirs);
    assert_refused(other, &ours);
    assert_eq!(tokens.verify(&ours, noon()), Ok(user));
    assert_eq!(other.verify(&theirs, noon()), Ok(stranger));
}

/// Anything may stand where a token is expected.
#[expect(clippy::unused_async, reason = "the cases of all ports are called alike")]
pub async fn what_is_no_token_is_refused(tokens: &dyn TokenIssuer) {
    let token = issued(tokens, someone());
    let long = "a".repeat(100_000);
    for garbage in ["", " ", ".", "..", "...", "\0", "garbage", "a.b.c", "Bearer", "🐎", &long] {
        assert_refused(tokens, garbage);
    }
    for around in
        [format!(" {token}"), format!("{token} "), format!("Bearer {token}"), token.repeat(2)]
    {
        assert_refused(tokens, &around);
    }
}

/// A token that was cut anywhere, at either end, is none.
#[expect(clippy::unused_async, reason = "the cases of all ports are called alike")]
pub async fn a_part_of_a_token_is_refused(tokens: &dyn TokenIssuer) {
    // Several, so that what is left of one could be another.
    let several: Vec<String> = (0..12).map(|_| issued(tokens, someone())).collect();
    let token = several.last().expect("there are several");
    for (cut, _) in token.char_indices() {
        assert_refused(tokens, &token[..cut]);
        if cut > 0 {
            assert_refused(tokens, &token[cut..]);
        }
    }
}

/// No character of a token can be replaced by any other that tokens are made of.
#[expect(clippy::unused_async, reason = "the cases of all ports are called alike")]
pub async fn a_token_with_one_altered_character_is_refused(tokens: &dyn TokenIssuer) {
    let letters = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_', '.', '=', ' ']);
    let letters: Vec<char> = letters.collect();
    // Several, so that an altered one could be another.
    let several: Vec<String> = (0..12).map(|_| issued(tokens, someone())).collect();
    let token = several.last().expect("there are several");
    for (at, original) in token.char_indices() {
        let (before, after) = (&token[..at], &token[at + original.len_utf8()..]);
        for letter in letters.iter().filter(|letter| **letter != original) {
            assert_refused(tokens, &format!("{before}{letter}{after}"));
        }
    }
}
