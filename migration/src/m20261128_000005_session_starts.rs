//! When the user logged in, of each refresh token: a session ends at an age that no refresh changes. NULL in
//! the rows of earlier versions, which do not know the column.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[derive(DeriveIden)]
enum RefreshTokens {
    Table,
    StartedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let started_at = Table::alter()
            .table(RefreshTokens::Table)
            .add_column(ColumnDef::new(RefreshTokens::StartedAt).big_integer())
            .to_owned();
        manager.alter_table(started_at).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let started_at = Table::alter()
            .table(RefreshTokens::Table)
            .drop_column(RefreshTokens::StartedAt)
            .to_owned();
        manager.alter_table(started_at).await
    }
}
