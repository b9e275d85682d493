//! Makes a backup while the store is served.

use std::path::{Path, PathBuf};

use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _, Executor as _, PgConnection};
use taskhold_domain::timestamp::Timestamp;
use taskhold_infrastructure::db::connect::ConnectOptions;
use taskhold_infrastructure::db::session::MaintenanceSession;
use taskhold_infrastructure::db::tables::quoted;
use taskhold_infrastructure::files::open_private_file;
use taskhold_infrastructure::url::DatabaseKind;

use crate::contents::{Contents, contents};
use crate::error::BackupError;
use crate::folder::{Backup, BackupFolder, digest};
use crate::manifest::{DEFAULT_SCHEMA, FORMAT, Manifest, StoreKind};
use crate::origin;
use crate::query::on_either;
use crate::rights::{self, Grant};
use crate::table::{LEFT_OUT, MIGRATIONS, TABLES, Table};
use crate::tools::Tools;

/// Makes a backup of one consistent moment of a store that is served meanwhile. It holds every write that
/// was answered before `now`. When this returns it is in the folder, complete and synced.
///
/// # Errors
/// [`BackupError`]. No backup was made then, and no other one was touched.
pub async fn make(
    store: &ConnectOptions,
    folder: &BackupFolder,
    now: Timestamp,
) -> Result<Backup, BackupError> {
    let lock = folder.lock()?;
    let session = store.session().await?;
    let partial = lock.begin(now)?;
    let (kind, file, found) = match (session, store.url.kind()) {
        (MaintenanceSession::Postgres(session), DatabaseKind::Postgres(server)) => {
            let file = "store.dump";
            let found = dump(session, server, &partial.file(file)).await?;
            (StoreKind::Postgresql, file, found)
        }
        (MaintenanceSession::Sqlite(session), _) => {
            let file = "store.sqlite";
            let found = vacuum(*session, &partial.file(file)).await?;
            (StoreKind::Sqlite, file, found)
        }
        (MaintenanceSession::Postgres(_), DatabaseKind::Sqlite(_)) => {
            return Err(BackupError::Refused(
                "a SQLite file opened as PostgreSQL".into(),
            ));
        }
    };
    let (bytes, sha256) = digest_of(partial.file(file)).await?;
    partial.publish(&Manifest {
        format: FORMAT,
        tool: concat!("taskhold ", env!("CARGO_PKG_VERSION")).to_owned(),
        store: kind,
        taken_at: now.as_micros(),
        taken_at_utc: now.to_string(),
        migrations: found.migrations,
        file: file.to_owned(),
        bytes,
        sha256,
        tables: found.contents,
        left_out: LEFT_OUT.map(str::to_owned).to_vec(),
        schema: found.schema.filter(|schema| schema != DEFAULT_SCHEMA),
        origin: Some(origin::id(&store.url, found.created_at)),
        grants: found.grants,
    })
}

/// Returns the tables that a backup holds.
pub(crate) fn kept() -> impl Iterator<Item = &'static str> {
    TABLES
        .into_iter()
        .filter(|table| !LEFT_OUT.contains(table))
        .chain([MIGRATIONS])
}

async fn digest_of(path: PathBuf) -> Result<(u64, String), BackupError> {
    let read = path.clone();
    let digested = tokio::task::spawn_blocking(move || digest(&read)).await;
    let digested = digested.unwrap_or_else(|panicked| Err(std::io::Error::other(panicked)));
    digested.map_err(BackupError::file(&path))
}

/// What the manifest says of the store.
struct Found {
    contents: Contents,
    migrations: Vec<String>,
    /// When the first migration was applied.
    created_at: i64,
    /// The schema of PostgreSQL in which the tables are.
    schema: Option<String>,
    grants: Vec<Grant>,
}

/// Dumps a database, and reads what the manifest says of it from the same snapshot.
async fn dump(
    mut session: Box<PgConnection>,
    options: &PgConnectOptions,
    file: &Path,
) -> Result<Found, BackupError> {
    let tools = Tools::at_least(server_version(&mut session).await?).await?;
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
        SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";
    let snapshot = async {
        session.execute(begin).await?;
        sqlx::query_scalar("SELECT pg_export_snapshot()")
            .fetch_one(&mut *session)
            .await
    };
    let snapshot: String = snapshot.await.map_err(BackupError::sql("begin a backup"))?;
    let Some(name) = schema(&mut session).await? else {
        return Err(no_tables());
    };
    let grants = rights::grants(&mut session, &name).await?;
    let schema = quoted(&name);
    let mut arguments = vec![
        "--format=custom".to_owned(),
        "--no-owner".to_owned(),
        "--no-privileges".to_owned(),
        format!("--snapshot={snapshot}"),
        format!("--file={}", file.display()),
    ];
    // The database may hold tables of other programs.
    for table in TABLES.into_iter().chain([MIGRATIONS]) {
        arguments.push(format!("--table={schema}.{table}"));
    }
    for table in LEFT_OUT {
        arguments.push(format!("--exclude-table-data={schema}.{table}"));
    }
    open_private_file(file).map_err(BackupError::file(file))?;
    let mut session = MaintenanceSession::Postgres(session);
    let counted = async {
        let (migrations, created_at) = migrations(&mut session).await?;
        Ok(Found {
            contents: contents(&mut session, kept()).await?,
            migrations,
            created_at,
            schema: Some(name),
            grants,
        })
    };
    let dumped = tools.run("pg_dump", options, &arguments);
    let (found, ()) = tokio::try_join!(counted, dumped)?;
    session.close().await;
    Ok(found)
}

/// Returns the schema of the tables; `None` if there are none.
pub(crate) async fn schema(session: &mut PgConnection) -> Result<Option<String>, BackupError> {
    let sql = "SELECT nspname::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
               WHERE pg_class.oid = to_regclass($1)";
    let schema = sqlx::query_scalar(sql).bind(MIGRATIONS);
    let schema = schema.fetch_optional(session).await;
    schema.map_err(BackupError::sql("look for the tables of the store"))
}

fn no_tables() -> BackupError {
    BackupError::Refused("the store has no tables yet: run `taskhold migrate up` first".into())
}

/// Copies a SQLite file with what is in its write-ahead log, and reads what the manifest says of the copy.
async fn vacuum(mut session: SqliteConnection, file: &Path) -> Result<Found, BackupError> {
    // SQLite keeps the mode of a file that exists.
    open_private_file(file).map_err(BackupError::file(file))?;
    sqlx::query("VACUUM INTO $1")
        .bind(file.display().to_string())
        .execute(&mut session)
        .await
        .map_err(BackupError::sql("copy the store"))?;
    MaintenanceSession::Sqlite(Box::new(session)).close().await;
    let mut copy = open_alone(file).await?;
    let (migrations, created_at) = migrations(&mut copy).await?;
    leave_out(&mut copy).await?;
    check_integrity(&mut copy).await?;
    let contents = contents(&mut copy, kept()).await?;
    copy.close().await;
    Ok(Found {
        contents,
        migrations,
        created_at,
        schema: None,
        grants: vec![],
    })
}

/// Opens a SQLite file that no other process uses, and that is to remain a single file.
pub(crate) async fn open_alone(file: &Path) -> Result<MaintenanceSession, BackupError> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Delete)
        // A check of the whole file takes long by nature: sqlx would warn of it.
        .disable_statement_logging();
    let connection = SqliteConnection::connect_with(&options).await;
    let connection = connection.map_err(BackupError::sql("open the copy of the SQLite file"))?;
    Ok(MaintenanceSession::Sqlite(Box::new(connection)))
}

/// Overwrites the rows that are left out: a deleted row can still be found in the file.
async fn leave_out(copy: &mut MaintenanceSession) -> Result<(), BackupError> {
    let tables = Table::of(copy, LEFT_OUT).await?;
    let deletes = tables
        .iter()
        .map(|table| format!("DELETE FROM {};", table.name));
    let sql = format!("PRAGMA secure_delete = ON; {}", deletes.collect::<String>());
    let done = copy.execute(&sql).await;
    done.map_err(BackupError::sql("leave sessions out of the copy"))
}

/// Checks the pages and the foreign keys of a SQLite file; does nothing on PostgreSQL.
pub(crate) async fn check_integrity(session: &mut MaintenanceSession) -> Result<(), BackupError> {
    let MaintenanceSession::Sqlite(connection) = session else {
        return Ok(());
    };
    let checked = async {
        let found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check")
            .fetch_all(&mut **connection)
            .await?;
        let orphans = connection.fetch_all("PRAGMA foreign_key_check").await?;
        Ok((found, orphans.len()))
    };
    let (found, orphans) = checked
        .await
        .map_err(BackupError::sql("check the SQLite file"))?;
    if found != ["ok"] {
        return Err(BackupError::Mismatch(format!(
            "the SQLite file is damaged: {}",
            found.first().map_or("no answer", String::as_str)
        )));
    }
    if orphans > 0 {
        return Err(BackupError::Mismatch(format!(
            "rows of the SQLite file that refer to rows that are not there: {orphans}"
        )));
    }
    Ok(())
}

/// Reads the migrations that were applied to a store, oldest first, and when the first was.
///
/// # Errors
/// `Refused` if there are none.
pub(crate) async fn migrations(
    session: &mut MaintenanceSession,
) -> Result<(Vec<String>, i64), BackupError> {
    if Table::of(session, [MIGRATIONS]).await?.is_empty() {
        return Err(no_tables());
    }
    let sql = "SELECT version, applied_at FROM seaql_migrations ORDER BY version";
    let rows: Result<Vec<(String, i64)>, _> = on_either!(session, connection =>
        sqlx::query_as(sql).fetch_all(&mut **connection).await);
    let rows = rows.map_err(BackupError::sql("read the migrations"))?;
    let created_at = rows.iter().map(|(_, applied_at)| *applied_at).min();
    let versions = rows.into_iter().map(|(version, _)| version).collect();
    Ok((versions, created_at.ok_or_else(no_tables)?))
}

/// Returns the first number of the server's version.
pub(crate) async fn server_version(session: &mut PgConnection) -> Result<u32, BackupError> {
    let number: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int4")
        .fetch_one(session)
        .await
        .map_err(BackupError::sql("ask for the server's version"))?;
    Ok(number.unsigned_abs() / 10_000)
}
