//! The log on standard error, for people or for machines. Standard output is for the results of commands.

use std::io::{IsTerminal as _, stderr};

use tracing::Metadata;
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::output::LogWriter;
use crate::settings::{Log, LogFormat, Misconfigured};
use crate::telemetry::Export;

/// Starts logging, and exporting spans if they are. Spans are not logged: without an export they cost
/// nothing.
pub fn start(settings: &Log, export: Option<&Export>) -> Result<(), Misconfigured> {
    let filter = EnvFilter::try_new(&settings.filter)
        .map_err(|error| Misconfigured(format!("log.filter: {error}")))?;
    let filter = filter.and(filter_fn(is_event));
    let has_colours = settings.format == LogFormat::Text && stderr().is_terminal();
    let log = tracing_subscriber::fmt::layer()
        .with_ansi(has_colours)
        .with_writer(move || LogWriter { has_colours });
    let log = match settings.format {
        LogFormat::Text => log.boxed(),
        LogFormat::Json => log.json().flatten_event(true).boxed(),
    };
    let mut layers = vec![log.with_filter(filter).boxed()];
    layers.extend(export.map(|export| export.layer().boxed()));
    tracing_subscriber::registry()
        .with(layers)
        .try_init()
        .map_err(|error| Misconfigured(format!("log: {error}")))
}

/// Whether something is to be logged. The HTTP parser logs each malformed request as an error; `refusals` logs what it
/// returns instead.
fn is_event(metadata: &Metadata<'_>) -> bool {
    !metadata.is_span() && metadata.target() != "actix_http::h1::dispatcher"
}
