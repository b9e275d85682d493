//! The revocations port.

use async_trait::async_trait;
use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::error::{Source, StoreError};
use taskhold_repository::revocations::{RevocationRepository, SubjectHash};

use crate::db::Database;
use crate::db::retry::Idempotence;
use crate::entities::revocation::{Column, Entity, Model};

#[async_trait]
impl RevocationRepository for Database {
    async fn current(&self, now: Timestamp) -> Result<Vec<(SubjectHash, Timestamp)>, StoreError> {
        let select = Entity::find().filter(Column::KeptUntil.gte(now.as_micros()));
        let rows = self.execute(
            "revocations.current",
            Idempotence::Read,
            move |connection, _| {
                let select = select.clone();
                async move { select.all(&connection).await }
            },
        );
        let rows = rows.await?;
        let parsed = rows.iter().map(parse);
        parsed.collect::<Result<_, _>>().map_err(StoreError::Defect)
    }

    async fn purge_expired(&self, time: Timestamp, most: u32) -> Result<u64, StoreError> {
        let some = Query::select()
            .column(Column::SubjectHash)
            .from(Entity)
            .and_where(Column::KeptUntil.lt(time.as_micros()))
            .limit(most.into())
            .to_owned();
        let delete = Entity::delete_many().filter(Column::SubjectHash.in_subquery(some));
        self.delete("revocations.forget", delete).await
    }
}

fn parse(row: &Model) -> Result<(SubjectHash, Timestamp), Source> {
    let digest = <[u8; 32]>::try_from(row.subject_hash.as_slice())?;
    Ok((SubjectHash(digest), Timestamp::from_micros(row.not_before)?))
}
