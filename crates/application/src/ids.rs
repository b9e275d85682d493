//! Where new ids come from.

use taskhold_domain::task::TaskId;
use uuid::Uuid;

/// Makes ids that nobody has had before.
pub trait Ids: Send + Sync {
    /// The id of a task that is yet to be created.
    fn task_id(&self) -> TaskId;
}

/// UUIDs of version 7: random, and in the order of their making, so that an index of them grows
/// at its end.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeOrderedIds;

impl Ids for TimeOrderedIds {
    fn task_id(&self) -> TaskId {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one place that makes ids"
        )]
        TaskId::from_uuid(Uuid::now_v7())
    }
}
