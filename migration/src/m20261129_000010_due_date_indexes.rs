//! The indexes of due dates, for lists by day, or of what is due on some days. They leave out the tasks without a due
//! date, and completing a task touches none of their columns.

use sea_orm_migration::prelude::*;

use crate::index;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(Clone, Copy, DeriveIden)]
enum Tasks {
    Table,
    Id,
    UserId,
    DueDate,
    DueAt,
}

const INDEXES: [(&str, Tasks); 2] = [
    ("tasks_user_id_due_date_id", Tasks::DueDate),
    ("tasks_user_id_due_at_id", Tasks::DueAt),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        index::BUILDS
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, column) in INDEXES {
            let index = Index::create()
                .table(Tasks::Table)
                .col(Tasks::UserId)
                .col(column)
                .col(Tasks::Id)
                .and_where(Expr::col(column).is_not_null())
                .take();
            index::build(manager, name, index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, _) in INDEXES {
            let dropped = Index::drop().name(name).table(Tasks::Table).to_owned();
            manager.drop_index(dropped).await?;
        }
        Ok(())
    }
}
