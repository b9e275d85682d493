//! Accounts: how people who register here are known.

use std::fmt;

use email_address::{EmailAddress, Options};

use crate::length::exceeds;
use crate::search::fold;

/// An e-mail address (RFC 5321 and 6531, without a display name or an address literal) of at most
/// [`MAX_CHARS`](Self::MAX_CHARS) code points, kept as typed and compared without regard to case.
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

/// Why a string is no [`Email`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// It is no e-mail address, or missing.
    #[error("Email must be a valid e-mail address")]
    Invalid,
    /// It is longer than [`Email::MAX_CHARS`].
    #[error("Email must not exceed {} characters", Email::MAX_CHARS)]
    TooLong,
}

impl Email {
    /// The longest address, in code points.
    pub const MAX_CHARS: usize = 255;

    /// Takes an address as it is.
    ///
    /// # Errors
    /// [`EmailError`], the first rule that is broken.
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

    /// The address as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is compared: two addresses of one key are one account's.
    #[must_use]
    pub fn key(&self) -> String {
        fold(&self.0)
    }
}

impl fmt::Debug for Email {
    /// Addresses are nobody's business in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

/// A password of [`MIN_CHARS`](Self::MIN_CHARS) to [`MAX_CHARS`](Self::MAX_CHARS) code points; any
/// will do (NIST SP 800-63B: no rules of composition, nothing trimmed). Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

/// Why a string is no [`Password`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It is shorter than [`Password::MIN_CHARS`], or missing.
    #[error("Password must have at least {} characters", Password::MIN_CHARS)]
    TooShort,
    /// It is longer than [`Password::MAX_CHARS`].
    #[error("Password must not exceed {} characters", Password::MAX_CHARS)]
    TooLong,
}

impl Password {
    /// The shortest password, in code points.
    pub const MIN_CHARS: usize = 8;
    /// The longest password, in code points.
    pub const MAX_CHARS: usize = 128;

    /// Takes a password as it is.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub fn parse(raw: impl Into<String>) -> Result<Self, PasswordError> {
        let raw = raw.into();
        if raw.chars().nth(Self::MIN_CHARS - 1).is_none() {
            Err(PasswordError::TooShort)
        } else if exceeds(&raw, Self::MAX_CHARS) {
            Err(PasswordError::TooLong)
        } else {
            Ok(Self(raw))
        }
    }

    /// The password as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The stored form of a password, which only the password hasher interprets.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// The text is no hash of a password.
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

    /// The text to store.
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

/// What somebody wants to be called: 1 to [`MAX_CHARS`](Self::MAX_CHARS) code points, kept as given.
#[derive(Clone, PartialEq, Eq)]
pub struct DisplayName(String);

/// Why a string is no [`DisplayName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DisplayNameError {
    /// It is empty, or no string.
    #[error("Name must be a non-empty string")]
    Empty,
    /// It is longer than [`DisplayName::MAX_CHARS`].
    #[error("Name must not exceed {} characters", DisplayName::MAX_CHARS)]
    TooLong,
    /// It holds U+0000, which PostgreSQL cannot keep.
    #[error("Name must not contain NUL characters")]
    Nul,
}

impl DisplayName {
    /// The longest name, in code points.
    pub const MAX_CHARS: usize = 100;

    /// Takes a name as it is.
    ///
    /// # Errors
    /// [`DisplayNameError`], the first rule that is broken.
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

    /// The name as it was given.
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
    fn addresses() {
        let longest = format!("{}@{}.example", "a".repeat(64), "b".repeat(60));
        for sound in [
            "a@b.example",
            "Anna.Ivanova+tasks@Mail.Example.org",
            "o'neil@example.org",
            "анна@пример.example",
            "x@localhost",
            &longest,
        ] {
            assert_eq!(Email::parse(sound).as_ref().map(Email::as_str), Ok(sound));
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
    fn passwords_and_names_count_code_points() {
        assert_eq!(Password::parse("1234567"), Err(PasswordError::TooShort));
        assert!(Password::parse("🔑".repeat(8)).is_ok());
        assert!(Password::parse(" ".repeat(128)).is_ok());
        assert_eq!(
            Password::parse("x".repeat(129)),
            Err(PasswordError::TooLong)
        );
        assert_eq!(DisplayName::parse(""), Err(DisplayNameError::Empty));
        assert!(DisplayName::parse("名".repeat(100)).is_ok());
        assert_eq!(
            DisplayName::parse("x".repeat(101)),
            Err(DisplayNameError::TooLong)
        );
        assert_eq!(DisplayName::parse("a\0"), Err(DisplayNameError::Nul));
    }

    #[test]
    fn nothing_of_them_is_shown() {
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
