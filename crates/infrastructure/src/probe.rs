//! The port for asking after the store itself.

use async_trait::async_trait;
use sea_orm::ConnectionTrait;
use taskhold_repository::error::StoreError;
use taskhold_repository::health::StoreHealth;

use crate::schema;
use crate::store::Store;

/// Asks a SQL database.
#[derive(Clone)]
pub struct SqlProbe {
    store: Store,
}

impl SqlProbe {
    /// Asks this store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

#[async_trait]
impl StoreHealth for SqlProbe {
    async fn ping(&self) -> Result<(), StoreError> {
        let answer = self
            .store
            .probe(|connection| async move { connection.execute_unprepared("SELECT 1").await });
        answer.await.map(drop)
    }

    async fn schema_is_current(&self) -> Result<bool, StoreError> {
        let pending = self
            .store
            .probe(|connection| async move { schema::pending(&connection).await });
        Ok(pending.await? == 0)
    }
}
