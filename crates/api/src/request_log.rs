//! The log of requests.

use actix_web::http::StatusCode;
pub(crate) use taskhold_application::pseudonym::Pseudonym;
use tracing::Level;

/// The target of the line that is logged for every request.
pub(crate) const TARGET: &str = "taskhold::request";

/// The requests that are left out of the log. Metrics count them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Successful health checks, and requests for the metrics.
    pub health: bool,
    /// Requests that are answered with 404.
    pub not_found: bool,
}

impl LeftOut {
    /// Returns `true` if a request with this route and this status of its answer is left out.
    pub(crate) fn includes(self, route: Option<&str>, status: StatusCode) -> bool {
        let is_monitoring =
            route.is_some_and(|route| route.starts_with("/health") || route == "/metrics");
        self.health && is_monitoring && status.is_success()
            || self.not_found && status == StatusCode::NOT_FOUND
    }
}

/// Returns `true` if requests are logged.
pub(crate) fn is_enabled() -> bool {
    tracing::event_enabled!(target: TARGET, Level::INFO)
}
