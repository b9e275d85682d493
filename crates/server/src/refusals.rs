//! The log of connections that end with an error. Anyone can cause as many of them as they like, so that only a sample
//! is logged.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_http::error::DispatchError;

/// The time between two lines about the same.
const INTERVAL: Duration = Duration::from_mins(1);

static MALFORMED: Sample = Sample::new();
static CROWDED: Sample = Sample::new();

/// Logs why a connection ended, if the operator may want to know.
pub fn log_error(error: &DispatchError) {
    match error {
        DispatchError::Parse(error) => {
            if let Some(unlogged) = MALFORMED.take(Instant::now()) {
                tracing::info!(%error, unlogged, "a malformed request was refused");
            }
        }
        DispatchError::Body(error) => tracing::error!(%error, "a response broke off"),
        DispatchError::Io(_)
        | DispatchError::SlowRequestTimeout
        | DispatchError::DisconnectTimeout
        | DispatchError::HandlerDroppedPayload => {
            tracing::debug!(%error, "a connection ended early");
        }
        _ => tracing::error!(%error, "a connection failed"),
    }
}

/// Logs that a connection was closed because its address has as many as it may have.
pub fn log_crowded_address() {
    if let Some(unlogged) = CROWDED.take(Instant::now()) {
        tracing::info!(
            unlogged,
            "a connection was refused: its address has server.max_connections_per_address"
        );
    }
}

/// When a line was logged, and how many were left out since.
struct Sample(Mutex<(Option<Instant>, u64)>);

impl Sample {
    const fn new() -> Self {
        Self(Mutex::new((None, 0)))
    }

    /// Returns how many events were not logged since the last one that was, if this one is to be logged.
    fn take(&self, now: Instant) -> Option<u64> {
        let mut sample = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, unlogged) = &mut *sample;
        if last.is_some_and(|last| now.duration_since(last) < INTERVAL) {
            *unlogged += 1;
            return None;
        }
        *last = Some(now);
        Some(std::mem::take(unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_in_each_interval_is_logged() {
        let sample = Sample::new();
        let start = Instant::now();
        assert_eq!(sample.take(start), Some(0));
        assert_eq!(sample.take(start), None);
        assert_eq!(sample.take(start + INTERVAL / 2), None);
        assert_eq!(sample.take(start + INTERVAL), Some(2));
        assert_eq!(sample.take(start + INTERVAL), None);
    }
}
