//! Restores into a PostgreSQL database. Its tables are moved into a schema of their own, and dropped only
//! once the restored ones are verified. While that schema exists the restore is unfinished: no service
//! starts on the database, and the next restore begins by moving the tables back. The restored tables are
//! first in the schema that they were backed up from, and then in that of the tables before them.

use std::time::Duration;

use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::{self, AssertSqlSafe, Executor as _, PgConnection};
use taskhold_infrastructure::db::connect::{ConnectOptions, UNFINISHED_RESTORE};
use taskhold_infrastructure::db::session::MaintenanceSession;
use taskhold_infrastructure::db::tables::quoted;

use super::revocations::{self, Served};
use super::{Restore, Restored, execute, migrate, occupied, renew_epochs};
use crate::error::BackupError;
use crate::make::{schema, server_version};
use crate::manifest::Manifest;
use crate::rights::Rights;
use crate::table::{MIGRATIONS, TABLES};
use crate::tools::Tools;
use crate::verify::{self, pg_restore};

/// How often it is looked whether the database is served, and the time between two looks.
const GRACE: u32 = 10;
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn restore(
    restore: &Restore<'_>,
    target: &PgConnectOptions,
) -> Result<Restored, BackupError> {
    let options = ConnectOptions {
        restoring: true,
        ..restore.target.clone()
    };
    let mut session = options.session().await?;
    let connection = postgres(&mut session)?;
    refuse_if_served(connection).await?;
    if is_unfinished(connection).await? {
        tracing::warn!("the last restore was not finished: moving the tables back first");
        move_back(connection).await?;
    }
    // Only now: moving the tables back must not depend on the backup.
    verify::check(restore.backup).await?;
    let tools = Tools::at_least(server_version(connection).await?).await?;
    let rows = occupied(&mut session).await?;
    restore.refuse_to_replace(rows.clone())?;
    let served = restore.served(rows.is_some().then_some(&mut session)).await;
    let connection = postgres(&mut session)?;
    let schemas = move_away(connection, &restore.backup.manifest).await?;
    let restored = restore_in_place(
        restore,
        &options,
        target,
        &tools,
        &mut session,
        &schemas,
        served,
    )
    .await;
    if restored.is_err() {
        move_back(postgres(&mut session)?).await?;
    }
    session.close().await;
    restored
}

async fn restore_in_place(
    restore: &Restore<'_>,
    options: &ConnectOptions,
    target: &PgConnectOptions,
    tools: &Tools,
    session: &mut MaintenanceSession,
    schemas: &Schemas,
    served: Result<Served, String>,
) -> Result<Restored, BackupError> {
    let purpose = "finish the restore";
    pg_restore(restore.backup, tools, target).await?;
    schemas.move_to_place(postgres(session)?).await?;
    verify::compare(restore.backup, session).await?;
    let migrated = migrate(options).await?;
    execute(session, "BEGIN", purpose).await?;
    let finished = async {
        let revocations = revocations::apply(restore, session, served).await?;
        renew_epochs(session).await?;
        let drop = format!("DROP SCHEMA {UNFINISHED_RESTORE} CASCADE");
        execute(session, &drop, purpose).await?;
        let target = postgres(session)?;
        let tables = in_schema(target, &schemas.place).await?;
        let rights = schemas
            .rights
            .restore(target, &schemas.place, &tables)
            .await?;
        execute(session, "COMMIT", purpose).await?;
        Ok((revocations, rights))
    };
    match finished.await {
        Ok((revocations, rights)) => Ok(Restored {
            migrated,
            revocations,
            rights,
        }),
        Err(error) => {
            execute(session, "ROLLBACK", purpose).await?;
            Err(error)
        }
    }
}

fn postgres(session: &mut MaintenanceSession) -> Result<&mut PgConnection, BackupError> {
    match session {
        MaintenanceSession::Postgres(connection) => Ok(connection),
        MaintenanceSession::Sqlite(_) => Err(BackupError::Refused(
            "the target is no PostgreSQL database".into(),
        )),
    }
}

/// A service would write into tables that are about to be dropped.
async fn refuse_if_served(target: &mut PgConnection) -> Result<(), BackupError> {
    const OTHERS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
        AND application_name = current_setting('application_name') AND pid <> pg_backend_pid()";
    let mut others = 0;
    for _ in 0..GRACE {
        others = sqlx::query_scalar::<_, i64>(OTHERS)
            .fetch_one(&mut *target)
            .await
            .map_err(BackupError::sql("list the connections to the database"))?;
        if others == 0 {
            break;
        }
        // The server takes a moment to end the session of a command that has ended.
        tokio::time::sleep(PAUSE).await;
    }
    if others > 0 {
        return Err(BackupError::Refused(format!(
            "the database is in use ({others} connections of taskhold): stop every service on it first"
        )));
    }
    Ok(())
}

async fn is_unfinished(target: &mut PgConnection) -> Result<bool, BackupError> {
    sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL")
        .bind(UNFINISHED_RESTORE)
        .fetch_one(target)
        .await
        .map_err(BackupError::sql("look for an unfinished restore"))
}

/// Where the tables are, and where those of the backup appear: schemas, quoted. And the rights on the tables.
struct Schemas {
    place: String,
    restored: String,
    rights: Rights,
}

impl Schemas {
    /// Moves the restored tables to where those before them were.
    async fn move_to_place(&self, target: &mut PgConnection) -> Result<(), BackupError> {
        let Self {
            place, restored, ..
        } = self;
        if place == restored {
            return Ok(());
        }
        let moved = in_schema(target, restored).await?.into_iter();
        let moved =
            moved.map(|table| format!("ALTER TABLE {restored}.{table} SET SCHEMA {place};"));
        let sql = format!("BEGIN; {} COMMIT", moved.collect::<String>());
        run(target, sql, "move the restored tables to their schema").await
    }
}

/// Moves the tables out of their schema; the schema's default privileges then apply to the restored ones.
async fn move_away(target: &mut PgConnection, manifest: &Manifest) -> Result<Schemas, BackupError> {
    let before = schema(target).await?;
    let rights = Rights::of(target, before.as_deref(), &manifest.grants).await?;
    let place = match before {
        Some(schema) => quoted(&schema),
        None => current_schema(target).await?,
    };
    let schemas = Schemas {
        place,
        restored: manifest.quoted_schema(),
        rights,
    };
    let Schemas {
        place, restored, ..
    } = &schemas;
    let mut make = String::new();
    if place != restored {
        if let Some(table) = in_schema(target, restored).await?.first() {
            return Err(BackupError::Refused(format!(
                "the schema {restored}, which the backup was made of, has a table {table} that is not in the search_path: \
                 move it away first"
            )));
        }
        make = format!("CREATE SCHEMA IF NOT EXISTS {restored};");
    }
    let moved = in_schema(target, place)
        .await?
        .into_iter()
        .map(|table| format!("ALTER TABLE {place}.{table} SET SCHEMA {UNFINISHED_RESTORE};"));
    // The comment tells a later restore what this one has begun.
    let sql = format!(
        "BEGIN; CREATE SCHEMA {UNFINISHED_RESTORE}; COMMENT ON SCHEMA {UNFINISHED_RESTORE} IS '{}'; {make} {} COMMIT",
        format!("{place}\n{restored}").replace('\'', "''"),
        moved.collect::<String>()
    );
    run(
        target,
        sql,
        "move the tables away: restore as the role that owns them, and may create schemas in the database \
         (docs/operations/backup.md)",
    )
    .await?;
    Ok(schemas)
}

/// Drops what was restored and moves the tables back.
async fn move_back(target: &mut PgConnection) -> Result<(), BackupError> {
    let begun: Option<String> =
        sqlx::query_scalar("SELECT obj_description(to_regnamespace($1)::oid, 'pg_namespace')")
            .bind(UNFINISHED_RESTORE)
            .fetch_one(&mut *target)
            .await
            .map_err(BackupError::sql("look for an unfinished restore"))?;
    let begun = begun.as_deref().and_then(|begun| begun.split_once('\n'));
    let (place, restored) = match begun {
        Some((place, restored)) => (place.to_owned(), restored.to_owned()),
        // An earlier version knew one schema only.
        None => (current_schema(target).await?, String::new()),
    };
    let mut dropped = Vec::new();
    for schema in [&place, &restored] {
        let tables = in_schema(target, schema).await?.into_iter();
        dropped
            .extend(tables.map(|table| format!("DROP TABLE IF EXISTS {schema}.{table} CASCADE;")));
    }
    let moved = in_schema(target, &quoted(UNFINISHED_RESTORE))
        .await?
        .into_iter()
        .map(|table| format!("ALTER TABLE {UNFINISHED_RESTORE}.{table} SET SCHEMA {place};"));
    let sql = format!(
        "BEGIN; {} {} DROP SCHEMA {UNFINISHED_RESTORE}; COMMIT",
        dropped.concat(),
        moved.collect::<String>()
    );
    run(target, sql, "move the tables back").await
}

/// Returns those of our tables that this schema has, which is quoted.
async fn in_schema(
    target: &mut PgConnection,
    schema: &str,
) -> Result<Vec<&'static str>, BackupError> {
    let found: Vec<String> = sqlx::query_scalar(
        "SELECT tablename::text FROM pg_tables WHERE '\"' || replace(schemaname, '\"', '\"\"') || '\"' = $1",
    )
    .bind(schema)
    .fetch_all(target)
    .await
    .map_err(BackupError::sql("look at the tables"))?;
    let ours = TABLES.into_iter().chain([MIGRATIONS]);
    Ok(ours
        .filter(|table| found.iter().any(|found| found == table))
        .collect())
}

async fn current_schema(target: &mut PgConnection) -> Result<String, BackupError> {
    let schema: Option<String> = sqlx::query_scalar("SELECT current_schema()::text")
        .fetch_one(target)
        .await
        .map_err(BackupError::sql("ask for the schema"))?;
    let schema = schema.ok_or_else(|| {
        BackupError::Refused("the role may use no schema of its search_path".into())
    })?;
    Ok(quoted(&schema))
}

async fn run(
    target: &mut PgConnection,
    sql: String,
    doing: &'static str,
) -> Result<(), BackupError> {
    let done = target.execute(AssertSqlSafe(sql)).await;
    if done.is_err() {
        // The statements after the one that failed were not run, COMMIT among them.
        if let Err(error) = target.execute("ROLLBACK").await {
            tracing::debug!(%error, "a transaction could not be rolled back");
        }
    }
    done.map(drop).map_err(BackupError::sql(doing))
}
