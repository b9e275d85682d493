//! The change log: a counter for each owner of tasks, the changes, and the trash. Only new tables and one
//! column, so an instance of the version before runs on.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// A row for each owner of tasks.
#[derive(DeriveIden)]
enum Feeds {
    Table,
    UserId,
    /// The number of the last change.
    Seq,
    /// The number of the last change that housekeeping has deleted.
    Floor,
    /// A random number, which a restore replaces.
    Epoch,
}

#[derive(DeriveIden)]
enum Changes {
    Table,
    UserId,
    Seq,
    TaskId,
    Kind,
    /// The old values of the fields that changed, as JSON.
    Before,
    At,
    By,
}

/// The deleted tasks, with the columns of `tasks`.
#[derive(DeriveIden)]
enum Trash {
    Table,
    Id,
    UserId,
    Title,
    Description,
    TitleFolded,
    DescriptionFolded,
    TitleSearch,
    DescriptionSearch,
    SearchVersion,
    IsCompleted,
    Version,
    CreatedAt,
    UpdatedAt,
    DeletedAt,
}

#[derive(DeriveIden)]
enum IdempotencyKeys {
    Table,
    /// The number of the change that the request made.
    Seq,
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
        manager.create_table(feeds(backend)).await?;
        if backend == DbBackend::Postgres {
            // Every change updates a row of its page: the room keeps the new version there, without work
            // for the index.
            let fill_half = "ALTER TABLE feeds SET (fillfactor = 50)";
            manager
                .get_connection()
                .execute_unprepared(fill_half)
                .await?;
        }
        manager.create_table(changes(backend)).await?;
        manager.create_table(trash(backend)).await?;
        for index in indexes() {
            manager.create_index(index).await?;
        }
        let seq = Table::alter()
            .table(IdempotencyKeys::Table)
            .add_column(ColumnDef::new(IdempotencyKeys::Seq).big_integer())
            .to_owned();
        manager.alter_table(seq).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let seq = Table::alter()
            .table(IdempotencyKeys::Table)
            .drop_column(IdempotencyKeys::Seq)
            .to_owned();
        manager.alter_table(seq).await?;
        for table in [
            Trash::Table.into_table_ref(),
            Changes::Table.into_table_ref(),
            Feeds::Table.into_table_ref(),
        ] {
            manager
                .drop_table(Table::drop().table(table).to_owned())
                .await?;
        }
        Ok(())
    }
}

fn feeds(backend: DbBackend) -> TableCreateStatement {
    let number = |name| {
        let mut column = ColumnDef::new(name);
        column.big_integer().not_null();
        column
    };
    Table::create()
        .table(Feeds::Table)
        .col(text(backend, Feeds::UserId).not_null().primary_key())
        .col(number(Feeds::Seq))
        .col(number(Feeds::Floor))
        .col(number(Feeds::Epoch))
        .foreign_key(
            ForeignKey::create()
                .name("feeds_user_id")
                .from(Feeds::Table, Feeds::UserId)
                .to(Users::Table, Users::Id)
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}

fn changes(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table(Changes::Table)
        .col(text(backend, Changes::UserId).not_null())
        .col(ColumnDef::new(Changes::Seq).big_integer().not_null())
        .col(ColumnDef::new(Changes::TaskId).uuid().not_null())
        .col(text(backend, Changes::Kind).not_null())
        .col(text(backend, Changes::Before).not_null())
        .col(ColumnDef::new(Changes::At).big_integer().not_null())
        .col(text(backend, Changes::By).not_null())
        .primary_key(Index::create().col(Changes::UserId).col(Changes::Seq))
        .foreign_key(
            ForeignKey::create()
                .name("changes_user_id")
                .from(Changes::Table, Changes::UserId)
                .to(Feeds::Table, Feeds::UserId)
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}

fn trash(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table(Trash::Table)
        .col(ColumnDef::new(Trash::Id).uuid().not_null().primary_key())
        .col(text(backend, Trash::UserId).not_null())
        .col(text(backend, Trash::Title).not_null())
        .col(text(backend, Trash::Description).not_null())
        .col(text(backend, Trash::TitleFolded).not_null())
        .col(text(backend, Trash::DescriptionFolded).not_null())
        .col(text(backend, Trash::TitleSearch))
        .col(text(backend, Trash::DescriptionSearch))
        .col(ColumnDef::new(Trash::SearchVersion).big_integer())
        .col(ColumnDef::new(Trash::IsCompleted).boolean().not_null())
        .col(ColumnDef::new(Trash::Version).big_integer().not_null())
        .col(ColumnDef::new(Trash::CreatedAt).big_integer().not_null())
        .col(ColumnDef::new(Trash::UpdatedAt).big_integer().not_null())
        .col(ColumnDef::new(Trash::DeletedAt).big_integer().not_null())
        .foreign_key(
            ForeignKey::create()
                .name("trash_user_id")
                .from(Trash::Table, Trash::UserId)
                .to(Users::Table, Users::Id)
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}

fn indexes() -> [IndexCreateStatement; 4] {
    [
        // The history of a task.
        Index::create()
            .name("changes_task_id_seq")
            .table(Changes::Table)
            .col(Changes::TaskId)
            .col(Changes::Seq)
            .to_owned(),
        // Housekeeping deletes the oldest changes.
        Index::create()
            .name("changes_at")
            .table(Changes::Table)
            .col(Changes::At)
            .to_owned(),
        // The trash of a user, newest deletion first.
        Index::create()
            .name("trash_user_id_deleted_at_id")
            .table(Trash::Table)
            .col(Trash::UserId)
            .col(Trash::DeletedAt)
            .col(Trash::Id)
            .to_owned(),
        // Housekeeping purges what was deleted longest ago.
        Index::create()
            .name("trash_deleted_at")
            .table(Trash::Table)
            .col(Trash::DeletedAt)
            .to_owned(),
    ]
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
