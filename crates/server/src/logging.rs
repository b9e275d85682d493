//! Where the log goes: to standard error, for people or for machines. Standard output belongs to
//! what a command is asked for.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::settings::{LogFormat, LogSection, Misconfigured};

/// Starts logging.
///
/// # Errors
/// [`Misconfigured`] where the filter cannot be read.
pub fn start(settings: &LogSection) -> Result<(), Misconfigured> {
    let filter = EnvFilter::try_new(&settings.filter)
        .map_err(|error| Misconfigured(format!("log.filter: {error}")))?;
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(stderr);
    let started = match settings.format {
        LogFormat::Text => registry
            .with(layer.with_ansi(stderr().is_terminal()))
            .try_init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
    started.map_err(|error| Misconfigured(format!("log: {error}")))
}
