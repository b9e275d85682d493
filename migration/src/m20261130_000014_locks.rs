//! Locks that instances share: a row is locked by a transaction, or leased to an instance for a time.
//!
//! A new table, so an instance of the version before runs on: its imports exclude each other by an advisory lock.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Locks {
    Table,
    Name,
    /// The instance that has the lease; NULL if there is none.
    Holder,
    /// The end of the lease; NULL if there is none.
    ExpiresAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = create_table(manager.get_database_backend());
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table(Locks::Table).to_owned();
        manager.drop_table(table).await
    }
}

/// Returns the statement that creates the table. Migrations lock one of its rows, so on PostgreSQL it is there before
/// the first of them.
#[must_use]
pub fn create_table(backend: DbBackend) -> TableCreateStatement {
    let mut name = ColumnDef::new(Locks::Name);
    name.text().not_null().primary_key();
    if backend == DbBackend::Postgres {
        name.extra("COLLATE \"C\"");
    }
    Table::create()
        .table(Locks::Table)
        .if_not_exists()
        .col(name)
        .col(ColumnDef::new(Locks::Holder).uuid())
        .col(ColumnDef::new(Locks::ExpiresAt).big_integer())
        .to_owned()
}
