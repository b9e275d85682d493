//! The changes that owners wrote at this instance, or were told of here, and that the replica may lack.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    seq: ChangeSeq,
    since: Instant,
}

impl KnownChanges {
    /// Records a change.
    pub(super) fn learn(&self, owner: &UserId, seq: ChangeSeq) {
        let now = Instant::now();
        let mut changes = self.lock();
        match changes.get_mut(owner) {
            Some(known) if known.seq >= seq => {}
            Some(known) => *known = Known { seq, since: now },
            None => drop(changes.insert(owner.clone(), Known { seq, since: now })),
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

    /// Returns at most `most` owners whose changes the replica may lack.
    pub(super) fn owners(&self, most: usize) -> Vec<UserId> {
        self.lock().keys().take(most).cloned().collect()
    }

    /// Returns when the oldest of these owners' changes was recorded that the replica may still lack.
    pub(super) fn oldest(&self, owners: &[UserId]) -> Option<Instant> {
        let changes = self.lock();
        let since = owners.iter().filter_map(|owner| changes.get(owner));
        since.map(|known| known.since).min()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Known>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(known.oldest(&[anna]), None);
    }
}
