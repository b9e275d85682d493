//! Personal access tokens: credentials for programs, which may do less than their user.

use std::fmt;

use uuid::Uuid;

use crate::length::exceeds;
use crate::printable::is_printable;
use crate::session::TokenHash;
use crate::task::change_log::ChangeAuthor;
use crate::timestamp::Timestamp;
use crate::user::UserId;

/// The most personal access tokens of a user that have not expired.
pub const MAX_PER_USER: u64 = 50;

/// A right to work with tasks. [`Write`](Self::Write) includes [`Read`](Self::Read).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Reads tasks, `tasks:read`.
    Read,
    /// Reads, creates, changes and deletes tasks, `tasks:write`.
    Write,
}

impl Scope {
    /// All scopes, the narrowest first.
    pub const ALL: [Self; 2] = [Self::Read, Self::Write];

    /// Returns the name of the scope.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "tasks:read",
            Self::Write => "tasks:write",
        }
    }

    /// Returns the scope of a name, or `None` if there is none.
    #[must_use]
    pub fn parse(raw: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == raw)
    }
}

/// The scopes of a token: at least one, each once, the narrowest first.
///
/// ```
/// use taskhold_domain::personal_token::{Scope, Scopes};
///
/// let scopes = Scopes::parse(["tasks:write", "tasks:read", "tasks:write"])?;
/// assert_eq!(scopes.iter().collect::<Vec<_>>(), [Scope::Read, Scope::Write]);
/// assert!(Scopes::parse(["tasks:write"])?.allow(Scope::Read));
/// assert!(Scopes::parse([]).is_err());
/// # Ok::<(), taskhold_domain::personal_token::ScopesError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

/// The error of a list that is no [`Scopes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScopesError {
    /// The scopes are missing, none, or no list of strings.
    #[error("Scopes must be a non-empty array of strings, such as [\"tasks:read\"]")]
    Missing,
    /// There is no such scope.
    #[error("Scopes must be tasks:read or tasks:write (scopes[{0}])")]
    Unknown(usize),
}

impl Scopes {
    /// Takes the names of scopes in any order.
    ///
    /// # Errors
    /// [`ScopesError`]: the first broken rule.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopesError> {
        let given = names.into_iter().enumerate();
        let mut scopes = given
            .map(|(index, name)| Scope::parse(name).ok_or(ScopesError::Unknown(index)))
            .collect::<Result<Vec<_>, _>>()?;
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.is_empty() {
            return Err(ScopesError::Missing);
        }
        Ok(Self(scopes))
    }

    /// Returns the scopes, the narrowest first.
    pub fn iter(&self) -> impl Iterator<Item = Scope> {
        self.0.iter().copied()
    }

    /// Returns whether one of the scopes is `required` or includes it.
    #[must_use]
    pub fn allow(&self, required: Scope) -> bool {
        self.0.iter().any(|scope| *scope >= required)
    }
}

/// The name of a token, by which its user knows it and the change log names its changes: 1 to
/// [`MAX_CHARS`](Self::MAX_CHARS) [printable](is_printable) code points without white space at the beginning or end. No
/// name of another [`ChangeAuthor`], such as `session`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenName(String);

/// The error of a string that is no [`TokenName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenNameError {
    /// The name is missing, empty or no string.
    #[error("Token name must be a non-empty string")]
    Empty,
    /// The name is longer than [`TokenName::MAX_CHARS`].
    #[error("Token name must not exceed {} characters", TokenName::MAX_CHARS)]
    TooLong,
    /// The name contains a character that is not printable.
    #[error("Token name must not contain control characters")]
    Unprintable,
    /// The name begins or ends with white space.
    #[error("Token name must not begin or end with white space")]
    OuterSpace,
    /// The change log uses the name for another author.
    #[error("Token name must not be {}, which the history uses for other authors", ChangeAuthor::RESERVED.join(", "))]
    Reserved,
}

impl TokenName {
    /// The greatest length, in code points.
    pub const MAX_CHARS: usize = 100;

    /// Checks the rules and keeps the name as it is.
    ///
    /// # Errors
    /// [`TokenNameError`]: the first broken rule.
    pub fn parse(raw: impl Into<String>) -> Result<Self, TokenNameError> {
        let raw = raw.into();
        if raw.is_empty() {
            Err(TokenNameError::Empty)
        } else if exceeds(&raw, Self::MAX_CHARS) {
            Err(TokenNameError::TooLong)
        } else if !raw.chars().all(is_printable) {
            Err(TokenNameError::Unprintable)
        } else if raw.trim() != raw {
            Err(TokenNameError::OuterSpace)
        } else if ChangeAuthor::RESERVED.contains(&raw.to_lowercase().as_str()) {
            Err(TokenNameError::Reserved)
        } else {
            Ok(Self(raw))
        }
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The lifetime of a token in days: 1 to [`MAX`](Self::MAX).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LifetimeDays(u32);

/// The error of a number that is no [`LifetimeDays`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "Days until the token expires must be a whole number from 1 to {} or null",
    LifetimeDays::MAX
)]
pub struct LifetimeDaysError;

impl LifetimeDays {
    /// The greatest number of days: ten years.
    pub const MAX: u32 = 3_650;

    /// Checks the range.
    ///
    /// # Errors
    /// [`LifetimeDaysError`].
    pub fn parse(days: i64) -> Result<Self, LifetimeDaysError> {
        match u32::try_from(days) {
            Ok(days @ 1..=Self::MAX) => Ok(Self(days)),
            _ => Err(LifetimeDaysError),
        }
    }

    /// Returns the end of a lifetime that begins at `start`.
    #[must_use]
    pub fn after(self, start: Timestamp) -> Timestamp {
        start.saturating_add(std::time::Duration::from_hours(24 * u64::from(self.0)))
    }
}

/// A token that is to be issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenDraft {
    /// The name.
    pub name: TokenName,
    /// The scopes.
    pub scopes: Scopes,
    /// The lifetime; `None` if the token does not expire.
    pub lifetime: Option<LifetimeDays>,
}

/// An issued token, without its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonalToken {
    /// The id, which is no secret.
    pub id: Uuid,
    /// The user for whom the token acts.
    pub user: UserId,
    /// The digest of the secret.
    pub hash: TokenHash,
    /// The name.
    pub name: TokenName,
    /// The scopes.
    pub scopes: Scopes,
    /// The time when the token was issued.
    pub created_at: Timestamp,
    /// The time when the token expires; `None` if it does not.
    pub expires_at: Option<Timestamp>,
    /// The beginning of the last day in UTC on which the token was used; `None` if it was not.
    pub last_used_at: Option<Timestamp>,
}

impl PersonalToken {
    /// Returns whether the token has expired at `now`.
    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// Returns the author that the change log names for a request with the token.
    #[must_use]
    pub fn author(&self) -> ChangeAuthor {
        ChangeAuthor::named(self.name.as_str())
    }
}

impl fmt::Debug for PersonalToken {
    /// Omits what its user has written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersonalToken")
            .field("id", &self.id)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_deceive_readers_of_the_history_are_refused() {
        assert!(TokenName::parse("My laptop, the blue one").is_ok());
        assert!(TokenName::parse("名".repeat(100)).is_ok());
        for (raw, expected) in [
            (String::new(), TokenNameError::Empty),
            ("x".repeat(101), TokenNameError::TooLong),
            ("a\nb".into(), TokenNameError::Unprintable),
            ("a\u{202e}b".into(), TokenNameError::Unprintable),
            (" laptop".into(), TokenNameError::OuterSpace),
            ("laptop\u{a0}".into(), TokenNameError::OuterSpace),
            ("session".into(), TokenNameError::Reserved),
            ("Import".into(), TokenNameError::Reserved),
            ("HOUSEKEEPING".into(), TokenNameError::Reserved),
        ] {
            assert_eq!(TokenName::parse(raw.clone()), Err(expected), "{raw:?}");
        }
    }

    #[test]
    fn scopes_that_do_not_exist_are_named_by_their_place() {
        let write_only = Scopes::parse(["tasks:write"]).unwrap();
        assert!(write_only.allow(Scope::Read) && write_only.allow(Scope::Write));
        let read_only = Scopes::parse(["tasks:read"]).unwrap();
        assert!(read_only.allow(Scope::Read) && !read_only.allow(Scope::Write));
        for name in [
            "",
            "tasks",
            "tasks:*",
            "TASKS:READ",
            "tasks:read tasks:write",
            "account",
        ] {
            let parsed = Scopes::parse(["tasks:read", name]);
            assert_eq!(parsed, Err(ScopesError::Unknown(1)), "{name}");
        }
    }

    #[test]
    fn lifetimes_are_whole_days_in_range() {
        for days in [i64::MIN, -1, 0, 3_651, 1 << 40] {
            assert_eq!(LifetimeDays::parse(days), Err(LifetimeDaysError), "{days}");
        }
        let start = Timestamp::from_micros(0).unwrap();
        let end = LifetimeDays::parse(3_650).unwrap().after(start);
        assert_eq!(end.as_micros(), 3_650 * 86_400_000_000);
    }
}
