//! Personal access tokens. Of a token only its digest is kept.
//!
//! A new table, so an instance of the version before runs on: it refuses these tokens as malformed.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Users {
    Table,
    Id,
}

#[derive(DeriveIden)]
enum PersonalTokens {
    Table,
    Id,
    TokenHash,
    UserId,
    Name,
    /// The names of the scopes, separated by spaces.
    Scopes,
    CreatedAt,
    /// NULL if the token does not expire.
    ExpiresAt,
    /// The beginning of a day; NULL before the first use.
    LastUsedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        manager.create_table(personal_tokens(backend)).await?;
        let mut one_token = index(PersonalTokens::TokenHash);
        one_token.unique();
        for index in [
            one_token,
            index(PersonalTokens::UserId),
            index(PersonalTokens::ExpiresAt),
        ] {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table(PersonalTokens::Table).to_owned();
        manager.drop_table(table).await
    }
}

fn personal_tokens(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table(PersonalTokens::Table)
        .col(
            ColumnDef::new(PersonalTokens::Id)
                .uuid()
                .not_null()
                .primary_key(),
        )
        .col(
            ColumnDef::new(PersonalTokens::TokenHash)
                .binary()
                .not_null(),
        )
        .col(text(backend, PersonalTokens::UserId))
        .col(text(backend, PersonalTokens::Name))
        .col(text(backend, PersonalTokens::Scopes))
        .col(
            ColumnDef::new(PersonalTokens::CreatedAt)
                .big_integer()
                .not_null(),
        )
        .col(ColumnDef::new(PersonalTokens::ExpiresAt).big_integer())
        .col(ColumnDef::new(PersonalTokens::LastUsedAt).big_integer())
        .check(check("token_hash_length", "length(token_hash) = 32"))
        .check(check("name_length", "length(name) BETWEEN 1 AND 100"))
        .check(check("scopes_present", "length(scopes) >= 1"))
        .foreign_key(
            ForeignKey::create()
                .name("personal_tokens_user_id")
                .from(PersonalTokens::Table, PersonalTokens::UserId)
                .to(Users::Table, Users::Id)
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}

fn check(name: &str, condition: &'static str) -> Check {
    Check::named(format!("personal_tokens_{name}"), Expr::cust(condition))
}

fn index(column: PersonalTokens) -> IndexCreateStatement {
    Index::create()
        .name(format!("personal_tokens_{}", column.to_string()))
        .table(PersonalTokens::Table)
        .col(column)
        .to_owned()
}

/// Compared code point by code point on both stores.
fn text(backend: DbBackend, name: impl IntoIden) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.text().not_null();
    if backend == DbBackend::Postgres {
        column.extra("COLLATE \"C\"");
    }
    column
}
