//! Parts of an account: e-mail address, password and name.

mod password;

use std::fmt;

use email_address::{EmailAddress, Options};

pub use self::password::{Password, PasswordError};
use crate::length::exceeds;
use crate::lower_case::lower_case;

/// An e-mail address (RFC 5321 and 6531, without display name and address literal) of at most
/// [`MAX_CHARS`](Self::MAX_CHARS) code points. It is kept as typed and compared case-insensitively.
///
/// ```
/// use taskhold_domain::account::Email;
///
/// let email = Email::parse("Anna@Example.org")?;
/// assert_eq!(email.as_str(), "Anna@Example.org");
/// assert_eq!(email.key(), "anna@example.org");
/// # Ok::<(), taskhold_domain::account::EmailError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

/// The error of a string that is not an [`Email`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// The address is missing or malformed.
    #[error("Email must be a valid e-mail address")]
    Invalid,
    /// The address of a registration contains a character that is not
    /// [printable](crate::printable::is_printable).
    #[error("Email must not contain control characters")]
    Unprintable,
    /// The address is longer than [`Email::MAX_CHARS`].
    #[error("Email must not exceed {} characters", Email::MAX_CHARS)]
    TooLong,
}

impl Email {
    /// The greatest length, in code points.
    pub const MAX_CHARS: usize = 255;

    /// Checks the rules and keeps the address as it is.
    ///
    /// # Errors
    /// [`EmailError`]: the first broken rule.
    pub fn parse(raw: impl Into<String>) -> Result<Self, EmailError> {
        let raw = raw.into();
        if exceeds(&raw, Self::MAX_CHARS) {
            return Err(EmailError::TooLong);
        }
        let options = Options::default()
            .without_display_text()
            .without_domain_literal();
        match EmailAddress::parse_with_options(&raw, options) {
            Ok(_) if !raw.contains('\0') => Ok(Self(raw)),
            _ => Err(EmailError::Invalid),
        }
    }

    /// Returns the address as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the form that is compared: addresses with equal keys belong to the same account.
    #[must_use]
    pub fn key(&self) -> String {
        lower_case(&self.0)
    }
}

impl fmt::Debug for Email {
    /// Keeps addresses out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

/// The stored form of a password, which only the password hasher interprets.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// The error of a text that is not a password hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a password hash is a PHC string, which starts with a $")]
pub struct PasswordHashError;

impl PasswordHash {
    /// Takes a PHC string, such as `$argon2id$v=19$…`.
    ///
    /// # Errors
    /// [`PasswordHashError`].
    pub fn parse(raw: impl Into<String>) -> Result<Self, PasswordHashError> {
        let raw = raw.into();
        if raw.starts_with('$') {
            Ok(Self(raw))
        } else {
            Err(PasswordHashError)
        }
    }

    /// Returns the text to store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    /// A hash in a log would let its readers guess at the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// The name that a user chose: 1 to [`MAX_CHARS`](Self::MAX_CHARS) code points, kept as given.
#[derive(Clone, PartialEq, Eq)]
pub struct DisplayName(String);

/// The error of a string that is not a [`DisplayName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DisplayNameError {
    /// The name is empty or not a string.
    #[error("Name must be a non-empty string")]
    Empty,
    /// The name is longer than [`DisplayName::MAX_CHARS`].
    #[error("Name must not exceed {} characters", DisplayName::MAX_CHARS)]
    TooLong,
    /// The name contains U+0000, which PostgreSQL cannot store.
    #[error("Name must not contain NUL characters")]
    Nul,
}

impl DisplayName {
    /// The greatest length, in code points.
    pub const MAX_CHARS: usize = 100;

    /// Checks the rules and keeps the name as it is.
    ///
    /// # Errors
    /// [`DisplayNameError`]: the first broken rule.
    pub fn parse(raw: impl Into<String>) -> Result<Self, DisplayNameError> {
        let raw = raw.into();
        if raw.is_empty() {
            Err(DisplayNameError::Empty)
        } else if exceeds(&raw, Self::MAX_CHARS) {
            Err(DisplayNameError::TooLong)
        } else if raw.contains('\0') {
            Err(DisplayNameError::Nul)
        } else {
            Ok(Self(raw))
        }
    }

    /// Returns the name as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DisplayName(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addresses_are_accepted() {
        let longest = format!("{}@{}.example", "a".repeat(64), "b".repeat(60));
        for valid in [
            "a@b.example",
            "Anna.Ivanova+tasks@Mail.Example.org",
            "o'neil@example.org",
            "анна@пример.example",
            "x@localhost",
            &longest,
        ] {
            assert_eq!(Email::parse(valid).as_ref().map(Email::as_str), Ok(valid));
        }
        for raw in [
            "",
            " ",
            "anna",
            "@example.org",
            "anna@",
            "a b@example.org",
            "anna@exa mple.org",
            "Anna <anna@example.org>",
            "a@b@c",
            "a@[127.0.0.1]",
            "a@b.example\n",
            "a\0@b.example",
            "a..b@example.org",
        ] {
            assert_eq!(Email::parse(raw), Err(EmailError::Invalid), "{raw:?}");
        }
        assert_eq!(Email::parse("a".repeat(256)), Err(EmailError::TooLong));
        let upper = Email::parse("ÄNNA@EXAMPLE.ORG").unwrap();
        assert_eq!(upper.key(), Email::parse("änna@example.org").unwrap().key());
    }

    #[test]
    fn names_count_code_points() {
        assert_eq!(DisplayName::parse(""), Err(DisplayNameError::Empty));
        assert!(DisplayName::parse("名".repeat(100)).is_ok());
        assert_eq!(
            DisplayName::parse("x".repeat(101)),
            Err(DisplayNameError::TooLong)
        );
        assert_eq!(DisplayName::parse("a\0"), Err(DisplayNameError::Nul));
    }

    #[test]
    fn debug_output_reveals_nothing() {
        let shown = format!(
            "{:?} {:?} {:?}",
            Email::parse("anna@example.org"),
            Password::parse("hunter2hunter2"),
            DisplayName::parse("Anna"),
        );
        assert!(
            !shown.contains("nna") && !shown.contains("hunter"),
            "{shown}"
        );
    }
}
