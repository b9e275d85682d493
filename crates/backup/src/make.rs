//! Making a backup while the store is served.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sea_orm::sqlx::{self, AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use taskhold_domain::timestamp::Timestamp;
use taskhold_infrastructure::session::Session;
use taskhold_infrastructure::sqlite::private_file;
use taskhold_infrastructure::start::Opening;
use taskhold_infrastructure::url::DatabaseUrl;

use crate::contents::{Contents, contents};
use crate::error::BackupError;
use crate::folder::{Backup, BackupFolder, Partial, digest};
use crate::manifest::{FORMAT, Manifest, StoreKind};
use crate::table::{LEFT_OUT, MIGRATIONS, TABLES};
use crate::tools::Tools;

/// Makes a backup of one consistent moment of the store, which goes on meanwhile. What was answered
/// before `now` is in it. It is in the folder when this returns, whole and synced, and not at all
/// where it fails.
///
/// # Errors
/// [`BackupError`]. No other backup is touched.
pub async fn make(
    store: &Opening,
    folder: &BackupFolder,
    now: Timestamp,
) -> Result<Backup, BackupError> {
    let held = folder.hold()?;
    let session = store.session().await?;
    let partial = held.begin(now)?;
    let (kind, file, (tables, migrations)) = match (session, &store.url) {
        (Session::Postgres(session), DatabaseUrl::Postgres(options)) => {
            let file = "store.dump";
            let found = dump(session, options, &partial.file(file)).await?;
            (StoreKind::Postgresql, file, found)
        }
        (Session::Sqlite(session), _) => {
            let file = "store.sqlite";
            let found = vacuum(*session, &partial, file).await?;
            (StoreKind::Sqlite, file, found)
        }
        (Session::Postgres(_), DatabaseUrl::Sqlite(_)) => {
            return Err(BackupError::Refused(
                "a SQLite file opened as PostgreSQL".into(),
            ));
        }
    };
    let (bytes, sha256) = digest_of(partial.file(file)).await?;
    let manifest = Manifest {
        format: FORMAT,
        tool: concat!("taskhold ", env!("CARGO_PKG_VERSION")).to_owned(),
        store: kind,
        taken_at: now.as_micros(),
        taken_at_utc: now.to_string(),
        migrations,
        file: file.to_owned(),
        bytes,
        sha256,
        tables,
        left_out: LEFT_OUT.map(str::to_owned).to_vec(),
    };
    partial.publish(&manifest)
}

/// The tables that a backup holds.
pub(crate) fn kept() -> impl Iterator<Item = &'static str> {
    TABLES
        .into_iter()
        .filter(|table| !LEFT_OUT.contains(table))
        .chain([MIGRATIONS])
}

pub(crate) async fn digest_of(path: std::path::PathBuf) -> Result<(u64, String), BackupError> {
    let of = path.clone();
    let digested = tokio::task::spawn_blocking(move || digest(&of)).await;
    let digested = digested.unwrap_or_else(|panicked| Err(std::io::Error::other(panicked)));
    digested.map_err(BackupError::file(&path))
}

/// One snapshot for the counts and for `pg_dump`.
async fn dump(
    mut session: Box<PgConnection>,
    options: &PgConnectOptions,
    file: &Path,
) -> Result<(Contents, Vec<String>), BackupError> {
    let tools = Tools::at_least(server_version(&mut session).await?).await?;
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
        SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";
    let snapshot = async {
        session.execute(begin).await?;
        sqlx::query_as("SELECT pg_export_snapshot(), quote_ident(current_schema())")
            .fetch_one(&mut *session)
            .await
    };
    let (snapshot, schema): (String, String) =
        snapshot.await.map_err(BackupError::sql("begin a backup"))?;
    let mut arguments = vec![
        "--format=custom".to_owned(),
        "--no-owner".to_owned(),
        "--no-privileges".to_owned(),
        format!("--snapshot={snapshot}"),
        format!("--file={}", file.display()),
    ];
    // The database may be shared with tables that are not ours.
    for table in TABLES.into_iter().chain([MIGRATIONS]) {
        arguments.push(format!("--table={schema}.{table}"));
    }
    for table in LEFT_OUT {
        arguments.push(format!("--exclude-table-data={schema}.{table}"));
    }
    private_file(file).map_err(BackupError::file(file))?;
    let mut session = Session::Postgres(session);
    let counted = async {
        let migrations = migrations(&mut session).await?;
        Ok((contents(&mut session, kept()).await?, migrations))
    };
    let dumped = tools.run("pg_dump", options, &arguments);
    let (found, ()) = tokio::try_join!(counted, dumped)?;
    session.close().await;
    Ok(found)
}

/// A file of its own, with what was written into the log of the store's file as well.
async fn vacuum(
    mut session: SqliteConnection,
    partial: &Partial<'_>,
    name: &str,
) -> Result<(Contents, Vec<String>), BackupError> {
    let file = partial.file(name);
    private_file(&file).map_err(BackupError::file(&file))?;
    sqlx::query("VACUUM INTO $1")
        .bind(file.display().to_string())
        .execute(&mut session)
        .await
        .map_err(BackupError::sql("copy the store"))?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))
        .map_err(BackupError::file(&file))?;
    Session::Sqlite(Box::new(session)).close().await;
    let mut copy = Session::Sqlite(Box::new(
        open_alone(&file)
            .await
            .map_err(BackupError::sql("open the copy"))?,
    ));
    let migrations = migrations(&mut copy).await?;
    if let Session::Sqlite(copy) = &mut copy {
        leave_out(copy)
            .await
            .map_err(BackupError::sql("leave sessions out of the copy"))?;
    }
    sound(&mut copy).await?;
    let contents = contents(&mut copy, kept()).await?;
    copy.close().await;
    Ok((contents, migrations))
}

/// Opens a SQLite file that nobody else uses, and that is to remain a single file.
pub(crate) async fn open_alone(file: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Delete);
    SqliteConnection::connect_with(&options).await
}

/// Overwrites what is left out: a row that is only deleted can still be found in the file.
async fn leave_out(copy: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    copy.execute("PRAGMA secure_delete = ON").await?;
    for table in LEFT_OUT {
        let there: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1")
                .bind(table)
                .fetch_optional(&mut *copy)
                .await?;
        if there.is_some() {
            copy.execute(AssertSqlSafe(format!("DELETE FROM {table}")))
                .await?;
        }
    }
    Ok(())
}

/// Whether SQLite finds nothing wrong with a file.
pub(crate) async fn sound(session: &mut Session) -> Result<(), BackupError> {
    let Session::Sqlite(connection) = session else {
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
            "{orphans} rows of the SQLite file refer to rows that are not there"
        )));
    }
    Ok(())
}

/// The migrations that a store has, oldest first.
///
/// # Errors
/// `Refused` where it has none.
pub(crate) async fn migrations(session: &mut Session) -> Result<Vec<String>, BackupError> {
    const SQL: &str = "SELECT version FROM seaql_migrations ORDER BY version";
    let found = crate::table::Table::of(session, [MIGRATIONS]).await?;
    if found.is_empty() {
        return Err(BackupError::Refused(
            "the store has no tables yet: run `taskhold migrate up` first".into(),
        ));
    }
    let rows = match session {
        Session::Postgres(connection) => sqlx::query_scalar(SQL).fetch_all(&mut **connection).await,
        Session::Sqlite(connection) => sqlx::query_scalar(SQL).fetch_all(&mut **connection).await,
    };
    rows.map_err(BackupError::sql("read the migrations"))
}

/// The first number of the server's version.
pub(crate) async fn server_version(session: &mut PgConnection) -> Result<u32, BackupError> {
    let number: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int4")
        .fetch_one(session)
        .await
        .map_err(BackupError::sql("ask for the server's version"))?;
    Ok(number.unsigned_abs() / 10_000)
}
