//! What the log says of requests.

pub(crate) use taskhold_application::pseudonym::Pseudonym;
use tracing::Level;

/// The target of the line that is logged for every request.
pub(crate) const TARGET: &str = "taskhold::request";

/// Returns `true` if requests are logged.
pub(crate) fn is_enabled() -> bool {
    tracing::event_enabled!(target: TARGET, Level::INFO)
}
