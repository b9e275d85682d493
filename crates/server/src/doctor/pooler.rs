//! Whether a pooler stands in front of PostgreSQL that gives sessions to others.

use super::finding::Finding;
use super::store::{self, Look, Unseen};
use super::{OrNotChecked as _, Seen};
use crate::settings::{DIRECT_URL, Settings};

const CHECK: &str = "pooler";

/// Whether sessions are shared, and whether that is safe.
pub async fn look(settings: &Settings, look: &mut Look) -> Finding {
    seen(settings, look).await.or_not_checked(CHECK)
}

async fn seen(settings: &Settings, look: &mut Look) -> Seen {
    let first = look.session()?;
    let (_, mut other) = store::open(&settings.database.opening, settings.database.setting).await;
    let other = other
        .session()
        .map_err(|_| Unseen::Nobody("there is no second connection"))?;
    let setting = settings.database.setting;
    Ok(if !first.shares_sessions_with(other).await? {
        Finding::ok(CHECK, "every connection has a session of its own")
    } else if first.passes_statement_names().await? {
        Finding::problem(
            CHECK,
            "a pooler gives the sessions to others and mixes up prepared statements: the service does not start behind it",
            "use PgBouncer 1.21 or later with max_prepared_statements above 0, or name the server itself (docs/reliability.md)",
        )
    } else if !settings.database.opening.pooled {
        Finding::warning(
            CHECK,
            format!(
                "a pooler gives the sessions that {setting} names to others, with the settings that each has made"
            ),
            format!(
                "name the server itself in {DIRECT_URL}, and give the settings to the role (docs/reliability.md)"
            ),
        )
    } else {
        Finding::ok(
            CHECK,
            "a pooler gives the sessions to others, and keeps prepared statements apart",
        )
    })
}
