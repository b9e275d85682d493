//! The keys of another issuer.

use std::sync::Arc;

use taskhold_security::issuer::{IssuerKeys, KeySource, Pace};

use crate::settings::{Auth, Misconfigured};

/// The keys of the configured issuer, kept up to date from now on. An issuer that is away does not
/// keep the service from starting: it may be waiting for this one in turn.
///
/// # Errors
/// [`Misconfigured`] where a file holds no key that can verify tokens.
pub async fn keys(auth: &Auth) -> anyhow::Result<Option<Arc<IssuerKeys>>> {
    let Some(source) = auth.issuer_keys.clone() else {
        return Ok(None);
    };
    if auth.origin.audience.is_none() {
        tracing::warn!(
            "auth.audience is not set: tokens that the issuer made for others are taken too"
        );
    }
    let keys = Arc::new(IssuerKeys::new(source.clone(), Pace::default()));
    match (keys.read().await, source) {
        (Ok(count @ 1..), _) => tracing::info!(count, "read the issuer's keys"),
        (outcome, KeySource::File(path)) => {
            let reason = match outcome {
                Ok(_) => "it holds no key that can verify tokens".to_owned(),
                Err(error) => format!("{:#}", anyhow::Error::new(error)),
            };
            return Err(
                Misconfigured(format!("auth.jwks_file {}: {reason}", path.display())).into(),
            );
        }
        (Ok(_), KeySource::Url(url)) => {
            tracing::warn!(%url, "the issuer publishes no key that can verify tokens");
        }
        (Err(error), KeySource::Url(url)) => {
            let cause = anyhow::Error::new(error);
            tracing::warn!(%url, cause = format!("{cause:#}"), "cannot read the issuer's keys yet");
        }
    }
    let kept = Arc::clone(&keys);
    tokio::spawn(async move { kept.keep_up_to_date().await });
    Ok(Some(keys))
}
