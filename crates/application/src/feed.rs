//! Places in an owner's change log.

use taskhold_domain::task::change_log::ChangeSeq;
use taskhold_repository::change_log::Feed;
use taskhold_repository::tasks::Position;

/// A place in an owner's log, up to which a client knows the tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedCursor {
    /// The epoch of the log; 0 before the owner's first change.
    pub epoch: i64,
    /// The number of the last change that the client knows, or the one when it began to read all tasks.
    pub seq: ChangeSeq,
    /// While a client reads all tasks, oldest first: the position of the last one.
    pub snapshot: Option<Position>,
}

/// Why the changes after a cursor cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// The cursor names a change that does not exist.
    #[error("the cursor names a change that does not exist")]
    Unknown,
    /// The changes after the cursor are no longer kept, or belong to a log that a restore has replaced.
    #[error("the changes after the cursor are no longer kept")]
    Expired,
}

impl FeedCursor {
    /// Returns the cursor at the end of a log.
    pub(crate) fn at_end(feed: Option<Feed>) -> Self {
        Self {
            epoch: feed.map_or(0, |feed| feed.epoch),
            seq: feed.map_or(ChangeSeq::ZERO, |feed| feed.last),
            snapshot: None,
        }
    }

    /// Checks that the log has every change after the cursor.
    pub(crate) fn check(&self, feed: Option<Feed>) -> Result<(), CursorError> {
        // The cursor of a client who came before the first change.
        if self.epoch == 0 && self.seq == ChangeSeq::ZERO {
            return match feed {
                Some(feed) if feed.floor > ChangeSeq::ZERO => Err(CursorError::Expired),
                _ => Ok(()),
            };
        }
        let feed = feed.filter(|feed| feed.epoch == self.epoch);
        let feed = feed.ok_or(CursorError::Expired)?;
        if self.seq > feed.last {
            return Err(CursorError::Unknown);
        }
        if self.seq < feed.floor {
            return Err(CursorError::Expired);
        }
        Ok(())
    }
}
