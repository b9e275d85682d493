//! Checks of a session with a PostgreSQL server: whether the service can use the database, and the pooler in front
//! of it.

use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{self, Row as _};

use super::{ATTEMPT_TIMEOUT, ConnectError, ConnectOptions, ENCODING, UNFINISHED_RESTORE};
use crate::db::error::PROTOCOL_VIOLATION;
use crate::db::session::MaintenanceSession;
use crate::db::tables;

impl ConnectOptions {
    /// Refuses a database that the service cannot use.
    pub(super) async fn check_session(
        &self,
        session: &mut PgConnection,
    ) -> Result<(), ConnectError> {
        self.refuse_statement_pooler(session).await?;
        self.refuse_encoding(session).await?;
        self.refuse_half_restored(session).await?;
        self.refuse_misplaced_tables(session).await
    }

    /// Runs a transaction of two messages. Behind a pooler that shares a session between statements it fails,
    /// or its second message is no part of it.
    pub(crate) async fn refuse_statement_pooler(
        &self,
        session: &mut PgConnection,
    ) -> Result<(), ConnectError> {
        let refused = || ConnectError::StatementPooler {
            server: self.url.to_string(),
        };
        let begin = "BEGIN; SELECT set_config('taskhold.session', pg_backend_pid()::text, true)";
        match self.query(session, begin).await {
            Ok(_) => {}
            // PgBouncer's answer.
            Err(sqlx::Error::Database(error))
                if error.code().as_deref() == Some(PROTOCOL_VIOLATION) =>
            {
                return Err(refused());
            }
            Err(error) => return Err(self.failed(error)),
        }
        let end = "SELECT 1 WHERE current_setting('taskhold.session', true) = pg_backend_pid()::text; \
                   ROLLBACK";
        let same = self.query(session, end).await;
        if same.map_err(|error| self.failed(error))?.is_empty() {
            return Err(refused());
        }
        Ok(())
    }

    async fn refuse_encoding(&self, session: &mut PgConnection) -> Result<(), ConnectError> {
        let encoding = self.query(session, "SHOW server_encoding").await;
        let encoding = encoding.and_then(|rows| {
            let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
            row.try_get::<String, _>(0)
        });
        let encoding = encoding.map_err(|error| self.failed(error))?;
        if encoding == ENCODING {
            return Ok(());
        }
        Err(ConnectError::Encoding {
            encoding,
            server: self.url.to_string(),
        })
    }

    /// Refuses a database that is half restored, unless a restore connects.
    pub(super) async fn refuse_half_restored(
        &self,
        session: &mut PgConnection,
    ) -> Result<(), ConnectError> {
        if self.restoring {
            return Ok(());
        }
        let sql = format!("SELECT 1 FROM pg_namespace WHERE nspname = '{UNFINISHED_RESTORE}'");
        let found = self.query(session, &sql).await;
        if found.map_err(|error| self.failed(error))?.is_empty() {
            return Ok(());
        }
        Err(ConnectError::HalfRestored {
            server: self.url.to_string(),
        })
    }

    /// Refuses a search path that leads to several sets of tables, or to other tables.
    pub(super) async fn refuse_misplaced_tables(
        &self,
        session: &mut PgConnection,
    ) -> Result<(), ConnectError> {
        let found = self.query(session, tables::FIND).await.and_then(|rows| {
            let rows = rows
                .iter()
                .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
            rows.collect::<Result<Vec<_>, sqlx::Error>>()
        });
        let found = found.map_err(|error| self.failed(error))?;
        match tables::only_schema(found) {
            Ok(_) => Ok(()),
            Err(tables) => Err(ConnectError::Misplaced {
                tables,
                server: self.url.to_string(),
            }),
        }
    }

    /// Returns the configured number of connections, or what the role's limit leaves beside the one for
    /// health checks: the server would refuse further ones while others idle.
    pub(super) async fn connections_within_limit(&self, session: &mut PgConnection) -> usize {
        let limit =
            sqlx::query_scalar("SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user")
                .fetch_optional(session)
                .await;
        let limit: i32 = match limit {
            Ok(limit) => limit.unwrap_or(-1),
            Err(error) => {
                tracing::warn!(%error, "cannot see how many connections the role may have");
                return self.max_connections;
            }
        };
        // Negative means no limit.
        let Ok(limit) = usize::try_from(limit) else {
            return self.max_connections;
        };
        let allowed = limit.saturating_sub(1).max(1);
        if allowed < self.max_connections {
            tracing::warn!(
                limit,
                "the role may have fewer connections than database.max_connections"
            );
        }
        allowed.min(self.max_connections)
    }

    /// Prepares different statements of the same name in two sessions and executes them in turn. Behind a
    /// pooler that does not keep sessions apart, one gets the other's answer, or an error.
    pub(super) async fn reject_unsafe_pooler(
        &self,
        mut first: PgConnection,
        mut second: PgConnection,
    ) -> Result<(), ConnectError> {
        for _ in 0..2 {
            for (session, expected) in [(&mut first, 1_i32), (&mut second, 2)] {
                let sql = if expected == 1 {
                    "SELECT $1::int4 + 1"
                } else {
                    "SELECT $1::int4 + 2"
                };
                let query = sqlx::query(sql).bind(0_i32).fetch_one(session);
                let answer = tokio::time::timeout(ATTEMPT_TIMEOUT, query).await;
                let answer = answer
                    .ok()
                    .and_then(|row| row.ok()?.try_get::<i32, _>(0).ok());
                if answer != Some(expected) {
                    return Err(ConnectError::UnsafePooler {
                        server: self.url.to_string(),
                    });
                }
            }
        }
        for session in [first, second] {
            MaintenanceSession::Postgres(Box::new(session))
                .close()
                .await;
        }
        Ok(())
    }
}
