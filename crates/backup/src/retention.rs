//! Which backups are kept.

use std::collections::HashSet;

use taskhold_domain::timestamp::Timestamp;

use crate::error::BackupError;
use crate::folder::{Backup, BackupFolder};

const HOUR: i64 = 3_600 * 1_000_000;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
/// 1970 began on a Thursday; weeks begin on Mondays.
const MONDAY: i64 = 3 * DAY;

/// How many backups are kept: the newest of each of the last hours, days and weeks that have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Hours.
    pub hourly: usize,
    /// Days, of UTC.
    pub daily: usize,
    /// Weeks, from Monday to Sunday of UTC.
    pub weekly: usize,
}

impl Default for Retention {
    /// 24 hours, 7 days and 4 weeks.
    fn default() -> Self {
        Self {
            hourly: 24,
            daily: 7,
            weekly: 4,
        }
    }
}

impl Retention {
    /// Of backups taken at these times, the indices of those that are kept. Always among them: the
    /// newest, and the newest that was verified.
    #[must_use]
    pub fn kept(&self, backups: &[(Timestamp, bool)]) -> HashSet<usize> {
        let mut newest_first: Vec<usize> = (0..backups.len()).collect();
        newest_first.sort_by_key(|index| std::cmp::Reverse(backups.get(*index).map(|(at, _)| *at)));
        let mut kept = HashSet::new();
        for (count, length, offset) in [
            (self.hourly, HOUR, 0),
            (self.daily, DAY, 0),
            (self.weekly, WEEK, MONDAY),
        ] {
            let mut seen = HashSet::new();
            for index in &newest_first {
                let Some((at, _)) = backups.get(*index) else {
                    continue;
                };
                if seen.len() == count {
                    break;
                }
                if seen.insert((at.as_micros() + offset).div_euclid(length)) {
                    kept.insert(*index);
                }
            }
        }
        kept.extend(newest_first.first());
        let is_verified =
            |index: &&usize| backups.get(**index).is_some_and(|(_, verified)| *verified);
        kept.extend(newest_first.iter().find(is_verified));
        kept
    }

    /// Removes the backups that are not kept. Which it were. Those that cannot be read stay: somebody
    /// should look at them.
    ///
    /// # Errors
    /// `Refused` where a backup is being made, `File`.
    pub fn prune(&self, folder: &BackupFolder) -> Result<Vec<Backup>, BackupError> {
        let held = folder.hold()?;
        let (backups, _) = folder.list()?;
        let times: Vec<_> = backups
            .iter()
            .map(|backup| (backup.taken_at, backup.verified.is_some()))
            .collect();
        let kept = self.kept(&times);
        let mut removed = Vec::new();
        for (index, backup) in backups.into_iter().enumerate() {
            if !kept.contains(&index) {
                backup.remove(&held)?;
                removed.push(backup);
            }
        }
        Ok(removed)
    }
}
