//! Accounts: who may use the service.

use std::fmt;

use chrono::{DateTime, Utc};
use email_address::{EmailAddress, Options};
use unicode_normalization::UnicodeNormalization;

use crate::{Invalid, PasswordDigest, UserId, text};

/// An e-mail address in the one form in which accounts are compared: trimmed, NFKC, lower case.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

impl Email {
    /// Longest address, in characters (RFC 5321, 4.5.3.1.3, less the angle brackets).
    pub const MAX_CHARS: usize = 254;

    /// Judges an address by its syntax; nothing is looked up.
    ///
    /// # Errors
    /// `too_long`, `control_character` or `invalid_email`.
    pub fn parse(value: &str) -> Result<Self, Invalid> {
        // Bounded before normalising: NFKC can lengthen a text eighteenfold.
        text::check(value.trim(), Self::MAX_CHARS)?;
        let normal = value.trim().nfkc().collect::<String>().to_lowercase();
        text::check(&normal, Self::MAX_CHARS)?;
        let options =
            Options::default().with_required_tld().without_domain_literal().without_display_text();
        EmailAddress::parse_with_options(&normal, options)
            .map_err(|_| Invalid::new("invalid_email", "must be an e-mail address"))?;
        Ok(Self(normal))
    }

    /// The normalised address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the `@`.
    pub fn local_part(&self) -> &str {
        self.0.rsplit_once('@').map_or(self.0.as_str(), |(local, _)| local)
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(***)")
    }
}

/// A person's name as they write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullName(String);

impl FullName {
    /// Longest name, in characters.
    pub const MAX_CHARS: usize = 255;

    /// Accepts any text without control characters.
    ///
    /// # Errors
    /// `too_long` or `control_character`.
    pub fn parse(value: &str) -> Result<Self, Invalid> {
        text::check(value, Self::MAX_CHARS)?;
        Ok(Self(value.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Uses the service.
    User,
    /// Runs the service.
    Admin,
}

impl Role {
    /// The word used in storage and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }

    /// Reads the stored word; an unknown one is `None`, never a default.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "user" => Some(Self::User),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }
}

/// The facts of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserParts {
    /// Who it is.
    pub id: UserId,
    /// The address it signs in with; unique.
    pub email: Email,
    /// What the person is called, if they said.
    pub full_name: Option<FullName>,
    /// What it may do.
    pub role: Role,
    /// Whether it may be used at all.
    pub is_active: bool,
    /// The digest of its password.
    pub password: PasswordDigest,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User(UserParts);

impl User {
    /// Opens an ordinary, active account.
    pub fn register(
        id: UserId,
        email: Email,
        full_name: Option<FullName>,
        password: PasswordDigest,
        now: DateTime<Utc>,
    ) -> Self {
        Self(UserParts {
            id,
            email,
            full_name,
            role: Role::User,
            is_active: true,
            password,
            created_at: now,
            updated_at: now,
        })
    }

    /// Rebuilds an account from storage.
    pub fn restore(parts: UserParts) -> Self {
        Self(parts)
    }

    /// The facts.
    pub fn parts(&self) -> &UserParts {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Email;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_compared_in_one_form() {
        for written in ["Bob@EXAMPLE.com", "  bob@example.com ", "ｂｏｂ@example.com"] {
            assert_eq!(Email::parse(written).map(|e| e.0), Ok("bob@example.com".to_owned()));
        }
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        for written in [
            "",
            " ",
            "bob",
            "@example.com",
            "bob@",
            "bob@@example.com",
            "bob@example",
            "a b@example.com",
            "Bob <bob@example.com>",
            "bob@[127.0.0.1]",
            "bob\0@example.com",
            "bob@exa\nmple.com",
        ] {
            assert!(Email::parse(written).is_err(), "{written:?}");
        }
        assert!(Email::parse(&format!("{}@example.com", "a".repeat(250))).is_err());
    }

    #[test]
    fn an_international_address_is_accepted() {
        assert!(Email::parse("é@exämple.com").is_ok());
    }

    #[test]
    fn debug_hides_the_address() {
        let shown = format!("{:?}", Email::parse("bob@example.com"));
        assert!(!shown.contains("bob"), "{shown}");
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_is_stable(text in "\\PC{0,300}") {
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()), Ok(email));
            }
        }
    }
}
