//! Which backups are kept.

use std::cmp::Reverse;
use std::collections::HashSet;

use taskhold_domain::timestamp::Timestamp;

use crate::error::BackupError;
use crate::folder::{Backup, BackupFolder};
use crate::origin::Origin;

const HOUR: i64 = 3_600 * 1_000_000;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
/// 1970 began on a Thursday; weeks begin on Mondays.
const MONDAY: i64 = 3 * DAY;

/// How many backups to keep: the newest of each of the last hours, days and weeks that have one.
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
    /// Returns the indices of those backups to keep, given when each was taken and whether it was verified.
    /// The newest and the newest verified one are always among them.
    #[must_use]
    pub fn kept(&self, backups: &[(Timestamp, bool)]) -> HashSet<usize> {
        let mut newest_first: Vec<_> = backups.iter().enumerate().collect();
        newest_first.sort_by_key(|(_, (taken_at, _))| Reverse(*taken_at));
        let newest = newest_first.first();
        let newest_verified = newest_first.iter().find(|(_, (_, verified))| *verified);
        let mut kept: HashSet<_> = newest
            .into_iter()
            .chain(newest_verified)
            .map(|(index, _)| *index)
            .collect();
        for (count, length, offset) in [
            (self.hourly, HOUR, 0),
            (self.daily, DAY, 0),
            (self.weekly, WEEK, MONDAY),
        ] {
            let mut periods = HashSet::new();
            for (index, (taken_at, _)) in &newest_first {
                if periods.len() == count {
                    break;
                }
                if periods.insert((taken_at.as_micros() + offset).div_euclid(length)) {
                    kept.insert(*index);
                }
            }
        }
        kept
    }

    /// Returns the indices of those backups to keep, for each store by itself: one store's must not displace another's.
    /// A backup of an earlier version, which does not name its store, counts for every store of its kind.
    fn kept_of_each(&self, backups: &[Backup]) -> HashSet<usize> {
        let stores: HashSet<_> = backups
            .iter()
            .map(|backup| Origin::of_backup(&backup.manifest))
            .collect();
        let mut kept = HashSet::new();
        for store in stores {
            let (indices, times): (Vec<_>, Vec<_>) = backups
                .iter()
                .enumerate()
                .filter(|(_, backup)| store.has(&backup.manifest))
                .map(|(index, backup)| (index, (backup.taken_at, backup.verified.is_some())))
                .unzip();
            let of_store = self.kept(&times);
            kept.extend(of_store.iter().filter_map(|place| indices.get(*place)));
        }
        kept
    }

    /// Removes the backups that are not to be kept, and returns them. Those that cannot be read stay for an
    /// operator to examine.
    ///
    /// # Errors
    /// `Refused` while a backup is being made, `File`.
    pub fn prune(&self, folder: &BackupFolder) -> Result<Vec<Backup>, BackupError> {
        let lock = folder.lock()?;
        let (backups, _) = folder.list()?;
        let kept = self.kept_of_each(&backups);
        let mut removed = Vec::new();
        for (index, backup) in backups.into_iter().enumerate() {
            if !kept.contains(&index) {
                backup.remove(&lock)?;
                removed.push(backup);
            }
        }
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-03-01T12:30:00Z, a Sunday.
    const SUNDAY: i64 = 1_772_368_200 * 1_000_000;
    const MINUTE: i64 = HOUR / 60;

    fn ago(time: i64) -> Timestamp {
        Timestamp::from_micros(SUNDAY - time).unwrap()
    }

    fn kept(backups: &[(Timestamp, bool)]) -> Vec<usize> {
        let mut kept: Vec<_> = Retention::default().kept(backups).into_iter().collect();
        kept.sort_unstable();
        kept
    }

    #[test]
    fn newest_backup_of_an_hour_stays() {
        let backups = [75, 45, 31, 30, 29, 0].map(|minutes| (ago(minutes * MINUTE), false));
        // 11:15; 11:45, 11:59; 12:00, 12:01, 12:30.
        assert_eq!(kept(&backups), [2, 5]);
    }

    #[test]
    fn older_backups_stay_by_day_then_by_week() {
        let hours = (0..30).map(|hours| hours * HOUR);
        let days = (2..60).map(|days| days * DAY);
        let ages: Vec<_> = hours.chain(days).collect();
        let backups: Vec<_> = ages.iter().map(|age| (ago(*age), false)).collect();
        let kept: Vec<_> = kept(&backups)
            .into_iter()
            .map(|index| ages[index])
            .collect();
        let mut expected: Vec<_> = (0..24).map(|hours| hours * HOUR).collect();
        // Sunday and Saturday have one among the hours: Friday to Tuesday. Of the weeks the first is that
        // of the Sunday.
        expected.extend([2, 3, 4, 5, 6, 7, 14, 21].map(|days| days * DAY));
        assert_eq!(kept, expected);
    }

    #[test]
    fn hours_without_a_backup_do_not_count() {
        let backups: Vec<_> = (0..24)
            .map(|month| (ago(month * 30 * DAY), false))
            .collect();
        assert_eq!(kept(&backups).len(), 24);
        let backups: Vec<_> = (0..30)
            .map(|month| (ago(month * 30 * DAY), false))
            .collect();
        assert_eq!(kept(&backups), (0..24).collect::<Vec<_>>());
    }

    #[test]
    fn newest_verified_backup_stays() {
        let mut backups: Vec<_> = (0..1_000).map(|hours| (ago(hours * HOUR), false)).collect();
        backups.extend([300, 301].map(|days| (ago(days * DAY), true)));
        let kept = kept(&backups);
        assert!(kept.contains(&1_000) && !kept.contains(&1_001));
    }

    #[test]
    fn no_backups_keep_none() {
        assert!(kept(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn kept_backups_are_few_and_hold_the_newest(
            backups in prop::collection::vec((0..90 * DAY, prop::bool::weighted(0.1)), 0..200),
        ) {
            let backups: Vec<_> =
                backups.into_iter().map(|(age, verified)| (ago(age), verified)).collect();
            let kept = Retention::default().kept(&backups);
            let newest = |of: &mut dyn Iterator<Item = &(Timestamp, bool)>| of.map(|(at, _)| *at).max();
            let stays = |at: Option<Timestamp>| {
                at.is_none_or(|at| kept.iter().any(|index| backups[*index].0 == at))
            };
            prop_assert!(stays(newest(&mut backups.iter())));
            prop_assert!(stays(newest(&mut backups.iter().filter(|(_, verified)| *verified))));
            prop_assert!(kept.len() <= 24 + 7 + 4 + 2);
            prop_assert!(kept.len() >= backups.len().min(1));
            // Pruning twice removes nothing more.
            let mut left: Vec<_> = kept.iter().map(|index| backups[*index]).collect();
            left.sort_unstable();
            prop_assert_eq!(Retention::default().kept(&left).len(), left.len());
        }
    }
}
