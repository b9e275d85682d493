//! `taskhold health`.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use taskhold_security::http_client;

use crate::cli::Health;
use crate::output::say;
use crate::settings::Settings;

/// Prints the health of a running service. Fails if the service is unhealthy or does not answer within
/// [`http_client::TIMEOUT`], which is longer than the service itself waits for its store.
pub async fn health(settings: &Settings, options: &Health) -> anyhow::Result<()> {
    let url = match &options.url {
        Some(url) => format!("{}/health", url.as_str().trim_end_matches('/')),
        None => format!(
            "http://{}/health",
            SocketAddr::new(settings.server.host, settings.server.port)
        ),
    };
    let sent = http_client::builder().build()?.get(&url).send().await;
    // The message names the URL.
    let response = sent.map_err(reqwest::Error::without_url);
    let response = response.with_context(|| format!("{url} does not answer"))?;
    let (status, body) = (response.status(), response.text().await?);
    if !status.is_success() {
        bail!("{url}: {status} {body}");
    }
    say(body)
}
