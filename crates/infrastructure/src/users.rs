//! The users port.

mod row;

use async_trait::async_trait;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::users::{User, UserRepository};

use self::row::{ActiveModel, Column, Entity, Model};
use crate::policy::Effect;
use crate::store::Store;

/// Users in a SQL database.
#[derive(Clone)]
pub struct SqlUsers {
    store: Store,
}

impl SqlUsers {
    /// Users in this store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

#[async_trait]
impl UserRepository for SqlUsers {
    async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let select = Entity::find_by_id(id.as_str());
        let found = self
            .store
            .call("users.find", Effect::Read, move |connection, _| {
                let select = select.clone();
                async move { select.one(&connection).await }
            });
        found.await?.map(user).transpose()
    }

    async fn remove(&self, id: &UserId) -> Result<bool, StoreError> {
        // The tasks go with their user by the foreign key's ON DELETE CASCADE.
        let delete = Entity::delete_by_id(id.as_str());
        self.store
            .call(
                "users.remove",
                Effect::RepeatableWrite,
                move |connection, attempt| {
                    let delete = delete.clone();
                    async move {
                        let outcome = delete.exec(&connection).await?;
                        Ok(outcome.rows_affected > 0 || attempt.may_be_done)
                    }
                },
            )
            .await
    }
}

fn user(row: Model) -> Result<User, StoreError> {
    Ok(User {
        id: UserId::parse(row.id).map_err(|error| StoreError::Defect(error.into()))?,
        created_at: Timestamp::from_micros(row.created_at)
            .map_err(|error| StoreError::Defect(error.into()))?,
    })
}

/// Makes a user whom the store knows by a token only: no e-mail, no password. Does nothing where
/// the user is known, or becomes known at this very moment.
pub(crate) async fn make_known(
    connection: &impl ConnectionTrait,
    id: &UserId,
    now: Timestamp,
) -> Result<(), DbErr> {
    let user = ActiveModel {
        id: Set(id.as_str().to_owned()),
        is_active: Set(true),
        created_at: Set(now.as_micros()),
        updated_at: Set(now.as_micros()),
        ..ActiveModel::default()
    };
    Entity::insert(user)
        .on_conflict(OnConflict::column(Column::Id).do_nothing().to_owned())
        .exec_without_returning(connection)
        .await
        .map(drop)
}
