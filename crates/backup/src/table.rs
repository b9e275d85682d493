//! The tables of the schema and their columns.

use sea_orm::sqlx;
use taskhold_infrastructure::db::session::MaintenanceSession;

use crate::error::BackupError;
use crate::query::on_either;

/// The tables of the schema, each after those that it refers to; a test compares them with a migrated
/// store.
pub const TABLES: [&str; 12] = [
    "users",
    "tasks",
    "feeds",
    "changes",
    "trash",
    "idempotency_keys",
    "refresh_tokens",
    "personal_tokens",
    "revocations",
    "attempts",
    "imports",
    LOCKS,
];

/// The table of the locks that instances hold: its rows mean nothing in another store, nor later.
const LOCKS: &str = "locks";

/// The table that lists the applied migrations.
pub const MIGRATIONS: &str = "seaql_migrations";

/// The tables whose rows no backup holds: after a restore everybody must log in again, and counters of
/// failed logins are outdated.
pub(crate) const LEFT_OUT: [&str; 3] = ["refresh_tokens", "attempts", LOCKS];

/// Returns the tables whose rows are the contents of a store.
pub(crate) fn tables_of_contents() -> impl Iterator<Item = &'static str> {
    TABLES.into_iter().filter(|table| *table != LOCKS)
}

/// A table of a store.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// Sorted by name: two stores may have created them in different orders.
    pub(crate) columns: Vec<Column>,
}

pub(crate) struct Column {
    pub(crate) name: String,
    /// The store's name of its type, in lower case.
    pub(crate) kind: String,
}

impl Table {
    /// Reads the columns of those of these tables that the store has.
    pub(crate) async fn of(
        session: &mut MaintenanceSession,
        names: impl IntoIterator<Item = &'static str>,
    ) -> Result<Vec<Self>, BackupError> {
        let mut tables = Vec::new();
        for name in names {
            let columns = columns(session, name)
                .await
                .map_err(BackupError::sql("look at the tables of the store"))?;
            if !columns.is_empty() {
                tables.push(Self { name, columns });
            }
        }
        Ok(tables)
    }

    /// Returns the names of the columns, separated by commas.
    pub(crate) fn column_list(&self) -> String {
        let names = self.columns.iter().map(|column| column.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    }
}

async fn columns(
    session: &mut MaintenanceSession,
    table: &str,
) -> Result<Vec<Column>, sqlx::Error> {
    // Not from information_schema, which hides tables that the role may not read: reading them must fail.
    const POSTGRES: &str = "SELECT attname::text, typname::text \
        FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid \
        WHERE attrelid = to_regclass(quote_ident($1)) \
        AND attnum > 0 AND NOT attisdropped";
    const SQLITE: &str = "SELECT name, type FROM pragma_table_info($1)";
    let sql = match session {
        MaintenanceSession::Postgres(_) => POSTGRES,
        MaintenanceSession::Sqlite(_) => SQLITE,
    };
    let rows: Vec<(String, String)> = on_either!(session, connection =>
        sqlx::query_as(sql).bind(table).fetch_all(&mut **connection).await)?;
    let mut columns: Vec<_> = rows
        .into_iter()
        .map(|(name, kind)| Column {
            name,
            kind: kind.to_lowercase(),
        })
        .collect();
    columns.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::time::Duration;

    use taskhold_infrastructure::db::connect::ConnectOptions;
    use taskhold_infrastructure::url::DatabaseUrl;
    use taskhold_testkit::postgres::PostgresDatabase;

    use super::*;

    /// Opens a store with all migrations.
    async fn migrated(url: &str) -> MaintenanceSession {
        let options = ConnectOptions {
            url: DatabaseUrl::parse(url).unwrap(),
            connect_timeout: Duration::from_secs(30),
            max_connections: 1,
            writes_per_commit: NonZeroUsize::MIN,
            pooled: false,
            restoring: false,
            slow_call: Duration::MAX,
        };
        crate::restore::migrate(&options).await.unwrap();
        options.session().await.unwrap()
    }

    fn sorted(names: impl IntoIterator<Item = impl Into<String>>) -> Vec<String> {
        let mut names: Vec<_> = names.into_iter().map(Into::into).collect();
        names.sort();
        names
    }

    async fn assert_schema_has_these_tables(session: &mut MaintenanceSession) {
        const POSTGRES: &str =
            "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()";
        const SQLITE: &str = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'";
        let sql = match session {
            MaintenanceSession::Postgres(_) => POSTGRES,
            MaintenanceSession::Sqlite(_) => SQLITE,
        };
        let found: Vec<String> = on_either!(session, connection =>
            sqlx::query_scalar(sql).fetch_all(&mut **connection).await)
        .unwrap();
        assert_eq!(
            sorted(found),
            sorted(TABLES.into_iter().chain([MIGRATIONS]))
        );
        assert!(LEFT_OUT.iter().all(|name| TABLES.contains(name)));
        let tables = Table::of(session, TABLES).await.unwrap();
        assert_eq!(tables.len(), TABLES.len());
        assert_eq!(
            tables[0].column_list(),
            "created_at, email, email_key, id, is_active, name, password_hash, updated_at"
        );
    }

    #[tokio::test]
    async fn sqlite_schema_has_these_tables_in_this_order() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("store.db").display());
        let mut session = migrated(&url).await;
        assert_schema_has_these_tables(&mut session).await;

        let MaintenanceSession::Sqlite(mut connection) = session else {
            panic!("a SQLite file");
        };
        for (index, table) in TABLES.iter().enumerate() {
            let referred: Vec<String> =
                sqlx::query_scalar("SELECT \"table\" FROM pragma_foreign_key_list($1)")
                    .bind(table)
                    .fetch_all(&mut *connection)
                    .await
                    .unwrap();
            for name in referred {
                assert!(
                    TABLES[..index].contains(&name.as_str()),
                    "{table} before {name}"
                );
            }
        }
    }

    #[tokio::test]
    async fn postgresql_schema_has_these_tables() {
        let database = PostgresDatabase::empty().await;
        let mut session = migrated(database.url()).await;
        assert_schema_has_these_tables(&mut session).await;
    }
}
