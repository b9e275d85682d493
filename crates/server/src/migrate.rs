//! `taskhold migrate`.

use std::time::Duration;

use anyhow::{Context as _, bail};
use taskhold_infrastructure::db::migrations::{
    LOCK_WAIT, MigrationError, SchemaMigrator, is_foreign,
};

use crate::cli::Migrate;
use crate::output::{count, say};
use crate::settings::{Misconfigured, Profile, Settings};

/// Runs the command and prints its result.
///
/// # Errors
/// Why it failed. The database is unchanged then.
pub async fn migrate(settings: &Settings, command: Migrate) -> anyhow::Result<()> {
    let database = &settings.database.direct_options().url;
    match command {
        Migrate::Up(locks) => {
            settings.database.refuse_other_name()?;
            let applied = up(settings, locks.time()).await?;
            say(format_args!(
                "{database}: {} applied",
                count(applied, "migration")
            ))
        }
        Migrate::Down { steps, yes, locks } => {
            refuse_unless_meant(
                settings,
                yes,
                "migrate down deletes data",
                "; the version before runs on this schema as it is, and a backup brings back the data of its time",
            )?;
            let _lock = settings.database.lock()?;
            let done = with_migrator(settings, locks.time(), async |migrator| {
                migrator.down(steps).await
            });
            let (reverted, left) = done.await?;
            for name in &reverted {
                say(format_args!("reverted   {name}"))?;
            }
            say(format_args!(
                "{database}: {} reverted, {} left{}",
                count(reverted.len(), "migration"),
                left.len(),
                if left.is_empty() {
                    ": there are no tables"
                } else {
                    ""
                }
            ))
        }
        Migrate::Fresh { yes, locks } => {
            refuse_unless_meant(settings, yes, "migrate fresh deletes everything", "")?;
            let _lock = settings.database.lock()?;
            with_migrator(settings, locks.time(), async |migrator| {
                migrator.fresh().await
            })
            .await?;
            say(format_args!("{database}: empty tables"))
        }
        Migrate::Status => status(settings).await,
    }
}

/// Makes the schema current: applies pending migrations, or fails if `database.auto_migrate` is off and some
/// are pending. Creates a missing store; a command that must not do so checks that it exists first.
///
/// # Errors
/// As [`migrate`].
pub async fn ready(settings: &Settings) -> anyhow::Result<()> {
    settings.database.refuse_other_name()?;
    if settings.auto_migrate {
        return up(settings, LOCK_WAIT).await.map(drop);
    }
    let migrations = settings.database.existing_migrations().await?;
    if migrations.iter().any(|migration| !migration.applied) {
        bail!(
            "the database lacks migrations, and database.auto_migrate is false: run `taskhold migrate up`"
        );
    }
    Ok(())
}

/// Applies all pending migrations, and waits for locks for so long at most. Returns their number.
///
/// # Errors
/// As [`migrate`].
pub async fn up(settings: &Settings, lock_wait: Duration) -> anyhow::Result<usize> {
    with_migrator(settings, lock_wait, async |migrator| migrator.up().await).await
}

/// Returns the message of a failed migration.
fn failed(settings: &Settings, error: MigrationError) -> anyhow::Error {
    let setting = settings.database.direct_setting();
    let database = &settings.database.direct_options().url;
    match error {
        denied if denied.is_denied() => Misconfigured(format!(
            "{setting}: its user may not create tables ({database}): grant it that, or let another user run \
             `taskhold migrate up` and set database.auto_migrate to false"
        ))
        .into(),
        foreign @ (MigrationError::Foreign(_) | MigrationError::Newer(_)) => {
            Misconfigured(format!("{setting}: {database}: {foreign}")).into()
        }
        error => anyhow::Error::from(error).context("cannot migrate the database"),
    }
}

/// Runs `work` on a connection, and closes it: a command that comes next, such as a restore, must not find
/// the database in use.
async fn with_migrator<T>(
    settings: &Settings,
    lock_wait: Duration,
    work: impl AsyncFnOnce(&SchemaMigrator) -> Result<T, MigrationError>,
) -> anyhow::Result<T> {
    let migrator = settings.database.migrator().await?;
    let migrator = migrator.waiting_for_locks(lock_wait);
    let done = work(&migrator).await;
    let closed = migrator.close().await;
    closed.context("cannot close the connection that migrated")?;
    done.map_err(|error| failed(settings, error))
}

async fn status(settings: &Settings) -> anyhow::Result<()> {
    let migrations = settings.database.existing_migrations().await?;
    say(&settings.database.direct_options().url)?;
    let is_foreign = is_foreign(&migrations);
    for migration in migrations {
        let state = match (migration.applied, migration.known) {
            (false, _) => "pending",
            (true, true) => "applied",
            (true, false) if is_foreign => "applied by another program",
            (true, false) => "applied by a newer program",
        };
        say(format_args!("{state:10} {}", migration.name))?;
    }
    Ok(())
}

fn refuse_unless_meant(
    settings: &Settings,
    yes: bool,
    what: &str,
    instead: &str,
) -> anyhow::Result<()> {
    if settings.profile == Profile::Production {
        let message = format!("{what}, which is refused in production{instead}");
        return Err(Misconfigured(message).into());
    }
    if !yes {
        bail!(
            "{what} in the {}; say --yes if you mean it",
            settings.database.direct_options().url
        );
    }
    Ok(())
}
