//! How many connections there may be, on PostgreSQL.

use super::finding::Finding;
use super::store::Look;
use super::{OrNotChecked as _, Seen};
use crate::settings::Settings;

const CHECK: &str = "connections";
/// Beside the pool: the one that asks after the store.
const ASKING: i64 = 1;

/// Whether the server has room for the pool.
pub async fn look(settings: &Settings, look: &mut Look) -> Finding {
    seen(settings, look).await.or_not_checked(CHECK)
}

async fn seen(settings: &Settings, look: &mut Look) -> Seen {
    let (most, reserved, others, of_role, of_database): (i64, i64, i64, i64, i64) = look
        .read_one(
            "SELECT current_setting('max_connections')::int8,
                    current_setting('superuser_reserved_connections')::int8
                        + coalesce(current_setting('reserved_connections', true), '0')::int8,
                    (SELECT sum(numbackends) FROM pg_stat_database)::int8
                        - (SELECT count(*) FROM pg_stat_activity WHERE usename = current_user),
                    (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user)::int8,
                    (SELECT datconnlimit FROM pg_database WHERE datname = current_database())::int8",
        )
        .await?;
    let pool = i64::try_from(settings.database.opening.connections).unwrap_or(i64::MAX);
    let needed = pool.saturating_add(ASKING);
    let allowed = most - reserved;
    let found = format!(
        "an instance takes up to {needed}; the server has {allowed} of max_connections = {most}, {others} of \
         which others have"
    );
    let limit = [of_role, of_database]
        .into_iter()
        .filter(|limit| *limit >= 0)
        .min();
    Ok(if needed > allowed {
        Finding::problem(
            CHECK,
            found,
            "set database.max_connections lower, or max_connections of the server higher",
        )
    } else if let Some(limit) = limit.filter(|limit| *limit < needed) {
        Finding::warning(
            CHECK,
            format!("{found}; the role or the database may have {limit} only"),
            "set database.max_connections lower, or ALTER ROLE … CONNECTION LIMIT higher",
        )
    } else if needed + others > allowed {
        Finding::warning(
            CHECK,
            format!("{found}, so there may be too few"),
            "set database.max_connections lower, or max_connections of the server higher",
        )
    } else {
        Finding::ok(
            CHECK,
            format!(
                "{found}: room for {} instances",
                (allowed - others) / needed
            ),
        )
    })
}
