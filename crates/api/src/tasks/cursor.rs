//! Cursors: the position at which the next page of a list begins, as opaque text. A cursor is valid for
//! one list only: for one owner, order and filter.
//!
//! The cursor of a list of what is overdue, or due today, has the time of the first page: all pages are of one list,
//! even if midnight comes between them.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use sha2::{Digest as _, Sha256};
use taskhold_application::tasks::{DueFilter, Key, Position, SortKey, TaskQuery};
use taskhold_domain::task::{Due, DueKey, Priority, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_domain::zone::{Date, Zone};
use uuid::Uuid;

/// The version of the encoding, which is the first byte.
const VERSION: u8 = 1;

/// The length of a fingerprint. Half of a digest is enough: it only keeps clients from mixing up their own
/// lists, and a forged cursor reaches only the tasks of its forger.
const FINGERPRINT_BYTES: usize = 16;

/// The reason that a cursor is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum CursorError {
    #[error("The cursor is malformed.")]
    Malformed,
    #[error(
        "The cursor is of another list: it goes with the sort and the filters that it was given out for."
    )]
    AnotherList,
}

/// Returns the cursor of a position in the list that `query` selects.
pub(super) fn encode(owner: &UserId, query: &TaskQuery, position: &Position) -> String {
    let mut bytes = vec![VERSION];
    bytes.extend(fingerprint(owner, query));
    bytes.extend(position.id.as_uuid().as_bytes());
    if let Some(now) = first_page(query) {
        bytes.extend(now.as_micros().to_be_bytes());
    }
    match &position.key {
        Key::Title(text) | Key::Position(text) => bytes.extend(text.as_bytes()),
        Key::Priority(priority) => bytes.extend(priority.as_str().as_bytes()),
        Key::CompletedAt(None) | Key::Due(None) => {}
        Key::Instant(instant)
        | Key::CompletedAt(Some(instant))
        | Key::Due(Some(DueKey {
            instant: Some(instant),
            ..
        })) => bytes.extend(instant.as_micros().to_be_bytes()),
        Key::Due(Some(DueKey { day, instant: None })) => bytes.extend(day.to_string().as_bytes()),
    }
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Returns the position that a cursor names, and sets the time in `query` to that of the first page.
pub(super) fn decode(
    cursor: &str,
    owner: &UserId,
    query: &mut TaskQuery,
) -> Result<Position, CursorError> {
    let bytes = BASE64_URL_SAFE_NO_PAD
        .decode(cursor)
        .map_err(|_| CursorError::Malformed)?;
    let parts = || {
        let ([version], rest) = bytes.split_first_chunk()?;
        let (fingerprint, rest) = rest.split_first_chunk::<FINGERPRINT_BYTES>()?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        (*version == VERSION).then_some((fingerprint, id, rest))
    };
    let (given, id, mut key) = parts().ok_or(CursorError::Malformed)?;
    // A cursor without a time is of another list, which the fingerprint shows.
    if first_page(query).is_some()
        && let Some((now, rest)) = key.split_first_chunk::<8>()
    {
        let now = timestamp(now).ok_or(CursorError::AnotherList)?;
        for due in &mut query.due {
            *due = due.at(now);
        }
        key = rest;
    }
    if *given != fingerprint(owner, query) {
        return Err(CursorError::AnotherList);
    }
    let key = match query.sort.key {
        SortKey::CreatedAt | SortKey::UpdatedAt => timestamp(key).map(Key::Instant),
        SortKey::Title => text(key).map(Key::Title),
        SortKey::Position => text(key).map(Key::Position),
        SortKey::Priority => priority(key),
        SortKey::CompletedAt if key.is_empty() => Some(Key::CompletedAt(None)),
        SortKey::CompletedAt => timestamp(key).map(Some).map(Key::CompletedAt),
        SortKey::Due if key.is_empty() => Some(Key::Due(None)),
        SortKey::Due => due(key, &query.zone),
    };
    Ok(Position {
        key: key.ok_or(CursorError::Malformed)?,
        id: TaskId::from_uuid(Uuid::from_bytes(*id)),
    })
}

/// Returns the time of the first page, if a filter compares with it.
fn first_page(query: &TaskQuery) -> Option<Timestamp> {
    query.due.iter().find_map(|due| due.now())
}

fn timestamp(bytes: &[u8]) -> Option<Timestamp> {
    let micros = i64::from_be_bytes(bytes.try_into().ok()?);
    Timestamp::from_micros(micros).ok()
}

/// Reads a date as text, or a time as a number.
fn due(bytes: &[u8], zone: &Zone) -> Option<Key> {
    let key = match timestamp(bytes) {
        Some(instant) => DueKey::of_time(instant, zone),
        None => match Due::parse(std::str::from_utf8(bytes).ok()?) {
            Ok(Due::Date(day)) => DueKey::of_date(day),
            _ => return None,
        },
    };
    Some(Key::Due(Some(key)))
}

fn text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    // No stored text contains U+0000, and PostgreSQL rejects a comparison with it.
    (!text.contains('\0')).then(|| text.to_owned())
}

fn priority(bytes: &[u8]) -> Option<Key> {
    let name = std::str::from_utf8(bytes).ok()?;
    Priority::parse(name).ok().map(Key::Priority)
}

/// Returns the fingerprint of a list: a digest of its owner, order and filter.
fn fingerprint(owner: &UserId, query: &TaskQuery) -> [u8; FINGERPRINT_BYTES] {
    let mut hash = Sha256::new();
    let texts = [owner.as_str(), query.text.as_deref().unwrap_or_default()];
    let priorities = query.priorities.iter();
    let priorities = priorities.map(|priority| format!("priority={}", priority.as_str()));
    let tags = query.tag_keys.iter().map(|key| format!("tag={key}"));
    let due = query.due.iter().map(|due| {
        let day = |day: &Option<Date>| day.map_or_else(String::new, |day| day.to_string());
        match due {
            DueFilter::None => "due=none".to_owned(),
            DueFilter::Any => "due=any".to_owned(),
            DueFilter::Overdue(now) => format!("overdue={now}"),
            DueFilter::Today(now) => format!("today={now}"),
            DueFilter::Days(first, last) => format!("days={}/{}", day(first), day(last)),
        }
    });
    let zone = (query.zone != Zone::UTC).then(|| format!("zone={}", query.zone));
    let parts = texts.into_iter().map(str::to_owned).chain(priorities);
    for part in parts.chain(tags).chain(due).chain(zone) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let sort = match query.sort.key {
        SortKey::CreatedAt => 1,
        SortKey::UpdatedAt => 2,
        SortKey::Title => 3,
        SortKey::Priority => 4,
        SortKey::CompletedAt => 5,
        SortKey::Due => 6,
        SortKey::Position => 7,
    };
    let completed = query.completed.map_or(2, u8::from);
    hash.update([
        sort,
        u8::from(query.sort.descending),
        completed,
        u8::from(query.text.is_some()),
    ]);
    let mut fingerprint = [0; FINGERPRINT_BYTES];
    for (byte, hashed) in fingerprint.iter_mut().zip(hash.finalize()) {
        *byte = hashed;
    }
    fingerprint
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use taskhold_application::tasks::Sort;

    use super::*;

    fn owner() -> UserId {
        UserId::parse("alice").unwrap()
    }

    fn sorted(key: SortKey) -> TaskQuery {
        TaskQuery {
            sort: Sort {
                key,
                descending: false,
            },
            ..TaskQuery::default()
        }
    }

    proptest! {
        #[test]
        fn decoded_cursor_equals_the_encoded_position(id in any::<u128>(), micros in 0..i64::MAX / 100, title in "[^\0]{1,100}") {
            let id = TaskId::from_uuid(Uuid::from_u128(id));
            let positions = [
                (SortKey::CreatedAt, Key::Instant(Timestamp::from_micros(micros).unwrap())),
                (SortKey::Position, Key::Position(title.clone())),
                (SortKey::Title, Key::Title(title)),
                (SortKey::Priority, Key::Priority(Priority::Medium)),
                (SortKey::CompletedAt, Key::CompletedAt(Some(Timestamp::from_micros(micros).unwrap()))),
                (SortKey::CompletedAt, Key::CompletedAt(None)),
                (SortKey::Due, Key::Due(Some(DueKey::of_time(Timestamp::from_micros(micros).unwrap(), &Zone::UTC)))),
                (SortKey::Due, Key::Due(Some(DueKey::of_date(Date::constant(1, 1, 1))))),
                (SortKey::Due, Key::Due(None)),
            ];
            for (sort, key) in positions {
                let (query, position) = (sorted(sort), Position { key, id });
                let cursor = encode(&owner(), &query, &position);
                prop_assert_eq!(decode(&cursor, &owner(), &mut query.clone()), Ok(position));
            }
        }

        #[test]
        fn arbitrary_text_is_rejected(text in any::<String>(), bytes in any::<Vec<u8>>()) {
            let encoded = BASE64_URL_SAFE_NO_PAD.encode(&bytes);
            for cursor in [text, encoded] {
                for key in [SortKey::CreatedAt, SortKey::Title, SortKey::CompletedAt, SortKey::Due, SortKey::Position] {
                    prop_assert!(decode(&cursor, &owner(), &mut sorted(key)).is_err());
                }
            }
        }

        #[test]
        fn arbitrary_key_is_never_of_another_list(key in any::<Vec<u8>>()) {
            for sort in [SortKey::UpdatedAt, SortKey::Title, SortKey::Priority, SortKey::CompletedAt, SortKey::Due, SortKey::Position] {
                let mut bytes = vec![VERSION];
                bytes.extend(fingerprint(&owner(), &sorted(sort)));
                bytes.extend([7; 16]);
                bytes.extend(&key);
                let decoded = decode(&BASE64_URL_SAFE_NO_PAD.encode(bytes), &owner(), &mut sorted(sort));
                prop_assert_ne!(decoded, Err(CursorError::AnotherList));
            }
        }
    }

    #[test]
    fn cursor_of_another_list_is_rejected() {
        let query = sorted(SortKey::CreatedAt);
        let position = Position {
            key: Key::Instant(Timestamp::LAST),
            id: TaskId::from_uuid(Uuid::nil()),
        };
        let cursor = encode(&owner(), &query, &position);
        let other_lists = [
            TaskQuery {
                completed: Some(false),
                ..query.clone()
            },
            TaskQuery {
                text: Some(String::new()),
                ..query.clone()
            },
            TaskQuery {
                text: Some("a".to_owned()),
                ..query.clone()
            },
            TaskQuery {
                sort: Sort::default(),
                ..query.clone()
            },
            sorted(SortKey::UpdatedAt),
            sorted(SortKey::Title),
            sorted(SortKey::Priority),
            TaskQuery {
                priorities: vec![Priority::High],
                ..query.clone()
            },
            TaskQuery {
                tag_keys: vec!["high".to_owned()],
                ..query.clone()
            },
            TaskQuery {
                zone: Zone::parse("Europe/Berlin").unwrap(),
                ..query.clone()
            },
            sorted(SortKey::CompletedAt),
            sorted(SortKey::Due),
            sorted(SortKey::Position),
        ];
        let day = Some(Date::constant(2026, 12, 1));
        let due = [
            DueFilter::None,
            DueFilter::Any,
            DueFilter::Overdue(Timestamp::LAST),
            DueFilter::Today(Timestamp::LAST),
            DueFilter::Days(day, None),
            DueFilter::Days(None, day),
        ];
        let due = due.map(|due| TaskQuery {
            due: vec![due],
            ..query.clone()
        });
        for mut other in other_lists.into_iter().chain(due) {
            assert_eq!(
                decode(&cursor, &owner(), &mut other),
                Err(CursorError::AnotherList),
                "{other:?}"
            );
        }
        let bob = UserId::parse("bob").unwrap();
        assert_eq!(
            decode(&cursor, &bob, &mut query.clone()),
            Err(CursorError::AnotherList)
        );
        let mut other_limit = TaskQuery {
            limit: Some(7),
            ..query
        };
        assert_eq!(decode(&cursor, &owner(), &mut other_limit), Ok(position));
    }

    #[test]
    fn time_is_that_of_the_first_page() {
        let at = |micros| Timestamp::from_micros(micros).unwrap();
        let position = Position {
            key: Key::Due(Some(DueKey::of_date(Date::constant(2026, 12, 1)))),
            id: TaskId::from_uuid(Uuid::nil()),
        };
        for due in [DueFilter::Today, DueFilter::Overdue] {
            let list = |now| TaskQuery {
                due: vec![due(at(now))],
                ..sorted(SortKey::Due)
            };
            let cursor = encode(&owner(), &list(7), &position);
            let mut next = list(8);
            assert_eq!(decode(&cursor, &owner(), &mut next), Ok(position.clone()));
            assert_eq!(next, list(7));
        }
    }
}
