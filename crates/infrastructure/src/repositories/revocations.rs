//! The revocations port.

use async_trait::async_trait;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::error::{Source, StoreError};
use taskhold_repository::revocations::{RevocationRepository, SubjectHash};

use crate::db::Database;
use crate::db::connection::Connection;
use crate::db::retry::Idempotence;
use crate::db::transaction::TransactionOutcome;
use crate::entities::revocation::{self, Column, Entity, Model};

#[async_trait]
impl RevocationRepository for Database {
    async fn current(&self) -> Result<Vec<(SubjectHash, Timestamp)>, StoreError> {
        let rows = self.execute(
            "revocations.current",
            Idempotence::Read,
            move |connection, _| async move { Entity::find().all(&connection).await },
        );
        let rows = rows.await?;
        let parsed = rows.iter().map(parse);
        parsed.collect::<Result<_, _>>().map_err(StoreError::Defect)
    }

    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        self.transact(
            "revocations.forget",
            Idempotence::IdempotentWrite,
            move |connection, _| async move { purge(&connection, time, most).await },
        )
        .await
    }
}

async fn purge(
    connection: &Connection,
    time: Timestamp,
    most: u32,
) -> Result<TransactionOutcome<u64>, DbErr> {
    let is_old = Column::NotBefore.lt(time.as_micros());
    let old = Entity::find()
        .filter(is_old.clone())
        .filter(Column::SubjectHash.ne(SubjectHash::EVERYBODY.0.to_vec()))
        .limit(u64::from(most))
        .all(connection)
        .await?;
    let Some(last) = old.iter().map(|row| row.not_before).max() else {
        return Ok(TransactionOutcome::Rollback(0));
    };
    let last = Timestamp::from_micros(last).map_err(|error| DbErr::Custom(error.to_string()))?;
    revocation::add_for_everybody(connection, last).await?;
    let subjects = old.into_iter().map(|row| row.subject_hash);
    // A revocation that was replaced by a later one since it was read stays.
    let deleted = Entity::delete_many()
        .filter(Column::SubjectHash.is_in(subjects))
        .filter(is_old)
        .exec(connection)
        .await?;
    Ok(TransactionOutcome::Commit(deleted.rows_affected))
}

fn parse(row: &Model) -> Result<(SubjectHash, Timestamp), Source> {
    let digest = <[u8; 32]>::try_from(row.subject_hash.as_slice())?;
    Ok((SubjectHash(digest), Timestamp::from_micros(row.not_before)?))
}
