//! Users and their tasks.
//!
//! Instants are whole microseconds since 1970: exact, compact, and compared alike on both stores.
//! Text sorts by code point on both stores (`COLLATE "C"` on PostgreSQL, SQLite's default). The
//! folded texts are what a search compares: neither store lowers the case of all scripts alike.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum Users {
    Table,
    Id,
    Email,
    Name,
    PasswordHash,
    IsActive,
    CreatedAt,
    UpdatedAt,
}

#[derive(DeriveIden)]
enum Tasks {
    Table,
    Id,
    UserId,
    Title,
    Description,
    TitleFolded,
    DescriptionFolded,
    IsCompleted,
    Version,
    CreatedAt,
    UpdatedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        manager.create_table(users(backend)).await?;
        manager.create_table(tasks(backend)).await?;
        // Serves the list (newest first) and finds the tasks of a user who is deleted.
        let newest_first = Index::create()
            .name("tasks_user_id_created_at_id")
            .table(Tasks::Table)
            .col(Tasks::UserId)
            .col(Tasks::CreatedAt)
            .col(Tasks::Id)
            .to_owned();
        manager.create_index(newest_first).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table(Tasks::Table).to_owned())
            .await?;
        manager
            .drop_table(Table::drop().table(Users::Table).to_owned())
            .await
    }
}

fn users(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table(Users::Table)
        .col(text(backend, Users::Id).not_null().primary_key())
        .col(text(backend, Users::Email).unique_key())
        .col(text(backend, Users::Name))
        .col(text(backend, Users::PasswordHash))
        .col(
            ColumnDef::new(Users::IsActive)
                .boolean()
                .not_null()
                .default(true),
        )
        .col(ColumnDef::new(Users::CreatedAt).big_integer().not_null())
        .col(ColumnDef::new(Users::UpdatedAt).big_integer().not_null())
        .check(length_between(backend, "users_id_length", "id", 1, 255))
        .check(length_between(
            backend,
            "users_email_length",
            "email",
            1,
            255,
        ))
        .to_owned()
}

fn tasks(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table(Tasks::Table)
        .col(ColumnDef::new(Tasks::Id).uuid().not_null().primary_key())
        .col(text(backend, Tasks::UserId).not_null())
        .col(text(backend, Tasks::Title).not_null())
        .col(text(backend, Tasks::Description).not_null().default(""))
        .col(text(backend, Tasks::TitleFolded).not_null())
        .col(text(backend, Tasks::DescriptionFolded).not_null())
        .col(
            ColumnDef::new(Tasks::IsCompleted)
                .boolean()
                .not_null()
                .default(false),
        )
        .col(
            ColumnDef::new(Tasks::Version)
                .big_integer()
                .not_null()
                .default(1),
        )
        .col(ColumnDef::new(Tasks::CreatedAt).big_integer().not_null())
        .col(ColumnDef::new(Tasks::UpdatedAt).big_integer().not_null())
        .check(length_between(
            backend,
            "tasks_title_length",
            "title",
            1,
            100,
        ))
        .check(length_between(
            backend,
            "tasks_description_length",
            "description",
            0,
            500,
        ))
        .check(check("tasks_version_positive", "version >= 1"))
        .check(check(
            "tasks_updated_after_creation",
            "updated_at >= created_at",
        ))
        .foreign_key(
            ForeignKey::create()
                .name("tasks_user_id")
                .from(Tasks::Table, Tasks::UserId)
                .to(Users::Table, Users::Id)
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}

fn text(backend: DbBackend, name: impl IntoIden) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    column.text();
    if backend == DbBackend::Postgres {
        column.extra("COLLATE \"C\"");
    }
    column
}

/// Counts code points on both stores. SQLite stops counting at U+0000, which PostgreSQL cannot
/// keep at all, so there it must be looked for.
fn length_between(
    backend: DbBackend,
    name: &'static str,
    column: &str,
    least: u32,
    most: u32,
) -> Check {
    let length = format!("length({column}) BETWEEN {least} AND {most}");
    if backend == DbBackend::Sqlite {
        check(name, format!("{length} AND instr({column}, char(0)) = 0"))
    } else {
        check(name, length)
    }
}

fn check(name: &'static str, condition: impl Into<String>) -> Check {
    Check::named(name, Expr::cust(condition.into()))
}
