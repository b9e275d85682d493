//! `taskhold migrate`.

use anyhow::{Context as _, bail};
use sea_orm::DatabaseConnection;
use taskhold_infrastructure::schema;
use taskhold_infrastructure::store::Store;

use crate::cli::Migrate;
use crate::settings::{Misconfigured, Profile, Settings};

/// Does it and says what it did.
///
/// # Errors
/// Whatever kept it from being done; nothing has changed then.
pub async fn migrate(settings: &Settings, command: Migrate) -> anyhow::Result<()> {
    let connection = || async { Store::open_for_maintenance(&settings.database).await };
    match command {
        Migrate::Up => {
            let applied = schema::up(&connection().await?)
                .await
                .context("cannot migrate the database")?;
            println!("{}: {applied} migrations applied", settings.database);
        }
        Migrate::Down { steps, yes } => {
            refuse_unless_meant(settings, yes, "migrate down deletes data")?;
            let left = schema::down(&connection().await?, steps)
                .await
                .context("cannot take migrations back")?;
            println!("{}: {left} migrations left", settings.database);
        }
        Migrate::Fresh { yes } => {
            refuse_unless_meant(settings, yes, "migrate fresh deletes everything")?;
            schema::fresh(&connection().await?)
                .await
                .context("cannot start afresh")?;
            println!("{}: empty tables", settings.database);
        }
        Migrate::Status => status(settings, &connection().await?).await?,
    }
    Ok(())
}

async fn status(settings: &Settings, connection: &DatabaseConnection) -> anyhow::Result<()> {
    println!("{}", settings.database);
    for migration in schema::status(connection)
        .await
        .context("cannot read the migrations")?
    {
        let state = match (migration.applied, migration.known) {
            (false, _) => "pending",
            (true, true) => "applied",
            (true, false) => "applied by a newer program",
        };
        println!("{state:10} {}", migration.name);
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
            settings.database
        );
    }
    Ok(())
}
