//! Backups that the service makes itself, and how old the last one is.

use std::time::Duration;

use taskhold_application::clock::{Clock as _, SystemClock};
use taskhold_backup::error::BackupError;
use taskhold_backup::folder::{Backup, BackupFolder};
use taskhold_backup::make::make;
use taskhold_backup::retention::Retention;
use taskhold_infrastructure::db::connect::ConnectOptions;

/// How often it is looked whether one is due: also those are seen that a timer of the system makes.
const LOOK: Duration = Duration::from_mins(1);

/// When backups are made, and where.
pub struct Schedule {
    pub store: ConnectOptions,
    pub folder: BackupFolder,
    /// How long after the last one; `None` where somebody else makes them.
    pub every: Option<Duration>,
}

impl Schedule {
    /// Makes those that are due, and tells the metrics of the last one; never ends.
    pub async fn run(self) {
        loop {
            if let Err(error) = self.once().await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "no backup was made"
                );
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn once(&self) -> Result<(), BackupError> {
        let newest = self.folder.newest()?;
        if !self.is_due(newest.as_ref()) {
            newest.iter().for_each(tell);
            return Ok(());
        }
        let made = make(&self.store, &self.folder, SystemClock.now()).await;
        // Where none was made, it matters all the more how old the last one is.
        made.iter().chain(&newest).take(1).for_each(tell);
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

/// Tells the metrics of the newest backup.
fn tell(newest: &Backup) {
    metrics::gauge!("taskhold_backup_last_success_timestamp_seconds")
        .set(seconds(newest.taken_at.as_micros()));
}

#[expect(clippy::cast_precision_loss, reason = "whole seconds would do")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}
