//! `taskhold user`.

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Context as _, bail};
use taskhold_application::accounts::User;
use taskhold_application::administration::{Administration, FindUserError};
use taskhold_domain::account::Password;
use taskhold_domain::user::UserId;

use crate::cli::User as Command;
use crate::migrate;
use crate::output::{field, say};
use crate::services;
use crate::settings::Settings;

/// Lists users, or changes one and prints the change. Nothing has changed if this fails.
pub async fn user(settings: &Settings, command: Command) -> anyhow::Result<()> {
    let store = if let Command::List = command {
        settings.database.connect_to_read().await?
    } else {
        // A user cannot be in a store that this would make.
        settings.database.existing_migrations().await?;
        migrate::ready(settings).await?;
        settings.database.connect().await?
    };
    let administration = services::administration(settings, &store);
    let find = async |name: &str| find(&administration, name).await;
    match command {
        Command::List => {
            let mut out = std::io::stdout().lock();
            let mut written = Ok(());
            administration
                .each(|user| {
                    if written.is_ok() {
                        written = writeln!(out, "{}", line(user));
                    }
                })
                .await
                .context("cannot list the users")?;
            written.context("cannot write to the standard output")?;
        }
        Command::Activate { user } => {
            let user = find(&user).await?;
            administration.activate(&user.id).await?;
            say(format_args!(
                "{}: active; tokens from before now stay invalid",
                named(&user)
            ))?;
        }
        Command::Deactivate { user } => {
            let user = find(&user).await?;
            administration.deactivate(&user.id).await?;
            say(format_args!(
                "{}: deactivated; running instances refuse its tokens within a minute",
                named(&user)
            ))?;
        }
        Command::Delete { user, yes } => {
            let user = find(&user).await?;
            if !yes {
                bail!(
                    "this deletes {} with all of its tasks; say --yes if you mean it",
                    named(&user)
                );
            }
            administration.delete(&user.id).await?;
            say(format_args!(
                "{}: deleted, with all that was its",
                named(&user)
            ))?;
        }
        Command::SetPassword { user } => {
            let user = find(&user).await?;
            let password = Password::parse(read_password()?)?;
            administration
                .set_password(&user, &password)
                .await
                .with_context(|| format!("{}: cannot set the password", named(&user)))?;
            say(format_args!(
                "{}: has the new password; every session is ended",
                named(&user)
            ))?;
        }
    }
    store.close().await;
    Ok(())
}

/// Finds the user whom an operator names.
pub async fn find(administration: &Administration, name: &str) -> anyhow::Result<User> {
    explained(administration.find(name).await, name)
}

/// A user whom an operator may name before there is such a user.
pub enum Named {
    Known(User),
    New(UserId),
}

/// As [`find`], but takes an id of no user for that of a new one.
pub async fn find_or_new(administration: &Administration, name: &str) -> anyhow::Result<Named> {
    match (
        administration.find(name).await,
        Administration::new_id(name),
    ) {
        (Err(FindUserError::NotFound), Some(id)) => Ok(Named::New(id)),
        (found, _) => explained(found, name).map(Named::Known),
    }
}

fn explained(found: Result<User, FindUserError>, name: &str) -> anyhow::Result<User> {
    if let Err(FindUserError::Ambiguous(users)) = &found {
        let users: Vec<_> = users.iter().map(named).collect();
        bail!(
            "{}: two users could be meant, {}: write id: before an id, or email: before an address",
            field(name),
            users.join(" and ")
        );
    }
    found.with_context(|| format!("{}: cannot find the user", field(name)))
}

/// Returns the id and the address of a user, for people.
pub fn named(user: &User) -> String {
    let email = user.email.as_ref();
    let email = email.map_or("no e-mail address", |email| email.as_str());
    format!("{} ({})", field(user.id.as_str()), field(email))
}

/// Formats a user as fields that are separated by tabs, `-` for an empty one.
fn line(user: &User) -> String {
    let email = user.email.as_ref().map_or("-", |email| email.as_str());
    let (id, email) = (field(user.id.as_str()), field(email));
    let state = if user.is_active {
        "active"
    } else {
        "deactivated"
    };
    format!("{id}\t{email}\t{state}\t{}", user.created_at)
}

/// Reads a password from the terminal without showing it, or a line from a pipe; never from the command
/// line, which other users can see.
fn read_password() -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        return rpassword::prompt_password("New password: ").context("cannot read the password");
    }
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .context("cannot read the password")?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}
