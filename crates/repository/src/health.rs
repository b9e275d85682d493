//! The port for asking after the store itself.

use async_trait::async_trait;

use crate::error::StoreError;

/// Whether the store is there and fit for use. Both methods really ask it.
#[async_trait]
pub trait StoreHealth: Send + Sync {
    /// Does the least that shows that the store answers.
    ///
    /// # Errors
    /// [`StoreError`] when it does not.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Whether every migration that this program knows has been applied.
    ///
    /// # Errors
    /// [`StoreError`] when the store does not answer.
    async fn schema_is_current(&self) -> Result<bool, StoreError>;
}
