//! Keys of writes.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// The key of a write, under which the service executes it once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

/// The error of a text that is not an [`IdempotencyKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an idempotency key has 1 to {} visible ASCII characters",
    IdempotencyKey::MAX_LENGTH
)]
pub struct IdempotencyKeyError;

impl IdempotencyKey {
    /// The greatest number of characters.
    pub const MAX_LENGTH: usize = 255;

    /// Returns a key that nobody else uses.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "a key is random, and no port of the service's"
    )]
    pub fn random() -> Self {
        Self(Uuid::now_v7().to_string())
    }

    /// Returns the key as text, to keep it until the outcome of the write is known.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = IdempotencyKeyError;

    fn from_str(text: &str) -> Result<Self, IdempotencyKeyError> {
        let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_visible && (1..=Self::MAX_LENGTH).contains(&text.len()) {
            return Ok(Self(text.to_owned()));
        }
        Err(IdempotencyKeyError)
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_visible_ascii_of_limited_length() {
        assert!(
            IdempotencyKey::random()
                .as_str()
                .parse::<IdempotencyKey>()
                .is_ok()
        );
        for refused in ["", "a b", "ä", "a\n", &"a".repeat(256)] {
            assert_eq!(
                refused.parse::<IdempotencyKey>(),
                Err(IdempotencyKeyError),
                "{refused:?}"
            );
        }
    }
}
