//! The health check port.

use async_trait::async_trait;
use sea_orm::ConnectionTrait;
use taskhold_repository::error::StoreError;
use taskhold_repository::health::StoreHealth;

use crate::db::{Database, migrations};

#[async_trait]
impl StoreHealth for Database {
    async fn ping(&self) -> Result<(), StoreError> {
        let answer = self.check_health(|connection| async move {
            connection.execute_unprepared("SELECT 1").await
        });
        answer.await.map(drop)
    }

    async fn schema_is_current(&self) -> Result<bool, StoreError> {
        let pending =
            self.check_health(|connection| async move { migrations::pending(&connection).await });
        Ok(pending.await? == 0)
    }
}
