//! Tokens of ours and forged ones.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use application::ports::{TokenError, TokenIssuer};
use aws_lc_rs::{hkdf, hmac};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use domain::UserId;
use infrastructure::security::{JwtAlgorithm, JwtConfig, JwtTokens};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{CountingIds, noon};

const SECRET: &str = "a secret of the tests, long enough for any rule";
const NOON: i64 = 1_772_625_600;

fn tokens(algorithm: JwtAlgorithm, secret: &str) -> JwtTokens {
    let ttl = Duration::from_mins(30);
    let config = JwtConfig { secret: secret.into(), algorithm, ttl };
    JwtTokens::new(&config, Arc::new(CountingIds::default()))
}

fn ours() -> JwtTokens {
    tokens(JwtAlgorithm::Hs256, SECRET)
}

fn user() -> UserId {
    UserId::from_uuid(Uuid::from_u128(0x0192_7000_0000_7000_8000_0000_0000_0001))
}

/// The signing key as the scheme derives it, computed here once more.
fn derived() -> [u8; 64] {
    struct Len;
    impl hkdf::KeyType for Len {
        fn len(&self) -> usize {
            64
        }
    }
    let mut key = [0; 64];
    let secret = hkdf::Salt::new(hkdf::HKDF_SHA512, &[]).extract(SECRET.as_bytes());
    secret.expand(&[b"saas-ia access token v1"], Len).unwrap().fill(&mut key).unwrap();
    key
}

fn claims() -> Value {
    json!({
        "iss": "saas-ia", "aud": "saas-ia-api", "sub": user().to_string(), "exp": NOON + 1_800,
        "nbf": NOON, "iat": NOON, "jti": Uuid::from_u128(7).to_string(), "typ": "access",
    })
}

fn encode(part: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

fn forge(header: &Value, claims: &str, algorithm: hmac::Algorithm, key: &[u8]) -> String {
    let message =
        format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.as_bytes()));
    let tag = hmac::sign(&hmac::Key::new(algorithm, key), message.as_bytes());
    format!("{message}.{}", encode(tag.as_ref()))
}

/// Signed with the true key, as only we can: what remains to be judged are header and claims.
fn signed(header: &Value, claims: &Value) -> String {
    forge(header, &claims.to_string(), hmac::HMAC_SHA256, &derived())
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn verify(token: &str) -> Result<UserId, TokenError> {
    ours().verify(token, noon())
}

#[test]
fn a_token_names_its_user_until_it_expires() {
    for algorithm in [JwtAlgorithm::Hs256, JwtAlgorithm::Hs384, JwtAlgorithm::Hs512] {
        let tokens = tokens(algorithm, SECRET);
        let issued = tokens.issue(user(), noon()).unwrap();
        assert_eq!(issued.expires_in, Duration::from_mins(30));
        let after = |seconds| tokens.verify(&issued.token, noon() + TimeDelta::seconds(seconds));
        assert_eq!(after(0), Ok(user()));
        assert_eq!(after(1_799), Ok(user()));
        assert_eq!(after(1_800), Err(TokenError("expired")));
        assert_eq!(after(-5), Ok(user()));
        assert_eq!(after(-6), Err(TokenError("not valid yet")));
    }
}

#[test]
fn every_token_has_a_name_of_its_own() {
    let tokens = ours();
    let issued: BTreeSet<_> =
        (0..100).map(|_| tokens.issue(user(), noon()).unwrap().token).collect();
    assert_eq!(issued.len(), 100);
}

#[test]
fn a_token_carries_the_claims_of_the_contract_and_no_other() {
    let token = ours().issue(user(), noon()).unwrap().token;
    let payload = token.split('.').nth(1).unwrap();
    let found: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    let mut expected = claims();
    expected["jti"] = json!(Uuid::from_u128(0).to_string());
    assert_eq!(found, expected);
    assert_eq!(NOON, noon().timestamp());
}

#[test]
fn headers_that_name_a_key_are_not_looked_at() {
    for (name, value) in [
        ("kid", json!("../../dev/null")),
        ("kid", json!("' OR 1=1 --")),
        ("jku", json!("https://attacker.example/keys.json")),
        ("x5u", json!("https://attacker.example/cert.pem")),
    ] {
        let mut header = json!({"alg": "HS256", "typ": "JWT"});
        header[name] = value;
        assert_eq!(verify(&signed(&header, &claims())), Ok(user()), "{name}");
        let foreign = forge(&header, &claims().to_string(), hmac::HMAC_SHA256, b"attacker");
        assert_eq!(verify(&foreign), Err(TokenError("wrong signature")), "{name}");
    }
}

#[test]
fn no_forged_token_is_accepted() {
    assert_eq!(verify(&signed(&json!({"alg": "HS256"}), &claims())), Ok(user()));
    let corpus: BTreeSet<String> =
        [foreign_keys_and_algorithms(), wrong_claims(), tampered(), garbage()]
            .concat()
            .into_iter()
            .collect();
    assert!(corpus.len() > 200, "{}", corpus.len());
    for token in &corpus {
        assert!(verify(token).is_err(), "{token}");
    }
}

fn foreign_keys_and_algorithms() -> Vec<String> {
    let claims = claims().to_string();
    let mut forged = Vec::new();
    let names = [
        "none", "None", "NONE", "nOnE", "", "hs256", "HS1", "HS384", "HS512", "RS256", "RS384",
        "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "EdDSA", "A256GCM", "dir",
    ];
    let headers = names.iter().map(|name| json!({"alg": name, "typ": "JWT"}));
    let odd = [json!({"typ": "JWT"}), json!({"alg": null}), json!({"alg": ["HS256"]}), json!([])];
    for header in headers.chain(odd) {
        for algorithm in [hmac::HMAC_SHA256, hmac::HMAC_SHA384, hmac::HMAC_SHA512] {
            forged.push(forge(&header, &claims, algorithm, &derived()));
        }
        let message =
            format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.as_bytes()));
        forged.extend([format!("{message}."), message]);
    }
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let keys: [&[u8]; 6] =
        [b"", b"secret", SECRET.as_bytes(), &derived()[..32], &[0; 64], b"saas-ia access token v1"];
    forged.extend(keys.map(|key| forge(&header, &claims, hmac::HMAC_SHA256, key)));
    let with_key = json!({"alg": "HS256", "jwk": {"kty": "oct", "k": encode(b"attacker")}});
    forged.push(forge(&with_key, &claims, hmac::HMAC_SHA256, b"attacker"));
    let elsewhere = tokens(JwtAlgorithm::Hs256, "the secret of another installation, as long");
    forged.push(elsewhere.issue(user(), noon()).unwrap().token);
    for algorithm in [JwtAlgorithm::Hs384, JwtAlgorithm::Hs512] {
        forged.push(tokens(algorithm, SECRET).issue(user(), noon()).unwrap().token);
    }
    forged
}

fn wrong_claims() -> Vec<String> {
    let odd = [json!(null), json!(""), json!([]), json!({}), json!(true), json!(-1), json!("x")];
    let mut bad = Vec::new();
    for name in ["iss", "aud", "sub", "exp", "nbf", "iat", "jti", "typ"] {
        let mut dropped = claims();
        dropped.as_object_mut().unwrap().remove(name);
        bad.push(dropped);
        let passable = |value: &Value| *value == json!(-1) && matches!(name, "nbf" | "iat");
        bad.extend(odd.iter().filter(|value| !passable(value)).map(|v| with(name, v.clone())));
    }
    bad.extend([
        with("iss", json!("saas-ia ")),
        with("iss", json!(["saas-ia"])),
        with("aud", json!("saas-ia")),
        with("aud", json!(["saas-ia-api"])),
        with("aud", json!(["saas-ia-api", "other"])),
        with("sub", json!("bob@example.com")),
        with("sub", json!("00000000")),
        with("exp", json!(NOON)),
        with("exp", json!(NOON - 1)),
        with("exp", json!(1e300)),
        with("exp", json!(NOON.to_string())),
        with("nbf", json!(NOON + 6)),
        with("iat", json!(NOON + 6)),
        with("iat", json!(u64::MAX)),
    ]);
    bad.extend(
        ["refresh", "reset", "Access", "access ", "download"].map(|t| with("typ", json!(t))),
    );
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let doubled = claims().to_string().replacen('{', "{\"typ\":\"access\",", 1);
    let mut forged = vec![forge(&header, &doubled, hmac::HMAC_SHA256, &derived())];
    forged.extend(bad.iter().map(|claims| signed(&header, claims)));
    forged
}

fn tampered() -> Vec<String> {
    let token = ours().issue(user(), noon()).unwrap().token;
    let changed = (0..token.len()).map(|at| {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    });
    let cut = (0..token.len()).map(|at| token[..at].to_owned());
    changed.chain(cut).collect()
}

fn garbage() -> Vec<String> {
    let token = ours().issue(user(), noon()).unwrap().token;
    let mut forged: Vec<String> =
        ["", ".", "..", "...", "a.b.c", "Bearer", "null", "\0", "🦀.🦀.🦀"]
            .map(str::to_owned)
            .into();
    forged.extend([
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{token}"),
        format!("{token}="),
        format!(" {token}"),
        format!("{token}\n"),
        format!("Bearer {token}"),
        "a".repeat(1 << 20),
        ".".repeat(1 << 16),
        signed(&json!({"alg": "HS256"}), &with("pad", json!("x".repeat(8_192)))),
        format!("{}.{}.", encode(&[0xff, 0xfe]), encode(b"{}")),
    ]);
    forged
}
