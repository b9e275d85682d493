//! `taskhold migrate`.

use anyhow::{Context as _, bail};
use taskhold_infrastructure::db::migrations::SchemaMigrator;

use crate::cli::Migrate;
use crate::output::say;
use crate::settings::{Misconfigured, Profile, Settings};

/// Does it and says what it did.
///
/// # Errors
/// Whatever kept it from being done; nothing has changed then.
pub async fn migrate(settings: &Settings, command: Migrate) -> anyhow::Result<()> {
    let database = &settings.database.direct_options().url;
    let migrator = || settings.database.migrator();
    match command {
        Migrate::Up => {
            let applied = up(settings).await?;
            say(format_args!("{database}: {applied} migrations applied"))?;
        }
        Migrate::Down { steps, yes } => {
            refuse_unless_meant(settings, yes, "migrate down deletes data")?;
            let _lock = settings.database.lock()?;
            let left = migrator()
                .await?
                .down(steps)
                .await
                .context("cannot take migrations back")?;
            say(format_args!("{database}: {left} migrations left"))?;
        }
        Migrate::Fresh { yes } => {
            refuse_unless_meant(settings, yes, "migrate fresh deletes everything")?;
            let _lock = settings.database.lock()?;
            migrator()
                .await?
                .fresh()
                .await
                .context("cannot start afresh")?;
            say(format_args!("{database}: empty tables"))?;
        }
        Migrate::Status => status(settings, &migrator().await?).await?,
    }
    Ok(())
}

/// Has the tables be those of this program: applies what is pending, where that may be done without
/// being told.
///
/// # Errors
/// As [`migrate`].
pub async fn ready(settings: &Settings) -> anyhow::Result<()> {
    if settings.auto_migrate {
        return up(settings).await.map(drop);
    }
    let migrator = settings.database.migrator().await?;
    let migrations = migrator.status().await;
    let migrations = migrations.context("cannot read the migrations")?;
    if migrations.iter().any(|migration| !migration.applied) {
        bail!(
            "the database lacks migrations, and database.auto_migrate is false: run `taskhold migrate up`"
        );
    }
    Ok(())
}

/// Applies what is pending. How many there were.
///
/// # Errors
/// As [`migrate`].
pub async fn up(settings: &Settings) -> anyhow::Result<usize> {
    let migrator = settings.database.migrator().await?;
    let applied = migrator.up().await.map_err(|error| {
        if error.is_denied() {
            let setting = settings.database.direct_setting();
            Misconfigured(format!(
                "{setting}: its user may not create tables ({}): grant it that, or let another user run \
                 `taskhold migrate up` and set database.auto_migrate to false",
                settings.database.direct_options().url
            ))
            .into()
        } else {
            anyhow::Error::from(error).context("cannot migrate the database")
        }
    })?;
    migrator
        .close()
        .await
        .context("cannot close the connection that migrated")?;
    Ok(applied)
}

async fn status(settings: &Settings, migrator: &SchemaMigrator) -> anyhow::Result<()> {
    say(&settings.database.direct_options().url)?;
    for migration in migrator
        .status()
        .await
        .context("cannot read the migrations")?
    {
        let state = match (migration.applied, migration.known) {
            (false, _) => "pending",
            (true, true) => "applied",
            (true, false) => "applied by a newer program",
        };
        say(format_args!("{state:10} {}", migration.name))?;
    }
    Ok(())
}

fn refuse_unless_meant(settings: &Settings, yes: bool, what: &str) -> anyhow::Result<()> {
    if settings.profile == Profile::Production {
        return Err(Misconfigured(format!("{what}, which is refused in production")).into());
    }
    if !yes {
        bail!(
            "{what} in the {}; say --yes if you mean it",
            settings.database.direct_options().url
        );
    }
    Ok(())
}
