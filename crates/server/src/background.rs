//! Work that the service does at intervals, independent of requests.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use taskhold_application::housekeeping::Housekeeping;
use taskhold_application::revocations::Revocations;

/// The interval of housekeeping. Nothing waits for it: what is out of date has no effect even before.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_hours(1);

/// Deletes or renews what is out of date now and every hour; never returns.
pub async fn run_housekeeping_loop(housekeeping: Housekeeping) {
    loop {
        match housekeeping.purge().await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "deleted rows that are out of date"),
            Err(error) => tracing::warn!(
                error = &error as &dyn Error,
                "could not delete rows that are out of date"
            ),
        }
        match housekeeping.rebuild_search().await {
            Ok(0) => {}
            Ok(tasks) => tracing::info!(
                tasks,
                "rebuilt the search of tasks that another version has written"
            ),
            Err(error) => tracing::warn!(
                error = &error as &dyn Error,
                "could not rebuild the search of tasks that another version has written"
            ),
        }
        tokio::time::sleep(HOUSEKEEPING_INTERVAL).await;
    }
}

/// Reads the revocations of other instances at an interval while tokens are checked; never returns.
pub async fn run_refresh_loop(revocations: Arc<Revocations>) {
    loop {
        tokio::time::sleep(Revocations::REFRESH_INTERVAL).await;
        if let Err(error) = revocations.refresh_if_needed().await {
            tracing::warn!(
                error = &error as &dyn Error,
                "cannot learn which tokens were revoked elsewhere"
            );
        }
    }
}
