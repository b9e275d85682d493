//! The index of positions, for lists in the order by hand. It has only the tasks that were moved: the others are in the
//! order of their creation, which has an index. So neither a creation nor any change but a move writes it.

use sea_orm_migration::prelude::*;

use crate::index;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(Clone, Copy, DeriveIden)]
enum Tasks {
    Table,
    Id,
    UserId,
    MovedTo,
}

const NAME: &str = "tasks_user_id_moved_to_id";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        index::BUILDS
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::create()
            .table(Tasks::Table)
            .col(Tasks::UserId)
            .col(Tasks::MovedTo)
            .col(Tasks::Id)
            .and_where(Expr::col(Tasks::MovedTo).is_not_null())
            .take();
        index::build(manager, NAME, index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dropped = Index::drop().name(NAME).table(Tasks::Table).to_owned();
        manager.drop_index(dropped).await
    }
}
