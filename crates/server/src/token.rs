//! `taskhold token`.

use std::time::Duration;

use taskhold_application::clock::{Clock as _, SystemClock};
use taskhold_application::tokens::TokenSigner as _;
use taskhold_domain::user::UserId;

use crate::cli::Token;
use crate::output::say;
use crate::secret;
use crate::settings::{Misconfigured, Profile, Settings};

/// Prints a token for trying the API. Refuses to in production, where users log in.
pub fn token(settings: &Settings, options: &Token) -> anyhow::Result<()> {
    if settings.profile == Profile::Production {
        return Err(Misconfigured("`taskhold token` is refused in production".into()).into());
    }
    let user =
        UserId::parse(options.user.as_str()).map_err(|error| anyhow::anyhow!("--user: {error}"))?;
    let lifetime = Duration::from_mins(options.minutes.into());
    if lifetime > settings.auth.max_token_lifetime {
        anyhow::bail!(
            "--minutes: a token that lives longer than auth.max_token_lifetime_days is not accepted"
        );
    }
    let tokens = secret::tokens(settings, lifetime)?;
    say(tokens.sign(&user, SystemClock.now())?.token)
}
