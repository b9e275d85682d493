//! What became of requests under an idempotency key. The rows are short-lived: they are forgotten
//! after a day, by an index on when they were made.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum IdempotencyKeys {
    Table,
    UserId,
    Key,
    Fingerprint,
    Outcome,
    CreatedAt,
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
        let keys = Table::create()
            .table(IdempotencyKeys::Table)
            .col(text(backend, IdempotencyKeys::UserId).not_null())
            .col(text(backend, IdempotencyKeys::Key).not_null())
            .col(
                ColumnDef::new(IdempotencyKeys::Fingerprint)
                    .binary()
                    .not_null(),
            )
            .col(text(backend, IdempotencyKeys::Outcome))
            .col(
                ColumnDef::new(IdempotencyKeys::CreatedAt)
                    .big_integer()
                    .not_null(),
            )
            .primary_key(
                Index::create()
                    .col(IdempotencyKeys::UserId)
                    .col(IdempotencyKeys::Key),
            )
            .check(Check::named(
                "idempotency_keys_key_length",
                Expr::cust("length(key) BETWEEN 1 AND 255"),
            ))
            .check(Check::named(
                "idempotency_keys_fingerprint_length",
                Expr::cust("length(fingerprint) = 32"),
            ))
            .foreign_key(
                ForeignKey::create()
                    .name("idempotency_keys_user_id")
                    .from(IdempotencyKeys::Table, IdempotencyKeys::UserId)
                    .to(Users::Table, Users::Id)
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(keys).await?;
        let oldest_first = Index::create()
            .name("idempotency_keys_created_at")
            .table(IdempotencyKeys::Table)
            .col(IdempotencyKeys::CreatedAt)
            .to_owned();
        manager.create_index(oldest_first).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table(IdempotencyKeys::Table).to_owned())
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
