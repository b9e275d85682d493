//! The parts that only a PostgreSQL server has: a clock, roles, limits on connections, and poolers in front of it.

use sea_orm::sqlx::{self, Connection as _, Executor as _};
use taskhold_domain::timestamp::Timestamp;

use super::{InspectionError, Inspector, Session};
use crate::db::rights::{self, MissingRights};

/// The role of the session on PostgreSQL, and its rights.
#[derive(Debug)]
pub struct Role {
    /// The name of the role.
    pub name: String,
    /// `true` if no right is denied to the role.
    pub is_superuser: bool,
    /// The schema that it works in; `None` if it may use none of its search path.
    pub schema: Option<String>,
    /// `true` if the role may create and change tables.
    pub may_migrate: bool,
    /// The rights on the tables that it lacks for serving.
    pub missing: Option<MissingRights>,
}

/// The numbers of connections that a PostgreSQL server allows.
#[derive(Debug)]
pub struct ConnectionLimits {
    /// For all of its roles but superusers.
    pub allowed: i64,
    /// The number of these that other roles have now.
    pub used_by_others: i64,
    /// The lower one of the role's and the database's own limits, where there is one.
    pub limit: Option<i64>,
}

/// The pooler between this program and a PostgreSQL server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// No pooler that shares sessions.
    None,
    /// A pooler that shares sessions and keeps prepared statements apart.
    Safe,
    /// A pooler that shares sessions and mixes up prepared statements.
    Unsafe,
}

impl Inspector {
    /// Reads the server's clock; `None` for a SQLite file, which has no other than this machine's.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn clock(&mut self) -> Result<Option<Timestamp>, InspectionError> {
        if self.is_sqlite() {
            return Ok(None);
        }
        let (micros,) = self
            .read_one("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8")
            .await?;
        let time = Timestamp::from_micros(micros);
        time.map(Some)
            .map_err(|error| InspectionError::Store(error.into()))
    }

    /// Asks what the session's role may do with these tables; `None` for a SQLite file.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn role(&mut self, tables: &[&str]) -> Result<Option<Role>, InspectionError> {
        if self.is_sqlite() {
            return Ok(None);
        }
        let names = tables
            .iter()
            .map(|table| format!("'{table}'"))
            .collect::<Vec<_>>()
            .join(", ");
        // New tables go to those that are there.
        let place = match self.schema().await? {
            Some(schema) => format!("'{}'::text", schema.replace('\'', "''")),
            None => "current_schema()::text".to_owned(),
        };
        let (name, is_superuser, schema, may_migrate): (String, bool, Option<String>, bool) = self
            .read_one(&format!(
                "SELECT current_user::text, rolsuper, {place},
                        coalesce(has_schema_privilege({place}, 'CREATE'), false)
                            AND coalesce((SELECT bool_and(pg_has_role(relowner, 'USAGE')) FROM pg_class
                                          WHERE oid = ANY (SELECT to_regclass(name)::oid
                                              FROM unnest(ARRAY[{names}, 'seaql_migrations']) AS name)), true)
                 FROM pg_roles WHERE rolname = current_user"
            ))
            .await?;
        let missing = MissingRights::of(self.read(&rights::find_missing(tables)).await?);
        Ok(Some(Role {
            name,
            is_superuser,
            schema,
            may_migrate,
            missing,
        }))
    }

    /// Asks how many connections the server allows; `None` for a SQLite file.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn connection_limits(&mut self) -> Result<Option<ConnectionLimits>, InspectionError> {
        if self.is_sqlite() {
            return Ok(None);
        }
        let (allowed, used_by_others, of_role, of_database): (i64, i64, i64, i64) = self
            .read_one(
                "SELECT current_setting('max_connections')::int8
                            - current_setting('superuser_reserved_connections')::int8
                            - coalesce(current_setting('reserved_connections', true), '0')::int8,
                        (SELECT sum(numbackends) FROM pg_stat_database)::int8
                            - (SELECT count(*) FROM pg_stat_activity WHERE usename = current_user),
                        (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user)::int8,
                        (SELECT datconnlimit FROM pg_database WHERE datname = current_database())::int8",
            )
            .await?;
        // Negative means no limit.
        let limits = [of_role, of_database].into_iter();
        Ok(Some(ConnectionLimits {
            allowed,
            used_by_others,
            limit: limits.filter(|limit| *limit >= 0).min(),
        }))
    }

    /// Finds a pooler in front of the server; `None` for a SQLite file. Opens a second session to
    /// compare.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub async fn pooling(&mut self) -> Result<Option<Pooling>, InspectionError> {
        const PROCESS: &str = "SELECT pg_backend_pid()::int8";
        if self.is_sqlite() {
            return Ok(None);
        }
        let second = self.options.inspector().await;
        let Some(mut second) = second.map_err(|error| InspectionError::Store(error.into()))? else {
            return Ok(None);
        };
        let own: (i64,) = self.read_one(PROCESS).await?;
        let other: (i64,) = second.read_one(PROCESS).await?;
        Ok(Some(if own != other {
            Pooling::None
        } else if self.passes_statement_names().await? {
            Pooling::Unsafe
        } else {
            Pooling::Safe
        }))
    }

    /// Asks whether prepared statements have the name in the server's session that the driver gives
    /// them: behind a pooler that shares the session, those of all clients have the same then. No
    /// statement stays prepared.
    async fn passes_statement_names(&mut self) -> Result<bool, sqlx::Error> {
        let Session::Postgres(connection) = &mut self.session else {
            return Ok(false);
        };
        // One transaction is one session, also behind a pooler.
        connection.execute("BEGIN READ ONLY").await?;
        let prepared = sqlx::query("SELECT 1 AS taskhold_doctor")
            .fetch_one(&mut **connection)
            .await;
        let found = match prepared {
            // Another client's statement has the name.
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P05") => {
                Ok(true)
            }
            Err(error) => Err(error),
            Ok(_) => {
                let statements = sqlx::raw_sql(
                    "SELECT FROM pg_prepared_statements
                     WHERE statement LIKE '%AS taskhold_doctor' AND name LIKE 'sqlx\\_%'",
                );
                let first = statements.fetch_optional(&mut **connection).await;
                first.map(|row| row.is_some())
            }
        };
        connection.clear_cached_statements().await?;
        connection.execute("ROLLBACK").await?;
        found
    }
}
