//! The ports on which the use cases of tasks are built.

use std::sync::Arc;

use taskhold_repository::change_log::ChangeLogRepository;
use taskhold_repository::tasks::TaskRepository;
use taskhold_repository::trash::TrashRepository;

use crate::change_streams::{ChangeStreams, StreamLimits};

/// The storage ports of tasks.
#[derive(Clone)]
pub struct TaskPorts {
    /// The tasks.
    pub tasks: Arc<dyn TaskRepository>,
    /// The trash.
    pub trash: Arc<dyn TrashRepository>,
    /// The change log.
    pub log: Arc<dyn ChangeLogRepository>,
    /// The open streams of the change log, which are told of every write.
    pub streams: Arc<ChangeStreams>,
}

impl TaskPorts {
    /// Returns the ports of a store that implements all of them, without limits on streams.
    #[must_use]
    pub fn of<S>(store: Arc<S>) -> Self
    where
        S: TaskRepository + TrashRepository + ChangeLogRepository + 'static,
    {
        Self {
            tasks: store.clone(),
            trash: store.clone(),
            streams: ChangeStreams::new(store.clone(), StreamLimits::unlimited()),
            log: store,
        }
    }
}
