//! The keys of another issuer of tokens.

use std::sync::Arc;

use taskhold_application::reasons::reasons;
use taskhold_security::issuer::{IssuerKeys, KeySource, RefreshIntervals};

use crate::settings::{Auth, Misconfigured, Profile, Settings};

/// The advice on [`missing_audience`].
pub const SET_AUDIENCE: &str = "set auth.audience to what the `aud` of tokens for this service is, such as \
     `taskhold`; the service's own tokens have it too";

/// Returns a warning if others may sign tokens and `auth.audience` is not set.
pub fn missing_audience(settings: &Settings) -> Option<&'static str> {
    let auth = &settings.auth;
    if auth.required_claims.audience.is_some() {
        None
    } else if auth.issuer_keys.is_some() {
        Some(
            "auth.audience is not set: tokens that the issuer made for other services are accepted",
        )
    } else if settings.profile == Profile::Production {
        Some(
            "auth.audience is not set: tokens that another service signs with the same secret, for whatever \
             service, are accepted",
        )
    } else {
        None
    }
}

/// Returns the keys of the configured issuer, and starts the task that refreshes them. An issuer that is
/// unreachable does not stop the start of the service, because it may be waiting for this service in turn.
/// Fails with [`Misconfigured`] if a file contains no key that can verify tokens.
pub async fn keys(auth: &Auth) -> anyhow::Result<Option<Arc<IssuerKeys>>> {
    let Some(source) = auth.issuer_keys.clone() else {
        return Ok(None);
    };
    let keys = Arc::new(IssuerKeys::new(source.clone(), RefreshIntervals::default()));
    match (keys.refresh().await, source) {
        (Ok(count @ 1..), _) => tracing::info!(count, "read the issuer's keys"),
        (outcome, KeySource::File(path)) => {
            let reason = match outcome {
                Ok(_) => "it holds no key that can verify tokens".to_owned(),
                Err(error) => reasons(&error),
            };
            return Err(
                Misconfigured(format!("auth.jwks_file {}: {reason}", path.display())).into(),
            );
        }
        (Ok(_), KeySource::Url(url)) => {
            tracing::warn!(%url, "the issuer publishes no key that can verify tokens");
        }
        (Err(error), KeySource::Url(url)) => {
            tracing::warn!(%url, cause = reasons(&error), "cannot read the issuer's keys yet");
        }
    }
    let refreshed = Arc::clone(&keys);
    tokio::spawn(async move { refreshed.run_refresh_loop().await });
    Ok(Some(keys))
}
