//! Checks of a session with a PostgreSQL server: whether the service can use the database, and the pooler in front
//! of it.

use futures_util::TryStreamExt as _;
use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{self, Row as _};

use super::engine::{self, Engine};
use super::{ATTEMPT_TIMEOUT, ConnectError, ConnectOptions, ENCODING, UNFINISHED_RESTORE};
use crate::db::error::PROTOCOL_VIOLATION;
use crate::db::session::MaintenanceSession;
use crate::db::tables;

/// The answers of a server to [`engine::QUESTIONS`], up to the first statement that failed.
#[derive(Default)]
struct Answers {
    version: Option<String>,
    marks: Vec<String>,
    encoding: Option<String>,
}

impl ConnectOptions {
    /// Refuses a database that the service cannot use. Returns the engine of one that it can.
    pub(super) async fn check_session(
        &self,
        session: &mut PgConnection,
    ) -> Result<Engine, ConnectError> {
        let (engine, encoding) = self.known_engine(session).await?;
        self.refuse_statement_pooler(session).await?;
        self.refuse_encoding(encoding)?;
        self.refuse_half_restored(session).await?;
        self.refuse_misplaced_tables(session).await?;
        Ok(engine)
    }

    /// Refuses an engine on which a guarantee would be void. Comes before everything else that is asked: the engine
    /// may lack what other questions use. Returns the engine and the encoding of the database.
    pub(crate) async fn known_engine(
        &self,
        session: &mut PgConnection,
    ) -> Result<(Engine, String), ConnectError> {
        let mut answers = Answers::default();
        let asked = tokio::time::timeout(ATTEMPT_TIMEOUT, ask(session, &mut answers)).await;
        let asked = asked.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        let version = answers.version.unwrap_or_default();
        let mut engine = Engine::identify(&version, &answers.marks, &[]);
        let is_named = !version.is_empty() && engine.refusal().is_some();
        if let Err(error) = asked
            && !is_named
        {
            if !lacks_what_was_asked(&error) {
                return Err(self.failed(error));
            }
            engine = Engine::unknown(&version);
        }
        if engine.refusal().is_none() && answers.marks.iter().any(|mark| mark == "citus") {
            let rows = self.query(session, engine::DISTRIBUTED).await;
            let tables = rows.and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect());
            let tables: Vec<String> = tables.map_err(|error| self.failed(error))?;
            engine = Engine::identify(&version, &answers.marks, &tables);
        }
        match engine.refusal() {
            Some(problem) => Err(ConnectError::Engine {
                problem: problem.to_owned(),
                server: self.url.to_string(),
            }),
            None => Ok((engine, answers.encoding.unwrap_or_default())),
        }
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

    fn refuse_encoding(&self, encoding: String) -> Result<(), ConnectError> {
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

/// Asks the questions that identify an engine. Statements are not prepared: the pooler is not known yet.
async fn ask(session: &mut PgConnection, answers: &mut Answers) -> Result<(), sqlx::Error> {
    let mut rows = sqlx::raw_sql(engine::QUESTIONS).fetch(session);
    while let Some(row) = rows.try_next().await? {
        let value = row.try_get(1)?;
        match row.try_get(0)? {
            "version" => answers.version = Some(value),
            "encoding" => answers.encoding = Some(value),
            _ => answers.marks.push(value),
        }
    }
    Ok(())
}

/// Returns whether a server does not know a part of a question, which every PostgreSQL knows: classes 42 and 0A.
fn lacks_what_was_asked(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(answer) = error else {
        return matches!(error, sqlx::Error::ColumnDecode { .. });
    };
    let code = answer.code().unwrap_or_default();
    code.starts_with("42") && code != "42501" || code.starts_with("0A")
}
