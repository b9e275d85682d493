//! The health check port.

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbErr, Statement};
use taskhold_repository::error::StoreError;
use taskhold_repository::health::StoreHealth;

use crate::db::connection::Connection;
use crate::db::error::Cause;
use crate::db::retry::count_failure;
use crate::db::{Database, migrations, sqlite};

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

    async fn check_writable(&self) -> Result<(), StoreError> {
        let Some(path) = self.sqlite_path() else {
            return self.check_health(check_session).await;
        };
        let path = path.to_owned();
        // A network file system may take long to answer.
        let check = self.runtime().spawn_blocking(move || {
            sqlite::check_writable(&path).inspect_err(|_| count_failure(Cause::ReadOnly))?;
            sqlite::check_room(&path).inspect_err(|_| count_failure(Cause::DiskFull))
        });
        match check.await {
            Ok(checked) => checked.map_err(|error| StoreError::Unavailable(error.into())),
            Err(error) => Err(StoreError::Unavailable(error.into())),
        }
    }
}

/// Asks PostgreSQL whether a transaction of this session could write.
async fn check_session(connection: Connection) -> Result<(), DbErr> {
    // Also `on` while the server is a standby.
    let read_only = "SELECT 1 WHERE current_setting('transaction_read_only') = 'on'";
    let read_only = Statement::from_string(connection.get_database_backend(), read_only);
    if connection.query_one_raw(read_only).await?.is_none() {
        return Ok(());
    }
    count_failure(Cause::ReadOnly);
    // The setting may be this session's alone, made when it began.
    connection.give_up().await;
    Err(DbErr::Custom(
        "the server is read-only: a standby, or default_transaction_read_only is on".into(),
    ))
}
