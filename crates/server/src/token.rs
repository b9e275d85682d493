//! `taskhold token`.

use std::time::Duration;

use taskhold_application::clock::{Clock as _, SystemClock};
use taskhold_application::tokens::TokenSigner as _;
use taskhold_domain::user::UserId;

use crate::cli::Token;
use crate::output::{field, note, say};
use crate::secret::Secrets;
use crate::services;
use crate::settings::{Misconfigured, Profile, Settings};
use crate::user::{self, Named, named};

/// Prints a token for trying the API. Refuses to in production, where users log in.
pub async fn token(settings: &Settings, options: &Token) -> anyhow::Result<()> {
    if settings.profile == Profile::Production {
        return Err(Misconfigured("`taskhold token` is refused in production".into()).into());
    }
    let lifetime = Duration::from_mins(options.minutes.into());
    if lifetime > settings.auth.max_token_lifetime {
        anyhow::bail!(
            "--minutes: a token that lives longer than auth.max_token_lifetime_days is not accepted"
        );
    }
    // The command line has one of them.
    let name = options.user.as_ref().or(options.user_option.as_ref());
    let name = name.map_or("", String::as_str);
    let user = subject(settings, name).await?;
    let tokens = Secrets::read(settings)?.tokens(settings, lifetime);
    say(tokens.sign(&user, None, SystemClock.now())?.token)
}

/// Finds the user, who need not be there yet if an id names them: the first write with the token makes them.
async fn subject(settings: &Settings, name: &str) -> anyhow::Result<UserId> {
    if !name.contains('@') {
        UserId::parse(name)?;
    }
    let store = settings.database.connect_to_read().await?;
    let administration = services::administration(settings, &store);
    let found = user::find_or_new(&administration, name).await;
    store.close().await;
    Ok(match found? {
        Named::Known(user) => {
            note(format_args!("the token is for {}", named(&user)));
            user.id
        }
        Named::New(id) => {
            note(format_args!(
                "there is no user {} yet: the first task that is created with the token makes one",
                field(id.as_str())
            ));
            id
        }
    })
}
