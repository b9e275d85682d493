//! Where the log goes: to standard error, for people or for machines. Standard output belongs to
//! what a command is asked for.

use std::io::{IsTerminal as _, stderr};

use tracing::Metadata;
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::settings::{Log, LogFormat, Misconfigured};
use crate::telemetry::Export;

/// Starts logging, and sending spans where that is wanted. Spans are for that alone: where nobody takes
/// them they cost nothing.
///
/// # Errors
/// [`Misconfigured`] where the filter cannot be read.
pub fn start(settings: &Log, export: Option<&Export>) -> Result<(), Misconfigured> {
    let filter = EnvFilter::try_new(&settings.filter)
        .map_err(|error| Misconfigured(format!("log.filter: {error}")))?;
    let filter = filter.and(filter_fn(is_no_span));
    let log = tracing_subscriber::fmt::layer().with_writer(stderr);
    let log = match settings.format {
        LogFormat::Text => log.with_ansi(stderr().is_terminal()).boxed(),
        LogFormat::Json => log.json().flatten_event(true).boxed(),
    };
    let mut layers = vec![log.with_filter(filter).boxed()];
    layers.extend(export.map(|export| export.layer().boxed()));
    tracing_subscriber::registry()
        .with(layers)
        .try_init()
        .map_err(|error| Misconfigured(format!("log: {error}")))
}

fn is_no_span(metadata: &Metadata<'_>) -> bool {
    !metadata.is_span()
}
