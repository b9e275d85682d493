//! The session in which a migration runs.

use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QueryResult, SqlxPostgresConnector,
    Statement,
};

use crate::db::connect::ATTEMPT_TIMEOUT;
use crate::db::tables::{self, quoted};

/// Returns the schema of PostgreSQL in which the tables are.
pub(super) async fn schema(connection: &impl ConnectionTrait) -> Result<Option<String>, DbErr> {
    let found = rows(connection, tables::FIND).await?;
    let found = found
        .iter()
        .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)));
    let found: Result<Vec<_>, DbErr> = found.collect();
    tables::only_schema(found?).map_err(|error| DbErr::Custom(error.to_string()))
}

/// Returns the rows of a query.
pub(super) async fn rows(
    connection: &impl ConnectionTrait,
    sql: impl Into<String>,
) -> Result<Vec<QueryResult>, DbErr> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    connection.query_all_raw(statement).await
}

/// Makes a schema the first one of the path, for the transaction or the session: new tables belong to those that are
/// there, which need not be in the first schema of the path.
pub(super) async fn use_schema(
    connection: &impl ConnectionTrait,
    schema: Option<String>,
    is_local: bool,
) -> Result<(), DbErr> {
    if let Some(schema) = schema {
        let path = Statement::from_sql_and_values(
            DbBackend::Postgres,
            "SELECT set_config('search_path', $1 || ', ' || current_setting('search_path'), $2)",
            [quoted(&schema).into(), is_local.into()],
        );
        connection.query_one_raw(path).await?;
    }
    Ok(())
}

/// Returns the number of the server's process that executes the statements of a connection.
pub(super) async fn server_process(connection: &impl ConnectionTrait) -> Result<i32, DbErr> {
    let own = rows(connection, "SELECT pg_backend_pid()").await?;
    let own = own.first().map(|row| row.try_get_by_index(0)).transpose()?;
    Ok(own.unwrap_or_default())
}

/// Returns a connection that executes all its statements in one session with a server.
pub(super) fn one_session(server: PgConnectOptions) -> DatabaseConnection {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(ATTEMPT_TIMEOUT)
        .connect_lazy_with(server);
    SqlxPostgresConnector::from_sqlx_postgres_pool(pool)
}
