//! Accounts: e-mail addresses compared without regard to case, refresh tokens, revocations, and
//! counters of what is limited. Of tokens, revoked users and addresses only digests are kept.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Users {
    Table,
    Id,
    EmailKey,
}

#[derive(DeriveIden)]
enum RefreshTokens {
    Table,
    TokenHash,
    Family,
    UserId,
    CreatedAt,
    ExpiresAt,
    UsedAt,
}

#[derive(DeriveIden)]
enum Revocations {
    Table,
    SubjectHash,
    NotBefore,
    KeptUntil,
}

#[derive(DeriveIden)]
enum Attempts {
    Table,
    Bucket,
    Count,
    Since,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let email_key = Table::alter()
            .table(Users::Table)
            .add_column(text(backend, Users::EmailKey))
            .to_owned();
        manager.alter_table(email_key).await?;
        let one_account = Index::create()
            .name("users_email_key_unique")
            .table(Users::Table)
            .col(Users::EmailKey)
            .unique()
            .to_owned();
        manager.create_index(one_account).await?;

        manager.create_table(refresh_tokens(backend)).await?;
        for column in [
            RefreshTokens::Family,
            RefreshTokens::UserId,
            RefreshTokens::ExpiresAt,
        ] {
            let name = format!("refresh_tokens_{}", column.to_string());
            let index = Index::create()
                .name(name)
                .table(RefreshTokens::Table)
                .col(column)
                .to_owned();
            manager.create_index(index).await?;
        }

        let revocations = Table::create()
            .table(Revocations::Table)
            .col(digest(Revocations::SubjectHash).primary_key())
            .col(instant(Revocations::NotBefore))
            .col(instant(Revocations::KeptUntil))
            .check(is_digest("revocations_subject_hash_length", "subject_hash"))
            .to_owned();
        manager.create_table(revocations).await?;

        let attempts = Table::create()
            .table(Attempts::Table)
            .col(digest(Attempts::Bucket).primary_key())
            .col(ColumnDef::new(Attempts::Count).integer().not_null())
            .col(instant(Attempts::Since))
            .check(is_digest("attempts_bucket_length", "bucket"))
            .check(Check::named(
                "attempts_count_positive",
                Expr::cust("count >= 1"),
            ))
            .to_owned();
        manager.create_table(attempts).await?;
        let oldest_first = Index::create()
            .name("attempts_since")
            .table(Attempts::Table)
            .col(Attempts::Since)
            .to_owned();
        manager.create_index(oldest_first).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            Table::drop().table(Attempts::Table).to_owned(),
            Table::drop().table(Revocations::Table).to_owned(),
            Table::drop().table(RefreshTokens::Table).to_owned(),
        ] {
            manager.drop_table(table).await?;
        }
        let index = Index::drop()
            .name("users_email_key_unique")
            .table(Users::Table)
            .to_owned();
        manager.drop_index(index).await?;
        let email_key = Table::alter()
            .table(Users::Table)
            .drop_column(Users::EmailKey)
            .to_owned();
        manager.alter_table(email_key).await
    }
}

fn refresh_tokens(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table(RefreshTokens::Table)
        .col(digest(RefreshTokens::TokenHash).primary_key())
        .col(ColumnDef::new(RefreshTokens::Family).uuid().not_null())
        .col(text(backend, RefreshTokens::UserId).not_null())
        .col(instant(RefreshTokens::CreatedAt))
        .col(instant(RefreshTokens::ExpiresAt))
        .col(ColumnDef::new(RefreshTokens::UsedAt).big_integer())
        .check(is_digest("refresh_tokens_token_hash_length", "token_hash"))
        .foreign_key(
            ForeignKey::create()
                .name("refresh_tokens_user_id")
                .from(RefreshTokens::Table, RefreshTokens::UserId)
                .to(Users::Table, Users::Id)
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}

/// 32 bytes of SHA-256.
fn digest(name: impl IntoIden) -> ColumnDef {
    ColumnDef::new(name).binary().not_null().take()
}

fn is_digest(name: &'static str, column: &str) -> Check {
    Check::named(name, Expr::cust(format!("length({column}) = 32")))
}

/// Microseconds since 1970.
fn instant(name: impl IntoIden) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().take()
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
