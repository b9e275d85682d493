//! `taskhold restore`.

use std::io::{self, BufRead as _, Write as _};
use std::time::Instant;

use anyhow::{Context as _, bail};
use taskhold_application::clock::{Clock as _, SystemClock};
use taskhold_backup::origin::Origin;
use taskhold_backup::restore::{Restore, Revocations};
use taskhold_infrastructure::url::DatabaseUrl;

use crate::backup::{describe, open};
use crate::cli;
use crate::output::{count, say};
use crate::settings::{Misconfigured, Settings};

/// Restores the backup into the configured store, which is unchanged if this fails.
pub async fn restore(settings: &Settings, options: &cli::Restore) -> anyhow::Result<()> {
    let started = Instant::now();
    let target = settings.database.direct_options();
    // The store may be lost, so that only its kind is known.
    let backup = open(&options.backup, &Origin::of_kind(&target.url))?;
    let live = options
        .live
        .as_deref()
        .map(|url| {
            DatabaseUrl::parse(url).map_err(|error| Misconfigured(format!("--live: {error}")))
        })
        .transpose()?
        .map(|url| settings.database.options_of(url));
    say(format_args!("{}: {}", backup.name(), describe(&backup)))?;
    if options.force {
        confirm(&target.url)?;
    }
    let restore = Restore {
        backup: &backup,
        target,
        replace: options.force,
        live: live.as_ref(),
        max_token_lifetime: settings.auth.revocation_retention,
        now: SystemClock.now(),
    };
    let restored = restore.run().await.context("nothing was restored")?;
    say(format_args!(
        "restored into the {}, and compared with what the backup says",
        target.url
    ))?;
    if restored.migrated > 0 {
        say(format_args!(
            "{} applied that it lacked",
            count(restored.migrated, "migration")
        ))?;
    }
    say(format_args!(
        "everybody who was logged in must log in again: backups hold no sessions"
    ))?;
    match restored.revocations {
        Revocations::Replayed {
            deleted,
            deactivated,
            revoked,
            lost,
        } => {
            say(format_args!(
                "from the store that was served: {} deleted again, {deactivated} deactivated again, {} of tokens",
                count(deleted, "account"),
                count(revoked, "revocation")
            ))?;
            if lost > 0 {
                say(format_args!(
                    "it lacks at least {} of the backup and was not told to delete them, so no account was deleted \
                     again: delete those that were deleted after {} by `taskhold user delete`",
                    count(lost, "account"),
                    backup.taken_at
                ))?;
            }
        }
        Revocations::Unknown { reason, users } => say(format_args!(
            "{reason}. So no token from before this restore counts, of {}; but accounts that were deleted or \
             deactivated after {} are there: delete them again by `taskhold user delete`",
            count(users, "user"),
            backup.taken_at
        ))?,
    }
    if !restored.rights.granted.is_empty() {
        let roles = restored.rights.granted.join(", ");
        say(format_args!(
            "the rights on the tables are as before, of {roles}"
        ))?;
    }
    for statement in &restored.rights.left {
        say(format_args!("left to an administrator: {statement};"))?;
    }
    say(format_args!("{:.1} s", started.elapsed().as_secs_f64()))?;
    Ok(())
}

/// Asks for the name of the store whose contents will be lost.
fn confirm(store: &DatabaseUrl) -> anyhow::Result<()> {
    let name = store.name();
    let mut asked = io::stderr().lock();
    write!(
        asked,
        "What the {store} holds will be gone. Type its name, {name}, to go on: "
    )?;
    asked.flush()?;
    let mut typed = String::new();
    io::stdin()
        .lock()
        .read_line(&mut typed)
        .context("standard input")?;
    if typed.trim() != name {
        bail!("nothing was restored: {name} was not typed");
    }
    Ok(())
}
