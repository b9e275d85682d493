//! The place of living and deleted tasks among those of their owner, once they were moved.
//!
//! NULL until then: a task that was never moved has the place of its creation, which every statement computes. So no
//! row changes, and an instance of the version before runs on: it inserts rows without the column, and leaves it as it
//! is in a change.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

const TABLES: [&str; 2] = ["tasks", "trash"];

#[derive(DeriveIden)]
enum Tasks {
    MovedTo,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            let mut column = ColumnDef::new(Tasks::MovedTo);
            column.text();
            if manager.get_database_backend() == DbBackend::Postgres {
                column.extra("COLLATE \"C\"");
            }
            let added = Table::alter().table(table).add_column(column).take();
            manager.alter_table(added).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            let dropped = Table::alter()
                .table(table)
                .drop_column(Tasks::MovedTo)
                .take();
            manager.alter_table(dropped).await?;
        }
        Ok(())
    }
}
