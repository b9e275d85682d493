//! Where new ids come from.

use uuid::Uuid;

/// Makes ids that nobody has had before.
pub trait Ids: Send + Sync {
    /// A new one.
    fn next(&self) -> Uuid;
}

/// UUIDs of version 7: random, and in the order of their making, so that an index of them grows
/// at its end.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeOrderedIds;

impl Ids for TimeOrderedIds {
    fn next(&self) -> Uuid {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one place that makes ids"
        )]
        Uuid::now_v7()
    }
}
