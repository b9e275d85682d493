//! The import port: rows are set aside in a table of the session's own, and one transaction makes
//! tasks of them with a few statements over all of them. So nothing is held while a file is read,
//! the write lock of SQLite is held shortly, and memory does not grow with the file.

mod staged;

use std::collections::BTreeMap;

use async_trait::async_trait;
use sea_orm::sqlx::{self, AssertSqlSafe, Executor as _, PgConnection};
use sea_orm::{DbErr, RuntimeErr};
use taskhold_domain::task::TaskId;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::import::{Counts, ImportOutcome, ImportRun, ImportedRow};

use self::staged::StagedRow;
use crate::db::error::Failure;
use crate::db::Database;
use crate::db::session::MaintenanceSession;

/// No other program on the same database takes it for its own advisory lock.
const LOCK_KEY: i64 = 0x7461_736b_696d_706f;
/// How many rows are read back at once.
const PAGE: i64 = 2_000;
/// With as many parameters, a statement stays within SQLite's limit of 32,766.
const ROWS_PER_INSERT: usize = 500;
/// How much travels to PostgreSQL at once. The end of each `COPY` waits some 40 ms for the system to
/// send it, since the driver leaves Nagle's algorithm on.
const BYTES_PER_COPY: usize = 4 << 20;

/// What becomes of a row, as it is kept beside it.
const IMPORTED: i64 = 0;
const ALREADY_THERE: i64 = 1;
const DELETED_SINCE: i64 = 2;
const TAKEN: i64 = 3;

/// A statement that finds what becomes of each row: what is remembered and what is there decide.
fn verdicts() -> String {
    format!(
        "INSERT INTO verdicts (position, verdict) \
         SELECT staged.position, CASE \
            WHEN tasks.user_id = staged.user_id THEN {ALREADY_THERE} \
            WHEN tasks.id IS NOT NULL THEN {TAKEN} \
            WHEN imports.task_id IS NOT NULL THEN {DELETED_SINCE} \
            ELSE {IMPORTED} END \
         FROM staged \
         LEFT JOIN imports ON imports.user_id = staged.user_id AND imports.origin = staged.origin \
            AND imports.console_id = staged.console_id AND imports.created_at = staged.remembered_at \
         LEFT JOIN tasks ON tasks.id = coalesce(imports.task_id, staged.id)"
    )
}

/// A later row of the file is the same on the console.
const SUPERSEDED: &str = "EXISTS (SELECT 1 FROM staged later WHERE later.origin = staged.origin \
        AND later.console_id = staged.console_id AND later.position > staged.position)";

const TASK_COLUMNS: &str = "id, user_id, title, description, title_folded, description_folded, \
    is_completed, version, created_at, updated_at";

/// An import into a SQL database.
pub struct SqlImport {
    session: MaintenanceSession,
    /// Rows for PostgreSQL that are not sent yet, as lines of `COPY`.
    unsent: String,
}

/// Runs a statement on either store.
macro_rules! on_session {
    ($session:expr, $connection:ident => $call:expr) => {
        match $session {
            MaintenanceSession::Postgres($connection) => $call.map_err(failed),
            MaintenanceSession::Sqlite($connection) => $call.map_err(failed),
        }
    };
}

impl SqlImport {
    /// Makes the tables that rows are set aside in.
    ///
    /// # Errors
    /// `Unavailable`, `Defect`.
    pub async fn begin(mut session: Session) -> Result<Self, StoreError> {
        match &mut session {
            MaintenanceSession::Postgres(connection) => {
                // All in one transaction, which also holds on a pooler that shares sessions.
                // Else the rows of a large file are sorted on the server's disk.
                let begin = format!(
                    "BEGIN; SET LOCAL work_mem = '64MB'; {}",
                    staged::tables("uuid", "bytea", " COLLATE \"C\"", " ON COMMIT DROP")
                );
                connection
                    .execute(AssertSqlSafe(begin))
                    .await
                    .map_err(failed)?;
            }
            MaintenanceSession::Sqlite(connection) => {
                let begin = format!(
                    "PRAGMA temp_store = FILE; {}; BEGIN",
                    staged::tables("blob", "blob", "", "")
                );
                connection
                    .execute(AssertSqlSafe(begin))
                    .await
                    .map_err(failed)?;
            }
        }
        Ok(Self {
            session,
            unsent: String::new(),
        })
    }

    async fn execute(&mut self, sql: &str) -> Result<u64, StoreError> {
        on_session!(&mut self.session, connection => connection
            .execute(AssertSqlSafe(sql))
            .await
            .map(|done| done.rows_affected()))
    }

    /// Keeps the last of the rows that are one in the file. How many were left out, by owner.
    async fn leave_out_duplicates(&mut self) -> Result<Vec<(UserId, u64)>, StoreError> {
        self.execute("CREATE INDEX staged_origin ON staged (origin, console_id, position)")
            .await?;
        self.refresh_statistics(
            "staged (position, id, user_id, origin, console_id, remembered_at)",
        )
        .await?;
        let counts = self
            .counts(&format!(
                "SELECT user_id, CAST(0 AS bigint), count(*) FROM staged WHERE {SUPERSEDED} GROUP BY user_id"
            ))
            .await?;
        if !counts.is_empty() {
            self.execute(&format!("DELETE FROM staged WHERE {SUPERSEDED}"))
                .await?;
        }
        Ok(counts
            .into_iter()
            .map(|(owner, _, count)| (owner, count))
            .collect())
    }

    /// PostgreSQL knows nothing of a new table, and would choose plans for a small one.
    async fn refresh_statistics(&mut self, table: &str) -> Result<(), StoreError> {
        if matches!(self.session, MaintenanceSession::Postgres(_)) {
            self.execute(&format!("ANALYZE {table}")).await?;
        }
        Ok(())
    }

    /// Rows of an owner, a number and a count.
    async fn counts(&mut self, sql: &str) -> Result<Vec<(UserId, i64, u64)>, StoreError> {
        let rows: Vec<(String, i64, i64)> = on_session!(&mut self.session, connection =>
            sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut **connection).await)?;
        rows.into_iter()
            .map(|(owner, number, count)| {
                let owner =
                    UserId::parse(owner).map_err(|error| StoreError::Defect(error.into()))?;
                Ok((owner, number, count.unsigned_abs()))
            })
            .collect()
    }

    /// From now on nobody else writes SQLite, and nobody else imports into PostgreSQL.
    async fn lock(&mut self) -> Result<(), StoreError> {
        match self.session {
            MaintenanceSession::Postgres(_) => {
                self.execute(&format!("SELECT pg_advisory_xact_lock({LOCK_KEY})"))
                    .await?;
            }
            MaintenanceSession::Sqlite(_) => {
                self.execute("COMMIT").await?;
                self.execute("BEGIN IMMEDIATE").await?;
            }
        }
        Ok(())
    }

    async fn taken(&mut self) -> Result<Vec<(u64, TaskId)>, StoreError> {
        let sql = format!(
            "SELECT position, id FROM staged JOIN verdicts USING (position) \
             WHERE verdict = {TAKEN} ORDER BY position"
        );
        let rows: Vec<(i64, sqlx::types::Uuid)> = on_session!(&mut self.session, connection =>
            sqlx::query_as(AssertSqlSafe(sql.as_str())).fetch_all(&mut **connection).await)?;
        Ok(rows
            .into_iter()
            .map(|(position, id)| (position.unsigned_abs(), TaskId::from_uuid(id)))
            .collect())
    }
}

/// Sets rows aside that were given before.
async fn send(connection: &mut PgConnection, unsent: &mut String) -> Result<(), StoreError> {
    let mut copy = connection.copy_in_raw(staged::COPY).await.map_err(failed)?;
    copy.send(unsent.as_bytes()).await.map_err(failed)?;
    copy.finish().await.map_err(failed)?;
    unsent.clear();
    Ok(())
}

#[async_trait]
impl ImportRun for SqlImport {
    async fn stage(&mut self, rows: &[ImportedRow]) -> Result<(), StoreError> {
        match &mut self.session {
            MaintenanceSession::Postgres(connection) => {
                for row in rows {
                    StagedRow::of(row)?.write_copy(&mut self.unsent);
                }
                if self.unsent.len() >= BYTES_PER_COPY {
                    send(connection, &mut self.unsent).await?;
                }
            }
            MaintenanceSession::Sqlite(connection) => {
                for rows in rows.chunks(ROWS_PER_INSERT) {
                    let rows = rows
                        .iter()
                        .map(StagedRow::of)
                        .collect::<Result<Vec<_>, _>>()?;
                    let sql = staged::insert(rows.len());
                    let mut query = sqlx::query(AssertSqlSafe(sql));
                    for row in rows {
                        query = row.bind(query);
                    }
                    query.execute(&mut **connection).await.map_err(failed)?;
                }
            }
        }
        Ok(())
    }

    async fn import(&mut self, now: Timestamp) -> Result<ImportOutcome, StoreError> {
        if let MaintenanceSession::Postgres(connection) = &mut self.session {
            send(connection, &mut self.unsent).await?;
        }
        let duplicates = self.leave_out_duplicates().await?;
        self.lock().await?;
        self.execute(&verdicts()).await?;
        self.refresh_statistics("verdicts").await?;
        let counts = self
            .counts("SELECT user_id, verdict, count(*) FROM staged JOIN verdicts USING (position) GROUP BY user_id, verdict")
            .await?;
        let taken = self.taken().await?;
        self.execute(&format!(
            "DELETE FROM staged \
             WHERE position IN (SELECT position FROM verdicts WHERE verdict <> {IMPORTED})"
        ))
        .await?;
        let users = format!(
            "INSERT INTO users (id, is_active, created_at, updated_at) \
             SELECT DISTINCT user_id, true, CAST({now} AS bigint), CAST({now} AS bigint) \
             FROM staged WHERE true ON CONFLICT (id) DO NOTHING",
            now = now.as_micros()
        );
        self.execute(&users).await?;
        self.execute(&format!(
            "INSERT INTO tasks ({TASK_COLUMNS}) SELECT {TASK_COLUMNS} FROM staged ORDER BY position"
        ))
        .await?;
        self.execute(
            "INSERT INTO imports (user_id, origin, console_id, created_at, task_id) \
             SELECT user_id, origin, console_id, remembered_at, id FROM staged \
             ORDER BY user_id, origin, console_id, remembered_at",
        )
        .await?;
        Ok(ImportOutcome {
            owners: by_owner(duplicates, counts),
            taken,
        })
    }

    async fn verify(&mut self) -> Result<u64, StoreError> {
        let (mut last, mut verified) = (0_i64, 0);
        loop {
            let page = staged::read_back(&mut self.session, last, PAGE).await?;
            for (position, expected, row) in &page {
                let fault = match row {
                    None => Some(format!("row {position} of the file is not there")),
                    Some(row) => staged::differing_field(row, expected)
                        .map(|field| format!("{field} of row {position} of the file differs")),
                };
                if let Some(fault) = fault {
                    let text = format!("what was imported was read back, and {fault}");
                    return Err(StoreError::Defect(text.into()));
                }
                (last, verified) = (*position, verified + 1);
            }
            if page.is_empty() {
                return Ok(verified);
            }
        }
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        let committed = match &mut self.session {
            MaintenanceSession::Postgres(connection) => connection.execute("COMMIT").await.map(drop),
            MaintenanceSession::Sqlite(connection) => connection.execute("COMMIT").await.map(drop),
        };
        committed.map_err(|error| {
            let (failure, error) = classified(error);
            match failure {
                Failure::Ambiguous => StoreError::OutcomeUnknown(error.into()),
                other => told(other, error),
            }
        })?;
        self.session.close().await;
        Ok(())
    }
}

fn by_owner(
    duplicates: Vec<(UserId, u64)>,
    verdicts: Vec<(UserId, i64, u64)>,
) -> BTreeMap<UserId, Counts> {
    let mut owners = BTreeMap::<_, Counts>::new();
    for (owner, count) in duplicates {
        owners.entry(owner).or_default().duplicates = count;
    }
    for (owner, verdict, count) in verdicts {
        let counts = owners.entry(owner).or_default();
        match verdict {
            IMPORTED => counts.imported = count,
            ALREADY_THERE => counts.already_there = count,
            DELETED_SINCE => counts.deleted_since = count,
            // Those are told one by one.
            _ => {}
        }
    }
    owners
}

/// Before the commit nothing is done, and whatever fails ends the import.
fn failed(error: sqlx::Error) -> StoreError {
    let (failure, error) = classified(error);
    told(failure, error)
}

fn classified(error: sqlx::Error) -> (Failure, DbErr) {
    let error = DbErr::Query(RuntimeErr::SqlxError(error.into()));
    (Failure::of_statement(&error), error)
}

/// What is told of an error that left nothing.
fn told(failure: Failure, error: DbErr) -> StoreError {
    match failure {
        Failure::NotSent | Failure::Refused | Failure::RolledBack | Failure::Ambiguous => {
            StoreError::Unavailable(error.into())
        }
        Failure::Duplicate => StoreError::Duplicate,
        Failure::UnknownOwner => StoreError::UnknownOwner,
        Failure::Permanent => StoreError::Defect(error.into()),
    }
}
