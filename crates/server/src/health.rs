//! `taskhold health`.

use anyhow::{Context as _, bail};
use taskhold_security::http_client;

use crate::cli::Health;
use crate::output::say;
use crate::settings::Settings;

/// Asks a running service; succeeds where it is healthy.
///
/// # Errors
/// Where it is not, or does not answer.
pub async fn health(settings: &Settings, options: &Health) -> anyhow::Result<()> {
    let url = match &options.url {
        Some(url) => format!("{}/health", url.trim_end_matches('/')),
        None => format!(
            "http://{}/health",
            std::net::SocketAddr::new(settings.server.host, settings.server.port)
        ),
    };
    let client = http_client::builder().build()?;
    let answer = client
        .get(&url)
        .send()
        .await
        .with_context(|| format!("{url} does not answer"))?;
    let (status, body) = (answer.status(), answer.text().await?);
    if !status.is_success() {
        bail!("{url}: {status} {body}");
    }
    say(body)?;
    Ok(())
}
