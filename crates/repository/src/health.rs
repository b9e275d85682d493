//! The port for the health of the store.

use async_trait::async_trait;

use crate::error::StoreError;

/// Checks the health of the store. Each method queries it, and none changes it.
#[async_trait]
pub trait StoreHealth: Send + Sync {
    /// Checks that the store answers, with the cheapest query.
    ///
    /// # Errors
    /// [`StoreError`] if it does not.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Returns whether every migration of this program was applied.
    ///
    /// # Errors
    /// [`StoreError`] if the store does not answer.
    async fn schema_is_current(&self) -> Result<bool, StoreError>;

    /// Checks that the store takes writes.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], whose source says why it takes none; others if it does not answer.
    async fn check_writable(&self) -> Result<(), StoreError>;
}
