//! The details of a task, which are its fields beyond those of the original command-line app, and the time of its
//! completion. Living and deleted tasks have the same columns.
//!
//! Nullable columns without an index, so an instance of the version before runs on: it inserts rows without them, and
//! leaves them as they are in a change.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

const TASKS: &str = "tasks";
const TRASH: &str = "trash";

#[derive(Clone, Copy, DeriveIden)]
enum Tasks {
    /// When the task was completed, in microseconds since 1970.
    CompletedAt,
    /// The priority as a number, which filters and orders compare; NULL for none.
    Priority,
    /// The keys of the tags between commas, which filters compare; NULL without tags.
    TagKeys,
    /// A JSON object of those details that differ from the ones of a new task; NULL without any.
    Details,
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
            ColumnDef::new(Tasks::CompletedAt).big_integer().take(),
            text(Tasks::Details),
            ColumnDef::new(Tasks::Priority).big_integer().take(),
            text(Tasks::TagKeys),
        ];
        for table in [TASKS, TRASH] {
            // SQLite adds one column in a statement.
            for column in columns.clone() {
                let added = Table::alter().table(table).add_column(column).take();
                manager.alter_table(added).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [TASKS, TRASH] {
            for column in [
                Tasks::CompletedAt,
                Tasks::Details,
                Tasks::Priority,
                Tasks::TagKeys,
            ] {
                let dropped = Table::alter().table(table).drop_column(column).take();
                manager.alter_table(dropped).await?;
            }
        }
        Ok(())
    }
}
