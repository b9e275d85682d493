//! The texts of each task as a search compares them, and the version of the task that they belong to.
//!
//! They stand beside `title_folded` and `description_folded`, which the version before this one searches. NULL in
//! the rows that are there, and another version of the task than its own after a change by the version before,
//! which does not know the columns: such rows are out of date until `taskhold-infrastructure` rebuilds them, right
//! after this migration and at intervals. Nullable, since the version before inserts rows without them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(Clone, Copy, DeriveIden)]
enum Tasks {
    Table,
    TitleSearch,
    DescriptionSearch,
    SearchVersion,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let text = |name| {
            let mut column = ColumnDef::new(name);
            column.text();
            if manager.get_database_backend() == DbBackend::Postgres {
                column.extra("COLLATE \"C\"");
            }
            column
        };
        let columns = [
            text(Tasks::TitleSearch),
            text(Tasks::DescriptionSearch),
            ColumnDef::new(Tasks::SearchVersion).big_integer().take(),
        ];
        // SQLite adds one column in a statement.
        for column in columns {
            let added = Table::alter().table(Tasks::Table).add_column(column).take();
            manager.alter_table(added).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [
            Tasks::TitleSearch,
            Tasks::DescriptionSearch,
            Tasks::SearchVersion,
        ] {
            let dropped = Table::alter()
                .table(Tasks::Table)
                .drop_column(column)
                .take();
            manager.alter_table(dropped).await?;
        }
        Ok(())
    }
}
