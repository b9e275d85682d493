//! Where the log goes: to standard output, for people or for machines.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::settings::{LogFormat, Misconfigured, Settings};

/// Starts logging.
///
/// # Errors
/// [`Misconfigured`] where the filter cannot be read.
pub fn start(settings: &Settings) -> Result<(), Misconfigured> {
    let filter = EnvFilter::try_new(&settings.log_filter)
        .map_err(|error| Misconfigured(format!("log.filter: {error}")))?;
    let registry = tracing_subscriber::registry().with(filter);
    let started = match settings.log_format {
        LogFormat::Text => {
            let colours = std::io::stdout().is_terminal();
            registry
                .with(tracing_subscriber::fmt::layer().with_ansi(colours))
                .try_init()
        }
        LogFormat::Json => registry
            .with(tracing_subscriber::fmt::layer().json().flatten_event(true))
            .try_init(),
    };
    started.map_err(|error| Misconfigured(format!("log: {error}")))
}
