//! The changes that owners wrote at this instance, or were told of here, and that the replica may lack.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use taskhold_domain::task::change_log::ChangeSeq;
use taskhold_domain::user::UserId;
use tokio::time::Instant;

/// The latest change of each owner that the replica may lack. There are at most as many as owners who have written since
/// the replica was last known to have what was written before.
#[derive(Debug, Default)]
pub(super) struct KnownChanges {
    changes: Mutex<HashMap<UserId, Known>>,
}

/// A change, and when it was recorded.
#[derive(Debug, Clone, Copy)]
struct Known {
    seq: ChangeSeq,
    at: Instant,
}

impl KnownChanges {
    /// Records a change.
    pub(super) fn learn(&self, owner: &UserId, seq: ChangeSeq) {
        let latest = Known {
            seq,
            at: Instant::now(),
        };
        let mut changes = self.lock();
        match changes.get_mut(owner) {
            Some(known) if known.seq >= seq => {}
            Some(known) => *known = latest,
            None => drop(changes.insert(owner.clone(), latest)),
        }
    }

    /// Returns the change that the replica must have to answer a read of this owner.
    pub(super) fn of(&self, owner: &UserId) -> ChangeSeq {
        let known = self.lock().get(owner).copied();
        known.map_or(ChangeSeq::ZERO, |known| known.seq)
    }

    /// Records that the replica has this change and all before it.
    pub(super) fn confirm(&self, owner: &UserId, seq: ChangeSeq) {
        let mut changes = self.lock();
        if changes.get(owner).is_some_and(|known| known.seq <= seq) {
            changes.remove(owner);
        }
    }

    /// Records that the replica has all changes that were recorded before this moment.
    pub(super) fn forget_before(&self, moment: Instant) {
        self.lock().retain(|_, known| known.at >= moment);
    }

    /// Returns whether the replica has all changes.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Known>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn seq(number: i64) -> ChangeSeq {
        ChangeSeq::parse(number).expect("a number")
    }

    #[tokio::test(start_paused = true)]
    async fn latest_change_is_known_until_it_is_confirmed() {
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
        known.confirm(&anna, seq(5));
        assert_eq!(known.of(&anna), ChangeSeq::ZERO);
        assert!(known.is_empty());

        known.learn(&anna, seq(6));
        tokio::time::advance(Duration::from_secs(1)).await;
        let moment = Instant::now();
        known.learn(&berta, seq(1));
        known.forget_before(moment);
        assert_eq!(known.of(&anna), ChangeSeq::ZERO);
        assert_eq!(known.of(&berta), seq(1));
    }
}
