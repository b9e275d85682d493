//! Whether the tables are those of this program.

use taskhold_backup::table::MIGRATIONS;
use taskhold_infrastructure::schema;
use taskhold_infrastructure::url::DatabaseUrl;

use super::finding::Finding;
use super::store::Look;
use super::{OrNotChecked as _, Seen};
use crate::settings::Settings;

const CHECK: &str = "schema";

/// Which migrations are pending, and which this program does not know.
pub async fn look(settings: &Settings, look: &mut Look) -> Finding {
    seen(settings, look).await.or_not_checked(CHECK)
}

async fn seen(settings: &Settings, look: &mut Look) -> Seen {
    let there = match settings.database.opening.url {
        DatabaseUrl::Sqlite(_) => {
            format!("SELECT count(*) FROM sqlite_master WHERE name = '{MIGRATIONS}'")
        }
        DatabaseUrl::Postgres(_) => format!("SELECT count(to_regclass('{MIGRATIONS}'))"),
    };
    let (there,): (i64,) = look.read_one(&there).await?;
    let applied: Vec<(String,)> = if there == 0 {
        vec![]
    } else {
        look.read(&format!(
            "SELECT version FROM {MIGRATIONS} ORDER BY version"
        ))
        .await?
    };
    let migrations = schema::compared(applied.into_iter().map(|(name,)| name).collect());
    let names = |of: fn(&schema::MigrationStatus) -> bool| {
        let of = migrations.iter().filter(|migration| of(migration));
        of.map(|migration| migration.name.as_str())
            .collect::<Vec<_>>()
    };
    let (pending, newer) = (
        names(|migration| !migration.applied),
        names(|migration| !migration.known),
    );
    Ok(if !pending.is_empty() && settings.auto_migrate {
        Finding::warning(
            CHECK,
            format!("pending: {}", pending.join(", ")),
            "the next start of the service applies them; or run `taskhold migrate up`",
        )
    } else if !pending.is_empty() {
        Finding::problem(
            CHECK,
            format!(
                "pending, and database.auto_migrate is false: {}",
                pending.join(", ")
            ),
            "run `taskhold migrate up`; until then the service is not ready",
        )
    } else if !newer.is_empty() {
        Finding::warning(
            CHECK,
            format!("migrated by a newer program: {}", newer.join(", ")),
            "go on with the upgrade: this program is one version behind at most",
        )
    } else {
        Finding::ok(
            CHECK,
            format!("{} migrations, all applied", migrations.len()),
        )
    })
}
