//! The import port. Rows are staged in a temporary table of a session of their own, and one transaction turns
//! them into tasks with a few statements over all rows. So nothing is locked while a file is read, SQLite's
//! write lock is held briefly, and memory does not grow with the file.

mod staged;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use sea_orm::sqlx::{self, PgConnection};
use sea_orm::{DbBackend, DbErr, QueryResult, RuntimeErr, TryGetableMany};
use taskhold_domain::task::TaskId;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::import::{
    Counts, ImportOutcome, ImportRepository, ImportRun, ImportedRow,
};
use uuid::Uuid;

use self::staged::StagedRow;
use crate::db::Database;
use crate::db::error::Failure;
use crate::db::locks::{self, Lock};
use crate::db::session::MaintenanceSession;
use crate::repositories::tasks::logged::log_imported;

/// The number of rows that are read back at once.
const PAGE: i64 = 2_000;
/// With these parameters a statement stays within SQLite's limit of 32,766.
const ROWS_PER_INSERT: usize = 500;
/// The bytes that are sent to PostgreSQL at once. The end of each `COPY` waits some 40 ms, since the driver
/// leaves Nagle's algorithm on.
const BYTES_PER_COPY: usize = 4 << 20;

/// The verdict on a staged row.
const IMPORTED: i64 = 0;
const ALREADY_THERE: i64 = 1;
const DELETED_SINCE: i64 = 2;
const TAKEN: i64 = 3;

/// Returns the statement that decides what happens to each row, by earlier imports and existing tasks.
fn verdicts(again: bool) -> String {
    let deleted = if again { IMPORTED } else { DELETED_SINCE };
    format!(
        "INSERT INTO verdicts (position, verdict) \
         SELECT staged.position, CASE \
            WHEN tasks.user_id = staged.user_id THEN {ALREADY_THERE} \
            WHEN tasks.id IS NOT NULL OR trash.user_id <> staged.user_id THEN {TAKEN} \
            WHEN imports.task_id IS NOT NULL THEN {deleted} \
            ELSE {IMPORTED} END \
         FROM staged \
         LEFT JOIN imports ON imports.user_id = staged.user_id AND imports.origin = staged.origin \
            AND imports.console_id = staged.console_id AND imports.created_at = staged.remembered_at \
         LEFT JOIN tasks ON tasks.id = coalesce(imports.task_id, staged.id) \
         LEFT JOIN trash ON trash.id = coalesce(imports.task_id, staged.id)"
    )
}

/// A later row of the file has the same owner and id in the original command-line app.
const SUPERSEDED: &str = "EXISTS (SELECT 1 FROM staged later WHERE later.origin = staged.origin \
        AND later.console_id = staged.console_id AND later.position > staged.position)";

/// An import into a database.
struct SqlImport {
    session: MaintenanceSession,
    /// Rows for PostgreSQL that are not sent yet, as lines of `COPY`.
    unsent: String,
}

#[async_trait]
impl ImportRepository for Database {
    async fn begin_import(&self) -> Result<Box<dyn ImportRun>, StoreError> {
        let session = self.session().await;
        let mut session = session.map_err(|error| StoreError::Unavailable(error.into()))?;
        let begin = match &session {
            // All in one transaction, which also works through a pooler that shares sessions. With less
            // memory the server sorts the rows of a large file on disk.
            MaintenanceSession::Postgres(_) => format!(
                "BEGIN; SET LOCAL work_mem = '64MB'; {}",
                staged::POSTGRES_TABLES
            ),
            MaintenanceSession::Sqlite(_) => {
                format!("PRAGMA temp_store = FILE; {}; BEGIN", staged::SQLITE_TABLES)
            }
        };
        session.execute(&begin).await.map_err(failed)?;
        Ok(Box::new(SqlImport {
            session,
            unsent: String::new(),
        }))
    }
}

impl SqlImport {
    async fn execute(&mut self, sql: &str) -> Result<(), StoreError> {
        self.session.execute(sql).await.map_err(failed)
    }

    async fn query<T: TryGetableMany>(&mut self, sql: &str) -> Result<Vec<T>, StoreError> {
        let rows = self.session.query(sql, &[]).await.map_err(failed)?;
        let rows = rows.iter().map(QueryResult::try_get_many_by_index);
        rows.collect::<Result<_, DbErr>>()
            .map_err(|error| StoreError::Defect(error.into()))
    }

    /// Drops all but the last of the rows that are the same in the file. Returns the number of dropped rows by
    /// owner.
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

    /// Updates PostgreSQL's statistics: it would choose the plans of a small table for a new one.
    async fn refresh_statistics(&mut self, table: &str) -> Result<(), StoreError> {
        if matches!(self.session, MaintenanceSession::Postgres(_)) {
            self.execute(&format!("ANALYZE {table}")).await?;
        }
        Ok(())
    }

    /// Reads rows of an owner, a number and a count.
    async fn counts(&mut self, sql: &str) -> Result<Vec<(UserId, i64, u64)>, StoreError> {
        let rows = self.query::<(String, i64, i64)>(sql).await?;
        rows.into_iter()
            .map(|(owner, number, count)| {
                let owner =
                    UserId::parse(owner).map_err(|error| StoreError::Defect(error.into()))?;
                Ok((owner, number, count.unsigned_abs()))
            })
            .collect()
    }

    /// Locks out other writers of SQLite, and other imports into PostgreSQL.
    async fn lock(&mut self) -> Result<(), StoreError> {
        match self.session {
            MaintenanceSession::Postgres(_) => {
                // Another import may take its time; a row that somebody has locked is not waited for.
                let lock = locks::take(Lock::Imports);
                self.execute(&format!("{lock}; SET LOCAL lock_timeout = '10s'"))
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
        let rows = self.query::<(i64, Uuid)>(&sql).await?;
        Ok(rows
            .into_iter()
            .map(|(position, id)| (position.unsigned_abs(), TaskId::from_uuid(id)))
            .collect())
    }
}

/// Sends rows to PostgreSQL.
async fn send(connection: &mut PgConnection, unsent: &mut String) -> Result<(), StoreError> {
    let mut copy = connection
        .copy_in_raw(&staged::copy())
        .await
        .map_err(failed)?;
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
                    StagedRow::of(row)?.write_copy(&mut self.unsent)?;
                }
                if self.unsent.len() >= BYTES_PER_COPY {
                    send(connection, &mut self.unsent).await?;
                }
            }
            MaintenanceSession::Sqlite(_) => {
                for rows in rows.chunks(ROWS_PER_INSERT) {
                    let rows: Result<Vec<_>, _> = rows.iter().map(StagedRow::of).collect();
                    self.session
                        .insert(&staged::insert(rows?))
                        .await
                        .map_err(failed)?;
                }
            }
        }
        Ok(())
    }

    async fn import(&mut self, now: Timestamp, again: bool) -> Result<ImportOutcome, StoreError> {
        if let MaintenanceSession::Postgres(connection) = &mut self.session {
            send(connection, &mut self.unsent).await?;
        }
        let duplicates = self.leave_out_duplicates().await?;
        self.lock().await?;
        self.execute(&verdicts(again)).await?;
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
        let created = self
            .counts(
                "SELECT user_id, CAST(0 AS bigint), count(*) FROM staged \
                 WHERE NOT EXISTS (SELECT 1 FROM users WHERE users.id = staged.user_id) GROUP BY user_id",
            )
            .await?;
        let users = format!(
            "INSERT INTO users (id, is_active, created_at, updated_at) \
             SELECT DISTINCT user_id, true, CAST({now} AS bigint), CAST({now} AS bigint) \
             FROM staged WHERE true ON CONFLICT (id) DO NOTHING",
            now = now.as_micros()
        );
        self.execute(&users).await?;
        let columns = staged::task_columns();
        self.execute(&format!(
            "INSERT INTO tasks ({columns}) SELECT {columns} FROM staged ORDER BY position"
        ))
        .await?;
        self.execute("DELETE FROM trash WHERE id IN (SELECT id FROM staged)")
            .await?;
        let backend = match self.session {
            MaintenanceSession::Postgres(_) => DbBackend::Postgres,
            MaintenanceSession::Sqlite(_) => DbBackend::Sqlite,
        };
        for statement in log_imported(backend, now) {
            self.execute(&statement).await?;
        }
        self.execute(
            "INSERT INTO imports (user_id, origin, console_id, created_at, task_id) \
             SELECT user_id, origin, console_id, remembered_at, id FROM staged WHERE true \
             ORDER BY user_id, origin, console_id, remembered_at \
             ON CONFLICT (user_id, origin, console_id, created_at) DO UPDATE SET task_id = excluded.task_id",
        )
        .await?;
        Ok(ImportOutcome {
            owners: by_owner(duplicates, counts),
            created: created
                .into_iter()
                .map(|(owner, ..)| owner)
                .collect::<BTreeSet<_>>(),
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
                    Some(row) => staged::differing_field(row, expected)?
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
        self.session.execute("COMMIT").await.map_err(|error| {
            let (failure, error) = classified(error);
            match failure {
                Failure::Ambiguous => StoreError::OutcomeUnknown(error.into()),
                other => to_store_error(other, error),
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
            // Rows whose id is taken are reported one by one.
            _ => {}
        }
    }
    owners
}

/// Returns the error of a statement before the commit: nothing is stored, and the import has ended.
fn failed(error: sqlx::Error) -> StoreError {
    let (failure, error) = classified(error);
    to_store_error(failure, error)
}

fn classified(error: sqlx::Error) -> (Failure, DbErr) {
    let error = DbErr::Query(RuntimeErr::SqlxError(error.into()));
    (Failure::of_statement(&error), error)
}

/// Returns the error of a failure that left nothing behind.
fn to_store_error(failure: Failure, error: DbErr) -> StoreError {
    match failure {
        Failure::NotSent | Failure::Refused | Failure::RolledBack | Failure::Ambiguous => {
            StoreError::Unavailable(error.into())
        }
        Failure::Duplicate => StoreError::Duplicate,
        Failure::UnknownOwner => StoreError::UnknownOwner,
        Failure::UserMoved => StoreError::UserMoved,
        Failure::Permanent => StoreError::Defect(error.into()),
    }
}
