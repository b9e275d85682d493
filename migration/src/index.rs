//! Indexes of tables in use.
//!
//! PostgreSQL builds them without keeping writes waiting only outside of a transaction. So a migration builds indexes
//! or does something else, never both, and its `use_transaction` returns [`BUILDS`].

use sea_orm_migration::SchemaManagerConnection;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// The answer of `use_transaction` for a migration that [builds](build) indexes.
pub(crate) const BUILDS: Option<bool> = Some(false);

/// Builds an index. An interrupted build leaves an invalid index, and a migration that was not recorded: it begins
/// anew. In a transaction, as on SQLite or for tables that were created just now, the index is built at once.
pub(crate) async fn build(
    manager: &SchemaManager<'_>,
    name: &str,
    mut index: IndexCreateStatement,
) -> Result<(), DbErr> {
    index.name(name);
    let is_alone = matches!(
        manager.get_connection(),
        SchemaManagerConnection::Connection(_)
    );
    if is_alone && manager.get_database_backend() == DbBackend::Postgres {
        let mut unfinished = Index::drop();
        unfinished.name(name).concurrently().if_exists();
        manager.drop_index(unfinished).await?;
        index.concurrently().if_not_exists();
    }
    manager.create_index(index).await
}
