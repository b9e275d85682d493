//! The due dates of living and deleted tasks as filters and orders compare them.
//!
//! They stand beside the document `details`, which keeps what was asked for. NULL in the rows that are there until
//! `taskhold-infrastructure` computes them from the document, right after this migration: no database computes the
//! instant of a wall time as the program does. The next migration builds their indexes.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

const TASKS: &str = "tasks";
const TRASH: &str = "trash";

#[derive(Clone, Copy, DeriveIden)]
enum Tasks {
    /// The days since 1970 of a due date that is a day.
    DueDate,
    /// The microseconds since 1970 of a due date that is a time.
    DueAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [TASKS, TRASH] {
            // SQLite adds one column in a statement.
            for column in [Tasks::DueDate, Tasks::DueAt] {
                let column = ColumnDef::new(column).big_integer().take();
                let added = Table::alter().table(table).add_column(column).take();
                manager.alter_table(added).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [TASKS, TRASH] {
            for column in [Tasks::DueDate, Tasks::DueAt] {
                let dropped = Table::alter().table(table).drop_column(column).take();
                manager.alter_table(dropped).await?;
            }
        }
        Ok(())
    }
}
