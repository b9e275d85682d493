//! Backups that the service makes itself, and the metric of the newest one.

use std::time::Duration;

use taskhold_application::clock::{Clock as _, SystemClock};
use taskhold_backup::error::BackupError;
use taskhold_backup::folder::{Backup, BackupFolder};
use taskhold_backup::make::make;
use taskhold_backup::retention::Retention;
use taskhold_infrastructure::db::connect::ConnectOptions;

/// How often the folder is read: a timer of the system may make backups too.
const INTERVAL: Duration = Duration::from_mins(1);

/// When the service makes backups, and where.
pub struct Schedule {
    pub store: ConnectOptions,
    pub folder: BackupFolder,
    /// How long after the last one; `None` if the service makes none.
    pub every: Option<Duration>,
}

impl Schedule {
    /// Makes backups when they are due and records the newest one, forever.
    pub async fn run(self) {
        loop {
            if let Err(error) = self.make_if_due().await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "no backup was made"
                );
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    async fn make_if_due(&self) -> Result<(), BackupError> {
        let newest = self.folder.newest()?;
        if !self.is_due(newest.as_ref()) {
            newest.iter().for_each(record);
            return Ok(());
        }
        let made = make(&self.store, &self.folder, SystemClock.now()).await;
        // If none was made, the age of the last one matters all the more.
        made.iter().chain(&newest).take(1).for_each(record);
        tracing::info!(backup = made?.name(), "made a backup");
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
    metrics::gauge!("taskhold_backup_last_success_timestamp_seconds")
        .set(seconds(newest.taken_at.as_micros()));
}

#[expect(clippy::cast_precision_loss, reason = "whole seconds would do")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}
