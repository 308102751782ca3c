//! Passwords and tokens.

mod gate;
mod passwords;
mod tokens;

pub use passwords::{BcryptConfig, BcryptHasher};
pub use tokens::{JwtAlgorithm, JwtConfig, JwtTokens};
