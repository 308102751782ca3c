//! Access tokens: JWTs signed with one pinned HMAC, under a key made for this purpose alone.

use std::{sync::Arc, time::Duration};

use application::ports::{Ids, IssuedToken, PortFailure, TokenError, TokenIssuer};
use aws_lc_rs::hkdf;
use chrono::{DateTime, Utc};
use domain::UserId;
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, errors::ErrorKind,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Who issues the tokens.
const ISSUER: &str = "saas-ia";
/// For whom they are.
const AUDIENCE: &str = "saas-ia-api";
/// What tells an access token from any other token of ours.
const ACCESS: &str = "access";
/// Separates this key from every other that is derived from the same secret.
const KEY_PURPOSE: &[u8] = b"saas-ia access token v1";
/// How far the clocks of two instances may be apart, in seconds.
const LEEWAY: i64 = 5;
/// Longer texts are not looked at.
const MAX_BYTES: usize = 4_096;

/// The algorithms that a shared secret allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256.
    #[default]
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl JwtAlgorithm {
    /// Reads the name of RFC 7518.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Hs256, Self::Hs384, Self::Hs512].into_iter().find(|known| known.as_str() == word)
    }

    /// The name of RFC 7518.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    const fn library(self) -> Algorithm {
        match self {
            Self::Hs256 => Algorithm::HS256,
            Self::Hs384 => Algorithm::HS384,
            Self::Hs512 => Algorithm::HS512,
        }
    }
}

/// How tokens are signed.
#[derive(Debug, Clone)]
pub struct JwtConfig {
    /// What the signing key is derived from.
    pub secret: SecretString,
    /// The one algorithm that is used and accepted.
    pub algorithm: JwtAlgorithm,
    /// How long a token is valid, in whole seconds.
    pub ttl: Duration,
}

/// Issues and checks access tokens. The token's own header chooses nothing: another algorithm is
/// refused, and `kid`, `jku`, `x5u` and `jwk` are not looked at.
pub struct JwtTokens {
    ids: Arc<dyn Ids>,
    header: Header,
    signing: EncodingKey,
    checking: DecodingKey,
    validation: Validation,
    ttl: Duration,
}

/// Every claim is required; unknown ones are tolerated.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    exp: i64,
    nbf: i64,
    iat: i64,
    jti: Uuid,
    typ: String,
}

/// The length of the derived key, in bytes: that of the largest HMAC.
struct KeyLength;

impl hkdf::KeyType for KeyLength {
    fn len(&self) -> usize {
        64
    }
}

impl JwtTokens {
    /// Derives the key; `ids` names the tokens.
    pub fn new(config: &JwtConfig, ids: Arc<dyn Ids>) -> Self {
        let algorithm = config.algorithm.library();
        let mut key = [0; 64];
        hkdf::Salt::new(hkdf::HKDF_SHA512, &[])
            .extract(config.secret.expose_secret().as_bytes())
            .expand(&[KEY_PURPOSE], KeyLength)
            .and_then(|okm| okm.fill(&mut key))
            .expect("64 bytes are within what HKDF can give");
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp", "nbf"]);
        // The library reads the machine's clock; time is judged below, by the given instant.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self {
            ids,
            header: Header::new(algorithm),
            signing: EncodingKey::from_secret(&key),
            checking: DecodingKey::from_secret(&key),
            validation,
            ttl: config.ttl,
        }
    }
}

impl TokenIssuer for JwtTokens {
    fn issue(&self, user: UserId, now: DateTime<Utc>) -> Result<IssuedToken, PortFailure> {
        let iat = now.timestamp();
        let ttl = i64::try_from(self.ttl.as_secs()).unwrap_or(i64::MAX);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user.as_uuid(),
            exp: iat.saturating_add(ttl),
            nbf: iat,
            iat,
            jti: self.ids.next(),
            typ: ACCESS.to_owned(),
        };
        let token = encode(&self.header, &claims, &self.signing)
            .map_err(|error| PortFailure::permanent("tokens.issue", error))?;
        Ok(IssuedToken { token, expires_in: self.ttl })
    }

    fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<UserId, TokenError> {
        if token.len() > MAX_BYTES {
            return Err(TokenError("too long"));
        }
        let claims = decode::<Claims>(token, &self.checking, &self.validation)
            .map_err(|error| TokenError(cause(error.kind())))?
            .claims;
        if claims.typ != ACCESS {
            return Err(TokenError("not an access token"));
        }
        let now = now.timestamp();
        if claims.iat > now + LEEWAY || claims.nbf > now + LEEWAY {
            return Err(TokenError("not valid yet"));
        }
        // No leeway here: what `expires_in` promised has passed.
        if now >= claims.exp {
            return Err(TokenError("expired"));
        }
        Ok(UserId::from_uuid(claims.sub))
    }
}

fn cause(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidAlgorithm => "wrong algorithm",
        ErrorKind::InvalidSignature => "wrong signature",
        ErrorKind::InvalidIssuer => "wrong issuer",
        ErrorKind::InvalidAudience => "wrong audience",
        ErrorKind::MissingRequiredClaim(_) => "missing claim",
        _ => "malformed",
    }
}
