//! The cursors of the change log and of histories.

use taskhold_application::change_log::{FeedCursor, Key, Position};
use taskhold_application::tasks::ChangeSeq;
use taskhold_domain::task::TaskId;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use uuid::Uuid;

use crate::cursor;

const CHANGES: &str = "changes";
const HISTORY: &str = "history";

/// Returns the text of a place in the owner's log.
pub(super) fn encode(owner: &UserId, feed: &FeedCursor) -> String {
    let mut content = feed.epoch.to_be_bytes().to_vec();
    content.extend(feed.seq.get().to_be_bytes());
    if let Some(Position {
        key: Key::Instant(created_at),
        id,
    }) = &feed.snapshot
    {
        content.extend(created_at.as_micros().to_be_bytes());
        content.extend(id.as_uuid().as_bytes());
    }
    cursor::seal(owner, CHANGES, &content)
}

/// Returns the place that a text names; `None` if it is not one of this owner's log.
pub(super) fn decode(owner: &UserId, text: &str) -> Option<FeedCursor> {
    let content = cursor::open(owner, CHANGES, text)?;
    let (epoch, rest) = number(&content)?;
    let (seq, rest) = number(rest)?;
    let snapshot = if rest.is_empty() {
        None
    } else {
        let (created_at, id) = number(rest)?;
        Some(Position {
            key: Key::Instant(Timestamp::from_micros(created_at).ok()?),
            id: TaskId::from_uuid(Uuid::from_slice(id).ok()?),
        })
    };
    Some(FeedCursor {
        epoch,
        seq: ChangeSeq::parse(seq).ok()?,
        snapshot,
    })
}

/// Returns the text of the change before which a page of a history begins.
pub(super) fn encode_seq(owner: &UserId, before: ChangeSeq) -> String {
    cursor::seal(owner, HISTORY, &before.get().to_be_bytes())
}

/// Returns the change that a text names.
pub(super) fn decode_seq(owner: &UserId, text: &str) -> Option<ChangeSeq> {
    let content = cursor::open(owner, HISTORY, text)?;
    let (seq, rest) = number(&content)?;
    rest.is_empty().then(|| ChangeSeq::parse(seq).ok())?
}

fn number(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    Some((i64::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_place_is_decoded() {
        let anna = UserId::parse("anna").expect("a user");
        let seq = ChangeSeq::parse(7).expect("a number");
        let snapshot = Position {
            key: Key::Instant(Timestamp::from_micros(-5).expect("in range")),
            id: TaskId::from_uuid(Uuid::max()),
        };
        for snapshot in [None, Some(snapshot)] {
            let place = FeedCursor {
                epoch: i64::MAX,
                seq,
                snapshot,
            };
            assert_eq!(decode(&anna, &encode(&anna, &place)), Some(place));
        }
        assert_eq!(decode_seq(&anna, &encode_seq(&anna, seq)), Some(seq));
        assert_eq!(decode(&anna, &encode_seq(&anna, seq)), None);
    }
}
