//! Writes that are done once, however often they are asked for: whoever sends a request names it by
//! a key, and may send it again until there is an answer.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use taskhold_domain::task::Task;
use taskhold_domain::timestamp::Timestamp;

use crate::error::StoreError;

/// How long a key and the first answer under it are kept.
pub const RETENTION: Duration = Duration::from_hours(24);

/// The name that a caller gave a request: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdempotencyKey(String);

/// The text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an idempotency key has 1 to {} visible ASCII characters",
    IdempotencyKey::MAX_CHARS
)]
pub struct IdempotencyKeyError;

impl IdempotencyKey {
    /// The longest key.
    pub const MAX_CHARS: usize = 255;

    /// A key of this text.
    ///
    /// # Errors
    /// [`IdempotencyKeyError`].
    pub fn parse(text: impl Into<String>) -> Result<Self, IdempotencyKeyError> {
        let text = text.into();
        let sound = (1..=Self::MAX_CHARS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if sound {
            Ok(Self(text))
        } else {
            Err(IdempotencyKeyError)
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What tells one request from another: a digest of all that it asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Debug for Fingerprint {
    /// Not worth a line of a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)")
    }
}

/// A request under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedRequest {
    /// The key; every user has their own.
    pub key: IdempotencyKey,
    /// What it asks for.
    pub fingerprint: Fingerprint,
}

/// What became of a write under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdempotentOutcome {
    /// It was done now; the task as it is afterwards, where there is one.
    Done(Option<Task>),
    /// It was done before; the task as it was afterwards.
    Replayed(Option<Task>),
    /// There was nothing to be done it to. The key is as free as before.
    Missed,
    /// The key belongs to another request; nothing was done.
    KeyReused,
    /// A request under this key is under way; nothing was done.
    KeyInFlight,
}

/// The keys that the store remembers. They are taken by
/// [`TaskRepository::write_idempotent`](crate::tasks::TaskRepository::write_idempotent).
#[async_trait]
pub trait IdempotencyKeyRepository: Send + Sync {
    /// Forgets at most `most` keys of those that were taken before `time`. How many it were.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError>;
}

/// When a key must have been taken to be remembered at `now`: later than this.
#[must_use]
pub fn retention_start(now: Timestamp) -> Timestamp {
    now.saturating_sub(RETENTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_visible_ascii() {
        let longest = "k".repeat(255);
        for sound in [
            "a",
            "\"quoted\"",
            "8e03978e-40d5-43dd-bc93-6894a57f9324",
            "~!",
            &longest,
        ] {
            assert_eq!(IdempotencyKey::parse(sound).unwrap().as_str(), sound);
        }
        let too_long = "k".repeat(256);
        for text in ["", " ", "a b", "a\t", "ключ", "\u{7f}", &too_long] {
            assert_eq!(
                IdempotencyKey::parse(text),
                Err(IdempotencyKeyError),
                "{text:?}"
            );
        }
    }
}
