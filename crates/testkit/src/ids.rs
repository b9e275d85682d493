//! Predictable ids, which snapshots can contain.

use std::sync::atomic::{AtomicU64, Ordering};

use taskhold_application::ids::Ids;
use uuid::Uuid;

/// Generates `00000000-0000-7000-8000-000000000001` and its successors.
#[derive(Debug, Default)]
pub struct CountedIds(AtomicU64);

impl Ids for CountedIds {
    fn next(&self) -> Uuid {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        Uuid::from_u128(0x7000_8000_0000_0000_0000 | u128::from(number))
    }
}
