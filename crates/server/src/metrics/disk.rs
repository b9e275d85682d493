//! The free space for the SQLite file and for backups.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::disk::Space;

/// How often the disks are asked.
const INTERVAL: Duration = Duration::from_secs(15);

/// Records the free space of each folder, under its name in the metrics, forever.
pub async fn run(folders: Vec<(&'static str, PathBuf)>) {
    metrics::describe_gauge!(
        "taskhold_disk_free_bytes",
        "Free space for the SQLite file and for backups."
    );
    metrics::describe_gauge!("taskhold_disk_size_bytes", "Size of that disk.");
    loop {
        let asked = folders.clone();
        // A network file system may take long to answer.
        let recorded = tokio::task::spawn_blocking(move || {
            for (name, folder) in asked {
                record(name, &folder);
            }
        });
        if let Err(error) = recorded.await {
            tracing::debug!(%error, "the disks were not asked");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

#[expect(clippy::cast_precision_loss, reason = "whole kilobytes would do")]
fn record(name: &'static str, folder: &Path) {
    if let Ok(Space { free, size }) = Space::of(folder) {
        metrics::gauge!("taskhold_disk_free_bytes", "folder" => name).set(free as f64);
        metrics::gauge!("taskhold_disk_size_bytes", "folder" => name).set(size as f64);
    }
}
