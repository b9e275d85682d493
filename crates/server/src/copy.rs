//! `taskhold copy`.

use std::time::Instant;

use anyhow::Context as _;
use taskhold_backup::copy;
use taskhold_infrastructure::url::DatabaseUrl;

use crate::cli;
use crate::output::say;
use crate::settings::{Misconfigured, Settings};

/// Copies everything and prints how many rows. Nothing is copied if this fails.
pub async fn copy(settings: &Settings, options: &cli::Copy) -> anyhow::Result<()> {
    settings.database.existing_migrations().await?;
    let started = Instant::now();
    let source = settings.database.direct_options();
    let url =
        DatabaseUrl::parse(&options.to).map_err(|error| Misconfigured(format!("--to: {error}")))?;
    let target = settings.database.options_of(url);
    let copied = copy::copy(source, &target)
        .await
        .context("nothing was copied")?;
    for (table, contents) in &copied {
        say(format_args!("{:10} {table}", contents.rows))?;
    }
    say(format_args!(
        "copied from the {} to the {}, read back and compared, in {:.1} s",
        source.url,
        target.url,
        started.elapsed().as_secs_f64()
    ))?;
    say(format_args!(
        "What is written into the first from now on is not in the second: stop its service before you copy for good."
    ))?;
    Ok(())
}
