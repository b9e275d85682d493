//! Pages in the order by hand.
//!
//! Most tasks were never moved: the latest of them comes first, in the order of an index. Those that were moved have an
//! index of their own. So a statement reads the next tasks of both kinds, and merges them.

use sea_orm::{DbBackend, Statement};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::tasks::{Key, Position, SortKey, Start, TaskQuery};

use super::logged::read_columns;
use crate::entities::task::{CREATIONS, position};

/// Returns the statement that reads a page, and one row more if there is one; `None` if the query asks for another list.
pub(super) fn select(
    backend: DbBackend,
    owner: &UserId,
    query: &TaskQuery,
) -> Result<Option<Statement>, StoreError> {
    let (SortKey::Position, Some(limit), false) =
        (query.sort.key, query.limit, query.is_filtered())
    else {
        return Ok(None);
    };
    let (order, reverse, is_after, reaches) = if query.sort.descending {
        ("DESC", "ASC", "<", ">=")
    } else {
        ("ASC", "DESC", ">", "<=")
    };
    let key = position("tasks");
    let mut values = vec![owner.as_str().into()];
    let (mut later, mut beyond) = (String::new(), String::new());
    match &query.start {
        Start::First => {}
        Start::Offset(_) => return Ok(None),
        Start::After(Position {
            key: Key::Position(place),
            id,
        }) => {
            let place = place.as_str();
            // So that the index is read from the place on. The comparison of the keys decides about the bound itself.
            let bound = first_creation(place);
            values.extend([place.into(), id.as_uuid().into(), bound.into()]);
            later = format!(
                " AND tasks.created_at {reaches} $4 AND ({key}, tasks.id) {is_after} ($2, $3)"
            );
            beyond = format!(" AND (tasks.moved_to, tasks.id) {is_after} ($2, $3)");
        }
        Start::After(_) => return Err(StoreError::Defect("a position of another order".into())),
    }
    let (columns, rows) = (read_columns("tasks"), u64::from(limit) + 1);
    let never = format!(
        "SELECT {columns}, {key} AS place FROM tasks WHERE tasks.user_id = $1 AND tasks.moved_to IS NULL{later} \
         ORDER BY tasks.created_at {reverse}, tasks.id {order} LIMIT {rows}"
    );
    let moved = format!(
        "SELECT {columns}, tasks.moved_to AS place FROM tasks WHERE tasks.user_id = $1 \
         AND tasks.moved_to IS NOT NULL{beyond} ORDER BY tasks.moved_to {order}, tasks.id {order} LIMIT {rows}"
    );
    let sql = format!(
        "SELECT * FROM (SELECT * FROM ({never}) AS never UNION ALL SELECT * FROM ({moved}) AS moved) AS merged \
         ORDER BY place {order}, id {order} LIMIT {rows}"
    );
    Ok(Some(Statement::from_sql_and_values(backend, sql, values)))
}

/// Returns the first time whose creations have a position of at most `place`. Later creations have lesser ones.
fn first_creation(place: &str) -> i64 {
    /// The greatest position of the form that creations have. Each 9 stands for a digit.
    const FORM: &[u8] = b"099999999099999999699";
    let mut chars = place.bytes();
    // The common digits, and the count of numbers that begin with them.
    let (mut digits, mut count) = (0, 1_000_000_000_000_000_000);
    let mut are_all_reached = true;
    for slot in FORM {
        match (chars.next(), slot) {
            (Some(digit @ b'0'..=b'9'), b'9') => {
                digits = digits * 10 + i64::from(digit - b'0');
                count /= 10;
            }
            (Some(char), slot) if char == *slot => {}
            (char, slot) => {
                are_all_reached = char > Some(*slot);
                break;
            }
        }
    }
    let greatest = (digits + i64::from(are_all_reached)) * count - 1;
    let (first, last) = (Timestamp::FIRST.as_micros(), Timestamp::LAST.as_micros());
    (CREATIONS - greatest).clamp(first, last + 1)
}

#[cfg(test)]
mod tests {
    use taskhold_domain::task;

    use super::*;

    fn position(micros: i64) -> String {
        let time = Timestamp::from_micros(micros).unwrap();
        task::Position::of_creation(time).as_str().to_owned()
    }

    #[test]
    fn times_are_found_by_the_positions_of_creations() {
        for micros in [
            Timestamp::FIRST.as_micros(),
            -1,
            0,
            1_767_346_202_323_456,
            Timestamp::LAST.as_micros(),
        ] {
            assert_eq!(first_creation(&position(micros)), micros);
        }
        assert_eq!(first_creation("V"), Timestamp::FIRST.as_micros());
        assert_eq!(first_creation("0"), Timestamp::LAST.as_micros() + 1);
    }

    #[test]
    fn any_place_is_between_two_creations() {
        let created = position(1_767_346_202_323_456);
        for length in 3..created.len() {
            for char in "059AVaz".chars() {
                let place = format!("{}{char}", &created[..length]);
                for place in [
                    place.clone(),
                    format!("{place}z"),
                    format!("{place}000000000000"),
                ] {
                    let first = first_creation(&place);
                    assert!(position(first) <= place, "{place}");
                    assert!(position(first - 1) > place, "{place}");
                }
            }
        }
    }
}
