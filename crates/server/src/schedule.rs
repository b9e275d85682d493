//! Backups that the service makes itself, and the metrics of those in the folder.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use taskhold_application::clock::{Clock as _, SystemClock};
use taskhold_application::leases::{Lease, LeaseOutcome};
use taskhold_backup::folder::{Backup, BackupFolder};
use taskhold_backup::make::make;
use taskhold_backup::origin::Origin;
use taskhold_backup::retention::Retention;
use taskhold_domain::timestamp::Timestamp;
use taskhold_infrastructure::db::connect::ConnectOptions;

/// How often the folder is read: a timer of the system may make backups too.
const INTERVAL: Duration = Duration::from_mins(1);

/// When the service makes backups, and where.
pub struct Schedule {
    pub store: ConnectOptions,
    pub folder: BackupFolder,
    /// How long after the last one; `None` if the service makes none.
    pub every: Option<Duration>,
    /// The lease of the instance that makes them.
    pub lease: Arc<Lease>,
}

impl Schedule {
    /// Makes backups when they are due and records the newest one, forever.
    pub async fn run(self) {
        let mut origin = Origin::of_kind(&self.store.url);
        loop {
            // Asked until it is known, and not again: a store that nobody uses may sleep.
            if !origin.is_known() {
                match Origin::of(&self.store).await {
                    Ok(known) => origin = known,
                    Err(error) => {
                        tracing::debug!(%error, "the store does not say yet which one it is");
                    }
                }
            }
            if let Err(error) = self.make_if_due(&origin).await {
                tracing::error!(
                    error = error.as_ref() as &dyn std::error::Error,
                    "no backup was made"
                );
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    async fn make_if_due(&self, origin: &Origin) -> anyhow::Result<()> {
        let backups = self.folder.of(origin)?;
        if let Some(verified) = backups.iter().filter_map(|backup| backup.verified).max() {
            metrics::gauge!("taskhold_backup_last_verification_timestamp_seconds")
                .set(seconds(verified));
        }
        let newest = backups.last();
        newest.into_iter().for_each(record);
        if !self.is_due(newest) {
            return Ok(());
        }
        let held = self.lease.acquire().await;
        if let LeaseOutcome::HeldUntil(_) = held.context("cannot look who makes backups")? {
            return Ok(());
        }
        let backup = make(&self.store, &self.folder, SystemClock.now());
        let made = self.lease.renewing(backup).await;
        // Another instance may have what this one lacks, such as room on its disk.
        if made.is_err()
            && let Err(error) = self.lease.release().await
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cannot let another instance make the backup"
            );
        }
        let made = made?;
        record(&made);
        tracing::info!(backup = made.name(), "made a backup");
        if let Err(error) = self.lease.keep().await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "another instance may repeat the backup"
            );
        }
        for removed in Retention::default().prune(&self.folder)? {
            tracing::info!(backup = removed.name(), "removed a backup");
        }
        Ok(())
    }

    fn is_due(&self, newest: Option<&Backup>) -> bool {
        let Some(every) = self.every else {
            return false;
        };
        newest.is_none_or(|newest| newest.taken_at <= SystemClock.now().saturating_sub(every))
    }
}

/// Records in the metrics when the newest backup was taken.
fn record(newest: &Backup) {
    metrics::gauge!("taskhold_backup_last_success_timestamp_seconds").set(seconds(newest.taken_at));
}

#[expect(clippy::cast_precision_loss, reason = "whole seconds would do")]
fn seconds(time: Timestamp) -> f64 {
    time.as_micros() as f64 / 1e6
}
