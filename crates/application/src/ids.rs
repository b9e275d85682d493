//! The port for new ids.

use uuid::Uuid;

/// A generator of unique ids.
pub trait Ids: Send + Sync {
    /// Returns a new id.
    fn next(&self) -> Uuid;
}

/// Generates UUIDs of version 7, which sort by time of creation, so that an index of them grows at
/// its end.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeOrderedIds;

impl Ids for TimeOrderedIds {
    fn next(&self) -> Uuid {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one place that generates ids"
        )]
        Uuid::now_v7()
    }
}
