//! The sessions that keep a migration waiting, as a person can find and end them: never the text of a statement,
//! which may hold what users wrote.

use std::future::pending;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sea_orm::sqlx::{self, AssertSqlSafe, Connection as _, Row as _};

use crate::db::connect::{ConnectOptions, session_options};
use crate::url::DatabaseKind;

/// The time after which a wait is worth a question, and the time between two questions.
const INTERVAL: Duration = Duration::from_millis(400);

/// Returns who keeps a process of the server waiting, as soon as that can be seen, from a session of its own.
pub(super) async fn find(options: &ConnectOptions, process: &AtomicI32) -> String {
    let DatabaseKind::Postgres(server) = options.url.kind() else {
        return pending().await;
    };
    tokio::time::sleep(INTERVAL).await;
    match watch(&session_options(server), process).await {
        Ok(holders) => holders,
        Err(error) => {
            tracing::debug!(%error, "cannot see who holds a lock");
            pending().await
        }
    }
}

async fn watch(server: &PgConnectOptions, process: &AtomicI32) -> Result<String, sqlx::Error> {
    let mut session = PgConnection::connect_with(server).await?;
    loop {
        let sql = holders_of(process.load(Ordering::Relaxed));
        let holders = sqlx::raw_sql(AssertSqlSafe(sql));
        let holders = holders.fetch_all(&mut session).await?;
        if !holders.is_empty() {
            let holders: Result<Vec<_>, _> = holders.iter().map(describe).collect();
            return Ok(holders?.join(" and "));
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Returns the query for the sessions that keep a process waiting. Of other roles' sessions PostgreSQL shows the
/// state and the statement only to members of `pg_read_all_stats`.
fn holders_of(process: i32) -> String {
    const KINDS: &str = "SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|COPY|LOCK|TRUNCATE|CREATE|ALTER|DROP|VACUUM|ANALYZE\
        |REINDEX|CLUSTER|REFRESH|DECLARE|FETCH|BEGIN|SAVEPOINT|SET|AUTOVACUUM";
    format!(
        "SELECT DISTINCT holder.pid, usename::text, application_name, state, \
                to_char(xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), \
                substring(upper(query) FROM '^\\s*({KINDS})\\M') \
         FROM unnest(pg_blocking_pids({process})) AS holder (pid) LEFT JOIN pg_stat_activity USING (pid)"
    )
}

fn describe(row: &PgRow) -> Result<String, sqlx::Error> {
    let process: i32 = row.try_get(0)?;
    if process == 0 {
        return Ok("a prepared transaction (see pg_prepared_xacts)".to_owned());
    }
    let text = |place: usize, name: &str| {
        let value: Option<String> = row.try_get(place)?;
        let value = value.filter(|value| !value.is_empty());
        Ok::<_, sqlx::Error>(value.map(|value| format!("{name}{value}")))
    };
    let known = [
        text(1, "role ")?,
        text(2, "application ")?,
        text(3, "")?,
        text(4, "since ")?,
        text(5, "last statement ")?,
    ];
    let known: Vec<_> = known.into_iter().flatten().collect();
    Ok(format!("the session {process} ({})", known.join(", ")))
}
