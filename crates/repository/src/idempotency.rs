//! Idempotent writes. A client names a request by a key, and may repeat the request until it gets an
//! answer; the write is done once.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use taskhold_domain::task::change_log::ChangeSeq;
use taskhold_domain::task::{Task, TaskId};
use taskhold_domain::timestamp::Timestamp;

use crate::error::StoreError;
use crate::written::Written;

/// How long a key and its outcome are kept.
pub const RETENTION: Duration = Duration::from_hours(24);

/// The name that a client gave a request: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdempotencyKey(String);

/// The error of a text that is not an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an idempotency key has 1 to {} visible ASCII characters",
    IdempotencyKey::MAX_CHARS
)]
pub struct IdempotencyKeyError;

impl IdempotencyKey {
    /// The greatest length.
    pub const MAX_CHARS: usize = 255;

    /// Checks the rules.
    ///
    /// # Errors
    /// [`IdempotencyKeyError`].
    pub fn parse(text: impl Into<String>) -> Result<Self, IdempotencyKeyError> {
        let text = text.into();
        let is_valid = (1..=Self::MAX_CHARS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_valid {
            Ok(Self(text))
        } else {
            Err(IdempotencyKeyError)
        }
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A digest of a request, which tells it from other requests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Debug for Fingerprint {
    /// Keeps the digest out of logs, where it is of no use.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)")
    }
}

/// A request with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedRequest {
    /// The key, which is unique for each user.
    pub key: IdempotencyKey,
    /// The digest of the request.
    pub fingerprint: Fingerprint,
}

/// The outcome of an idempotent write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdempotentOutcome {
    /// The write was done; the tasks after it, without deleted ones.
    Done(Written<Vec<Task>>),
    /// The write was done by an earlier request.
    Replayed {
        /// The tasks after it.
        tasks: Vec<Task>,
        /// The number of the change; `None` if an earlier version of the service made it.
        seq: Option<ChangeSeq>,
        /// The follow-ups that it has added, as they were then.
        next: Vec<Task>,
    },
    /// There is no task that the write applies to; the key stays free.
    Missed,
    /// The bulk write applies to no task, since the owner does not have this one; the key stays free.
    NoneChanged(TaskId),
    /// The change cannot be undone, since a field that it changed has changed again; the key stays free.
    UndoConflict(Box<Task>),
    /// The deletion cannot be undone, since the owner may have no further task; the key stays free.
    QuotaExceeded,
    /// The key belongs to another request; nothing was done.
    KeyReused,
    /// A request with this key is in progress; nothing was done.
    KeyInFlight,
}

/// The stored idempotency keys. They are stored by
/// [`TaskRepository::write_idempotent`](crate::tasks::TaskRepository::write_idempotent).
#[async_trait]
pub trait IdempotencyKeyRepository: Send + Sync {
    /// Deletes at most `most` keys that were stored before `time`, and returns their number.
    ///
    /// # Errors
    /// [`StoreError`]: `Unavailable`, `OutcomeUnknown`, `Defect`.
    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError>;
}

/// Returns the time before which keys are out of date at `now`: a key counts if it was stored later.
#[must_use]
pub fn retention_start(now: Timestamp) -> Timestamp {
    now.saturating_sub(RETENTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_visible_ascii_is_a_key() {
        let longest = "k".repeat(255);
        for valid in [
            "a",
            "\"quoted\"",
            "8e03978e-40d5-43dd-bc93-6894a57f9324",
            "~!",
            &longest,
        ] {
            assert_eq!(IdempotencyKey::parse(valid).unwrap().as_str(), valid);
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
