//! The port for the health of the store.

use async_trait::async_trait;

use crate::error::StoreError;

/// Checks the health of the store. Both methods query it.
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
}
