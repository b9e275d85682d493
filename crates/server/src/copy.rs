//! `taskhold copy`.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use taskhold_backup::copy;
use taskhold_backup::user_move::UserMove;
use taskhold_domain::revocation::MAX_PROPAGATION;
use taskhold_infrastructure::db::connect::ConnectOptions;
use taskhold_infrastructure::url::DatabaseUrl;

use crate::cli;
use crate::output::{note, say};
use crate::services;
use crate::settings::{Misconfigured, Settings};
use crate::user::{self, named};

/// Copies everything, or moves a user, and prints how many rows.
pub async fn copy(settings: &Settings, options: &cli::Copy) -> anyhow::Result<()> {
    settings.database.existing_migrations().await?;
    let url =
        DatabaseUrl::parse(&options.to).map_err(|error| Misconfigured(format!("--to: {error}")))?;
    let target = settings.database.options_of(url);
    match &options.user {
        None => copy_all(settings.database.direct_options(), &target).await,
        Some(user) => move_user(settings, &target, user, options.at_once).await,
    }
}

/// Moves a user. If this fails, the user lives in the source as before, unless the message says otherwise.
async fn move_user(
    settings: &Settings,
    target: &ConnectOptions,
    user: &str,
    at_once: bool,
) -> anyhow::Result<()> {
    let store = settings.database.connect_to_read().await?;
    let administration = services::administration(settings, &store);
    let user = user::find(&administration, user).await.context("--user")?;
    store.close().await;
    let notice = if at_once {
        Duration::ZERO
    } else {
        note(format_args!(
            "moving {}; the last step follows in {} s, when every instance knows of the move",
            named(&user),
            MAX_PROPAGATION.as_secs()
        ));
        MAX_PROPAGATION
    };
    let source = settings.database.direct_options();
    let started = Instant::now();
    let user_move = UserMove {
        source,
        target,
        user: &user.id,
        notice,
    };
    let moved = user_move.run().await.context("the move is not complete")?;
    for (table, rows) in &moved.rows {
        say(format_args!("{rows:10} {table}"))?;
    }
    say(format_args!(
        "moved {} from the {} to the {} in {:.1} s",
        named(&user),
        source.url,
        target.url,
        started.elapsed().as_secs_f64()
    ))?;
    if let Some(waited) = moved.waited {
        say(format_args!(
            "its writes waited for {} ms",
            waited.as_millis()
        ))?;
    }
    say(format_args!(
        "The {} still has its rows, and refuses them to everybody: look at the user's tasks in the {}, then run `taskhold user delete` where `DATABASE_URL` is the {}.",
        source.url, target.url, source.url
    ))?;
    Ok(())
}

/// Copies everything. Nothing is copied if this fails.
async fn copy_all(source: &ConnectOptions, target: &ConnectOptions) -> anyhow::Result<()> {
    let started = Instant::now();
    let copied = copy::copy(source, target)
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
