//! The changes that owners wrote at this instance, or were told of here, and that the replica may lack.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use taskhold_domain::task::change_log::ChangeSeq;
use taskhold_domain::user::UserId;
use tokio::time::Instant;

/// The latest change of each owner that the replica may lack. There are at most as many as owners who have written
/// since the replica was last known to have their changes.
#[derive(Debug, Default)]
pub(super) struct KnownChanges {
    changes: Mutex<HashMap<UserId, Known>>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    /// The latest change.
    latest: Recorded,
    /// A change whose age tells how far the replica lags behind: the latest one would be young for whoever writes all the
    /// time.
    sample: Recorded,
}

/// A change, and when it was recorded.
#[derive(Debug, Clone, Copy)]
struct Recorded {
    seq: ChangeSeq,
    at: Instant,
}

impl KnownChanges {
    /// Records a change.
    pub(super) fn learn(&self, owner: &UserId, seq: ChangeSeq) {
        let latest = Recorded {
            seq,
            at: Instant::now(),
        };
        let mut changes = self.lock();
        match changes.get_mut(owner) {
            Some(known) if known.latest.seq >= seq => {}
            Some(known) => known.latest = latest,
            None => {
                let sample = latest;
                changes.insert(owner.clone(), Known { latest, sample });
            }
        }
    }

    /// Returns the change that the replica must have to answer a read of this owner.
    pub(super) fn of(&self, owner: &UserId) -> ChangeSeq {
        let known = self.lock().get(owner).copied();
        known.map_or(ChangeSeq::ZERO, |known| known.latest.seq)
    }

    /// Records that the replica has this change and all before it.
    pub(super) fn confirm(&self, owner: &UserId, seq: ChangeSeq) {
        let mut changes = self.lock();
        match changes.get_mut(owner) {
            Some(known) if known.latest.seq <= seq => drop(changes.remove(owner)),
            Some(known) if known.sample.seq <= seq => known.sample = known.latest,
            _ => {}
        }
    }

    /// Returns at most `most` owners whose changes the replica may lack.
    pub(super) fn owners(&self, most: usize) -> Vec<UserId> {
        self.lock().keys().take(most).cloned().collect()
    }

    /// Returns those of these owners whose changes the replica may have lacked for longer than this.
    pub(super) fn older_than(&self, owners: &[UserId], age: Duration) -> Vec<UserId> {
        let changes = self.lock();
        let is_older = |owner: &&UserId| {
            let known = changes.get(owner);
            known.is_some_and(|known| known.sample.at.elapsed() > age)
        };
        owners.iter().filter(is_older).cloned().collect()
    }

    /// Forgets a change of an owner whose log ends before it.
    pub(super) fn forget_after(&self, owner: &UserId, last: ChangeSeq) {
        let mut changes = self.lock();
        if changes
            .get(owner)
            .is_some_and(|known| known.latest.seq > last)
        {
            changes.remove(owner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Known>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lag_is_the_age_of_a_change_and_not_of_the_latest() {
        let (known, anna) = (
            KnownChanges::default(),
            UserId::parse("anna").expect("a user"),
        );
        let lags = |seconds| {
            let older = known.older_than(std::slice::from_ref(&anna), Duration::from_secs(seconds));
            !older.is_empty()
        };
        for number in 1..=20 {
            known.learn(&anna, seq(number));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!(lags(19));
        // The replica is three seconds behind.
        known.confirm(&anna, seq(17));
        assert!(!lags(2));
        known.learn(&anna, seq(21));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(lags(2));
        known.confirm(&anna, seq(20));
        assert!(!lags(2) && lags(1));
    }

    fn seq(number: i64) -> ChangeSeq {
        ChangeSeq::parse(number).expect("a number")
    }

    #[test]
    fn latest_change_is_known_until_it_is_confirmed() {
        let known = KnownChanges::default();
        let [anna, berta] = ["anna", "berta"].map(|name| UserId::parse(name).expect("a user"));
        assert_eq!(known.of(&anna), ChangeSeq::ZERO);
        for number in [2, 5, 3] {
            known.learn(&anna, seq(number));
        }
        assert_eq!(known.of(&anna), seq(5));
        assert_eq!(known.of(&berta), ChangeSeq::ZERO);
        known.confirm(&anna, seq(4));
        assert_eq!(known.of(&anna), seq(5));
        assert_eq!(known.owners(10), std::slice::from_ref(&anna));
        known.confirm(&anna, seq(5));
        assert_eq!(known.of(&anna), ChangeSeq::ZERO);
        assert_eq!(known.owners(10), []);
        assert_eq!(
            known.older_than(std::slice::from_ref(&anna), Duration::ZERO),
            []
        );
        known.learn(&anna, seq(7));
        known.forget_after(&anna, seq(7));
        assert_eq!(known.of(&anna), seq(7));
        known.forget_after(&anna, seq(6));
        assert_eq!(known.of(&anna), ChangeSeq::ZERO);
    }
}
