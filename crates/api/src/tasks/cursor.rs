//! Cursors: the position at which the next page of a list begins, as opaque text. A cursor is valid for
//! one list only: for one owner, order and filter.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use sha2::{Digest as _, Sha256};
use taskhold_application::tasks::{Key, Position, SortKey, TaskQuery};
use taskhold_domain::task::TaskId;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
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
        "The cursor is of another list: it goes with the sort, completed and q that it was given out for."
    )]
    AnotherList,
}

/// Returns the cursor of a position in the list that `query` selects.
pub(super) fn encode(owner: &UserId, query: &TaskQuery, position: &Position) -> String {
    let mut bytes = vec![VERSION];
    bytes.extend(fingerprint(owner, query));
    bytes.extend(position.id.as_uuid().as_bytes());
    match &position.key {
        Key::Instant(instant) => bytes.extend(instant.as_micros().to_be_bytes()),
        Key::Title(title) => bytes.extend(title.as_bytes()),
    }
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Returns the position that a cursor names.
pub(super) fn decode(
    cursor: &str,
    owner: &UserId,
    query: &TaskQuery,
) -> Result<Position, CursorError> {
    let bytes = BASE64_URL_SAFE_NO_PAD
        .decode(cursor)
        .map_err(|_| CursorError::Malformed)?;
    let parts = || {
        let ([version], rest) = bytes.split_first_chunk()?;
        let (fingerprint, rest) = rest.split_first_chunk::<FINGERPRINT_BYTES>()?;
        let (id, key) = rest.split_first_chunk::<16>()?;
        (*version == VERSION).then_some((fingerprint, id, key))
    };
    let (given, id, key) = parts().ok_or(CursorError::Malformed)?;
    if *given != fingerprint(owner, query) {
        return Err(CursorError::AnotherList);
    }
    let key = match query.sort.key {
        SortKey::CreatedAt | SortKey::UpdatedAt => instant(key),
        SortKey::Title => text(key),
    };
    Ok(Position {
        key: key.ok_or(CursorError::Malformed)?,
        id: TaskId::from_uuid(Uuid::from_bytes(*id)),
    })
}

fn instant(bytes: &[u8]) -> Option<Key> {
    let micros = i64::from_be_bytes(bytes.try_into().ok()?);
    Timestamp::from_micros(micros).ok().map(Key::Instant)
}

fn text(bytes: &[u8]) -> Option<Key> {
    let title = std::str::from_utf8(bytes).ok()?;
    // No stored title contains U+0000, and PostgreSQL rejects a comparison with it.
    (!title.contains('\0')).then(|| Key::Title(title.to_owned()))
}

/// Returns the fingerprint of a list: a digest of its owner, order and filter.
fn fingerprint(owner: &UserId, query: &TaskQuery) -> [u8; FINGERPRINT_BYTES] {
    let mut hash = Sha256::new();
    for part in [owner.as_str(), query.text.as_deref().unwrap_or_default()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let sort = match query.sort.key {
        SortKey::CreatedAt => 1,
        SortKey::UpdatedAt => 2,
        SortKey::Title => 3,
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
                (SortKey::Title, Key::Title(title)),
            ];
            for (sort, key) in positions {
                let (query, position) = (sorted(sort), Position { key, id });
                let cursor = encode(&owner(), &query, &position);
                prop_assert_eq!(decode(&cursor, &owner(), &query), Ok(position));
            }
        }

        #[test]
        fn arbitrary_text_is_rejected(text in any::<String>(), bytes in any::<Vec<u8>>()) {
            let encoded = BASE64_URL_SAFE_NO_PAD.encode(&bytes);
            for cursor in [text, encoded] {
                for key in [SortKey::CreatedAt, SortKey::Title] {
                    prop_assert!(decode(&cursor, &owner(), &sorted(key)).is_err());
                }
            }
        }

        #[test]
        fn arbitrary_key_is_never_of_another_list(key in any::<Vec<u8>>()) {
            for sort in [SortKey::UpdatedAt, SortKey::Title] {
                let mut bytes = vec![VERSION];
                bytes.extend(fingerprint(&owner(), &sorted(sort)));
                bytes.extend([7; 16]);
                bytes.extend(&key);
                let decoded = decode(&BASE64_URL_SAFE_NO_PAD.encode(bytes), &owner(), &sorted(sort));
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
        ];
        for other in other_lists {
            assert_eq!(
                decode(&cursor, &owner(), &other),
                Err(CursorError::AnotherList),
                "{other:?}"
            );
        }
        let bob = UserId::parse("bob").unwrap();
        assert_eq!(decode(&cursor, &bob, &query), Err(CursorError::AnotherList));
        let other_limit = TaskQuery {
            limit: Some(7),
            ..query
        };
        assert_eq!(decode(&cursor, &owner(), &other_limit), Ok(position));
    }
}
