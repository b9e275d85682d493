//! The error of all storage ports.

use std::error::Error;

/// The underlying error, for the log. Its text may contain what a caller must not see.
pub type Source = Box<dyn Error + Send + Sync>;

/// Why a call of a store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The id is already in use.
    #[error("there is something with this id already")]
    Duplicate,
    /// The owner does not exist and must not be created, such as one who was just removed.
    #[error("the owner is not there")]
    UnknownOwner,
    /// The user lives in another store, or is being moved into this one; nothing was done.
    #[error("the user lives in another store")]
    UserMoved,
    /// Too many calls wait for the store; nothing was done.
    #[error("too many calls wait for the store")]
    Busy,
    /// The store is unavailable or too busy; nothing was done.
    #[error("the store is not available")]
    Unavailable(#[source] Source),
    /// The store was lost during a write, which may or may not have been done.
    #[error("the store was lost during a write, whose outcome is unknown")]
    OutcomeUnknown(#[source] Source),
    /// The store was lost during a write with an idempotency key. Repeating the write with the same key is
    /// safe and returns the outcome.
    #[error("the store was lost during a write that can be repeated under its key")]
    RetryWithKey(#[source] Source),
    /// A defect of the program or of the stored data; repeating the call does not help.
    #[error("the store holds or was asked something that it should not")]
    Defect(#[source] Source),
}
