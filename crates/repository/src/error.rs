//! What can go wrong in a store.

use std::error::Error;

/// The underlying error, kept for the log; its text may hold what a caller must not see.
pub type Source = Box<dyn Error + Send + Sync>;

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something with this id is there already.
    #[error("there is something with this id already")]
    Duplicate,
    /// The owner is not there and must not be made, such as one that was removed a moment ago.
    #[error("the owner is not there")]
    UnknownOwner,
    /// Too many calls wait for the store already; it was not asked.
    #[error("too many calls wait for the store")]
    Busy,
    /// The store is away or too busy to answer, and surely did nothing.
    #[error("the store is not available")]
    Unavailable(#[source] Source),
    /// The store was lost after it was told to write: it may have done so or not.
    #[error("the store was lost during a write, whose outcome is unknown")]
    OutcomeUnknown(#[source] Source),
    /// The store was lost during a write under an idempotency key: repeating it under the same key
    /// is safe, and tells.
    #[error("the store was lost during a write that can be repeated under its key")]
    RetryWithKey(#[source] Source),
    /// A fault of ours or of the stored data; trying again will not help.
    #[error("the store holds or was asked something that it should not")]
    Defect(#[source] Source),
}
