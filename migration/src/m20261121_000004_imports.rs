//! What was imported from files, so that no row is imported twice and none comes back that was
//! deleted since: no key leads to the tasks, whose rows may be gone.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Imports {
    Table,
    /// Whose the task is.
    UserId,
    /// Whose it was in the console's file; the task's own id where another Taskhold wrote the file.
    Origin,
    /// The console's id; 0 where another Taskhold wrote the file.
    ConsoleId,
    /// When it was created, as the file says it; the lowest number where it does not.
    CreatedAt,
    TaskId,
}

#[derive(DeriveIden)]
enum Users {
    Table,
    Id,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let imports = Table::create()
            .table(Imports::Table)
            .col(text(backend, Imports::UserId).not_null())
            .col(text(backend, Imports::Origin).not_null())
            .col(ColumnDef::new(Imports::ConsoleId).big_integer().not_null())
            .col(ColumnDef::new(Imports::CreatedAt).big_integer().not_null())
            .col(ColumnDef::new(Imports::TaskId).uuid().not_null())
            .primary_key(
                Index::create()
                    .col(Imports::UserId)
                    .col(Imports::Origin)
                    .col(Imports::ConsoleId)
                    .col(Imports::CreatedAt),
            )
            .foreign_key(
                ForeignKey::create()
                    .name("imports_user_id")
                    .from(Imports::Table, Imports::UserId)
                    .to(Users::Table, Users::Id)
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(imports).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table(Imports::Table).to_owned())
            .await
    }
}

/// Compared code point by code point on both stores.
fn text(backend: DbBackend, name: impl IntoIden) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.text();
    if backend == DbBackend::Postgres {
        column.extra("COLLATE \"C\"");
    }
    column
}
