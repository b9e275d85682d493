//! Work that the service does at intervals, independent of requests.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use taskhold_application::clock::{Clock as _, SystemClock};
use taskhold_application::housekeeping::Housekeeping;
use taskhold_application::leases::{Lease, LeaseOutcome};
use taskhold_application::revocations::Revocations;

/// The interval of housekeeping. Nothing waits for it: what is out of date has no effect even before.
pub const HOUSEKEEPING_INTERVAL: Duration = Duration::from_hours(1);

/// The shortest time after which an instance asks again whether another one still does the housekeeping.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// Deletes or renews what is out of date now and every hour, while no other instance does so; never returns.
pub async fn run_housekeeping_loop(housekeeping: Housekeeping, lease: Arc<Lease>) {
    // Instances of another version are replaced soon after this one starts, and looking for their tasks reads the
    // whole table. So it ends with the first look after the start that finds none.
    let (mut is_first, mut rebuilds) = (true, true);
    loop {
        wait_for(&lease).await;
        lease.renewing(purge(&housekeeping)).await;
        if rebuilds {
            match lease.renewing(housekeeping.rebuild_search()).await {
                Ok(0) => rebuilds = is_first,
                Ok(tasks) => tracing::info!(
                    tasks,
                    "rebuilt the search of tasks that another version has written"
                ),
                Err(error) => tracing::warn!(
                    error = &error as &dyn Error,
                    "could not rebuild the search of tasks that another version has written"
                ),
            }
            is_first = false;
        }
        if let Err(error) = lease.keep().await {
            tracing::warn!(
                error = &error as &dyn Error,
                "another instance may repeat the housekeeping"
            );
        }
        tokio::time::sleep(HOUSEKEEPING_INTERVAL).await;
    }
}

/// Waits until this instance has the lease.
async fn wait_for(lease: &Lease) {
    loop {
        let pause = match lease.acquire().await {
            Ok(LeaseOutcome::Acquired) => return,
            Ok(LeaseOutcome::HeldUntil(until)) => {
                let left = until.saturating_since(SystemClock.now());
                left.clamp(SHORTEST_WAIT, HOUSEKEEPING_INTERVAL)
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn Error,
                    "could not look whether another instance deletes rows that are out of date"
                );
                HOUSEKEEPING_INTERVAL
            }
        };
        tokio::time::sleep(pause).await;
    }
}

async fn purge(housekeeping: &Housekeeping) {
    match housekeeping.purge().await {
        Ok(0) => {}
        Ok(rows) => tracing::info!(rows, "deleted rows that are out of date"),
        Err(error) => tracing::warn!(
            error = &error as &dyn Error,
            "could not delete rows that are out of date"
        ),
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
