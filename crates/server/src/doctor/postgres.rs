//! How a PostgreSQL server is set up for the store, and the programs that backups of it need.

use taskhold_backup::table::{MIGRATIONS, TABLES};
use taskhold_backup::tools;
use taskhold_infrastructure::inspection::Inspector;

use super::report::{Answer, Finding, Report};
use crate::settings::{Profile, Settings};

/// The checks, which a store that does not answer leaves open.
pub const CHECKS: [&str; 4] = ["durability", "owner", "tools", "verifying"];

/// Makes every check. `migrates` says whether the session's role is the one that migrates.
pub async fn check(
    settings: &Settings,
    store: &mut Inspector,
    migrates: bool,
    report: &mut Report,
) {
    let [durability, owner, tools, verifying] = CHECKS;
    report.add_answer(durability, self::durability(settings, store).await);
    report.add_answer(owner, self::owner(store, migrates).await);
    report.add_answer(tools, self::tools(settings, store).await);
    report.add_answer(verifying, self::verifying(store).await);
}

/// Checks that the server syncs what it acknowledges.
async fn durability(settings: &Settings, store: &mut Inspector) -> Answer {
    let off = store.settings_off().await?;
    Ok(off.map(|off| {
        if off.is_empty() {
            return Finding::ok("the server syncs what it acknowledges");
        }
        let advice = off.iter().map(|name| match name.as_str() {
            "synchronous_commit" => {
                "ALTER ROLE … RESET synchronous_commit (or the database's, or the server's)"
                    .to_owned()
            }
            name => format!("ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf()"),
        });
        let advice = advice.collect::<Vec<_>>().join("; ");
        Finding::warning(
            format!(
                "the server has switched {} off: a crash loses or damages what was acknowledged",
                off.join(", ")
            ),
            advice,
        )
        .problem_if(settings.profile == Profile::Production)
    }))
}

/// Checks that no table belongs to a role that neither migrates nor restores.
async fn owner(store: &mut Inspector, migrates: bool) -> Answer {
    let tables: Vec<_> = TABLES.into_iter().chain([MIGRATIONS]).collect();
    let ownership = store.ownership(&tables, migrates).await?;
    Ok(ownership.map(|ownership| {
        let expected = &ownership.expected;
        if ownership.strangers.is_empty() {
            return Finding::ok(match ownership.owner {
                Some(owner) => format!("the tables belong to {owner}"),
                None => format!("no tables yet; {expected} will make them"),
            });
        }
        let strangers = ownership.strangers.iter();
        let named = strangers
            .clone()
            .map(|(table, owner)| format!("{table} to {owner}"));
        let alters =
            strangers.map(|(table, _)| format!("ALTER TABLE {table} OWNER TO {expected};"));
        Finding::problem(
            format!(
                "tables belong to others than {expected}, who then cannot migrate or restore: {}",
                named.collect::<Vec<_>>().join(", ")
            ),
            format!(
                "as a superuser, run: {}",
                alters.collect::<Vec<_>>().join(" ")
            ),
        )
    }))
}

/// Checks that the programs are there that dump and restore a server of its version.
async fn tools(settings: &Settings, store: &mut Inspector) -> Answer {
    let Some(version) = store.server_version().await? else {
        return Ok(None);
    };
    Ok(Some(match tools::find(version).await {
        Ok(major) => Finding::ok(format!("pg_dump and pg_restore of version {major}")),
        Err(error) => Finding::warning(
            error.to_string(),
            format!("without them there are no backups: apt-get install postgresql-client-{version}, or the like"),
        )
        .problem_if(settings.profile == Profile::Production || settings.backup.every.is_some()),
    }))
}

/// Checks that backups can be verified, by this role or by the owner of the tables.
async fn verifying(store: &mut Inspector) -> Answer {
    let ownership = store.ownership(&[MIGRATIONS], false).await?;
    Ok(ownership.map(|ownership| {
        if ownership.creates_databases {
            return Finding::ok("the scratch database of `taskhold backup verify` can be made");
        }
        let owner = ownership.owner.unwrap_or(ownership.expected);
        Finding::warning(
            format!("{owner} may not create databases: `taskhold backup verify` fails"),
            format!("ALTER ROLE {owner} CREATEDB"),
        )
    }))
}
