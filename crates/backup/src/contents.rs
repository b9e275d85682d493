//! The contents of a store: for each table the number of rows and a digest of them. Both are equal for two
//! stores with the same rows, of whatever kind and in whatever order.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use taskhold_infrastructure::db::session::MaintenanceSession;

use crate::error::BackupError;
use crate::rows::{Row, Value, rows};
use crate::table::Table;

/// The contents of the tables of a store, by their names.
pub type Contents = BTreeMap<String, TableContents>;

/// The contents of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableContents {
    /// The number of its rows.
    pub rows: u64,
    /// The digest of all values in them, in hexadecimal digits.
    pub digest: String,
}

/// Computes the contents of a table from its rows, one by one.
///
/// Rows have no order that both kinds of store share, and sorting a million of them is slow: so the
/// digests of the rows are summed. Equal rows cannot cancel each other out, and there are none, since
/// each table has a key.
pub(crate) struct TableDigest {
    columns: String,
    rows: u64,
    sum: [u64; 4],
}

impl TableDigest {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            columns: table.column_list(),
            rows: 0,
            sum: [0; 4],
        }
    }

    pub(crate) fn add(&mut self, row: &Row) {
        let mut hash = Sha256::new();
        for value in row {
            match value {
                Value::Null => hash.update([0]),
                Value::Integer(number) => {
                    hash.update([1]);
                    hash.update(number.to_le_bytes());
                }
                Value::Text(text) => bytes(&mut hash, 2, text.as_bytes()),
                Value::Bytes(value) => bytes(&mut hash, 3, value),
            }
        }
        self.rows += 1;
        let digest: [u8; 32] = hash.finalize().into();
        for (sum, part) in self.sum.iter_mut().zip(digest.as_chunks::<8>().0) {
            *sum = sum.wrapping_add(u64::from_le_bytes(*part));
        }
    }

    pub(crate) fn contents(self) -> TableContents {
        let mut hash = Sha256::new();
        bytes(&mut hash, 2, self.columns.as_bytes());
        hash.update(self.rows.to_le_bytes());
        for part in self.sum {
            hash.update(part.to_le_bytes());
        }
        TableContents {
            rows: self.rows,
            digest: hex::encode(hash.finalize()),
        }
    }
}

/// Hashes bytes with their length, so that no two sequences of values hash the same bytes.
fn bytes(hash: &mut Sha256, tag: u8, bytes: &[u8]) {
    hash.update([tag]);
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

/// Reads the contents of those of these tables that the store has.
pub(crate) async fn contents(
    session: &mut MaintenanceSession,
    names: impl IntoIterator<Item = &'static str>,
) -> Result<Contents, BackupError> {
    let mut contents = Contents::new();
    for table in Table::of(session, names).await? {
        let mut digest = TableDigest::new(&table);
        let mut rows = rows(session, &table);
        while let Some(row) = rows
            .try_next()
            .await
            .map_err(BackupError::sql("read the store"))?
        {
            digest.add(&row);
        }
        contents.insert(table.name.to_owned(), digest.contents());
    }
    Ok(contents)
}

/// Describes the first difference between two stores; `None` if there is none.
pub(crate) fn difference(expected: &Contents, found: &Contents) -> Option<String> {
    for (name, expected) in expected {
        match found.get(name) {
            None => return Some(format!("the table {name} is missing")),
            Some(found) if found.rows != expected.rows => {
                return Some(format!(
                    "the number of rows in the table {name} is {} instead of {}",
                    found.rows, expected.rows
                ));
            }
            Some(found) if found != expected => {
                return Some(format!("rows of the table {name} differ"));
            }
            Some(_) => {}
        }
    }
    let surplus = found.keys().find(|name| !expected.contains_key(*name));
    surplus.map(|name| format!("there is a table {name}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::table::Column;

    fn table(columns: &[&str]) -> Table {
        let columns = columns.iter().map(|name| Column {
            name: (*name).to_owned(),
            kind: "text".to_owned(),
        });
        Table {
            name: "tasks",
            columns: columns.collect(),
        }
    }

    fn digest_of(rows: &[Row]) -> TableContents {
        let mut digest = TableDigest::new(&table(&["a", "b"]));
        for row in rows {
            digest.add(row);
        }
        digest.contents()
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn different_rows_have_different_digests() {
        let rows = [
            vec![],
            vec![vec![text("ab"), text("c")]],
            vec![vec![text("a"), text("bc")]],
            vec![vec![text("abc"), text("")]],
            vec![vec![text("abc"), Value::Null]],
            vec![vec![Value::Null, text("abc")]],
            vec![vec![text("abc"), Value::Bytes(vec![])]],
            vec![vec![Value::Bytes(b"ab".to_vec()), text("c")]],
            vec![vec![text("1"), text("0")]],
            vec![vec![Value::Integer(1), Value::Integer(0)]],
            vec![vec![Value::Integer(0), Value::Integer(1)]],
            vec![vec![Value::Integer(-1), Value::Integer(0)]],
            vec![vec![text("e\u{301}"), text("")]],
            vec![vec![text("\u{e9}"), text("")]],
            vec![vec![text("a"), text("b")], vec![text("c"), text("d")]],
            vec![vec![text("a"), text("d")], vec![text("c"), text("b")]],
            vec![vec![text("a"), text("b")], vec![text("a"), text("b")]],
        ];
        let mut digests: Vec<_> = rows.iter().map(|rows| digest_of(rows).digest).collect();
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), rows.len());
    }

    #[test]
    fn renamed_column_changes_the_digest() {
        let digest = |columns: &[&str]| TableDigest::new(&table(columns)).contents().digest;
        assert_ne!(digest(&["a", "b"]), digest(&["a", "c"]));
        assert_ne!(digest(&["a", "b"]), digest(&["ab"]));
    }

    proptest! {
        #[test]
        fn order_of_rows_does_not_matter(
            rows in prop::collection::vec(
                prop_oneof![any::<i64>().prop_map(Value::Integer), ".*".prop_map(Value::Text)]
                    .prop_map(|value| vec![value, Value::Null]),
                0..20,
            ),
            other in any::<i64>().prop_map(|number| vec![Value::Integer(number), text("other")]),
            place in any::<prop::sample::Index>(),
        ) {
            let found = digest_of(&rows);
            prop_assert_eq!(found.rows, rows.len() as u64);
            let mut turned = rows.clone();
            turned.reverse();
            prop_assert_eq!(&digest_of(&turned), &found);
            if !rows.is_empty() {
                turned[place.index(rows.len())] = other;
                prop_assert_ne!(digest_of(&turned), found);
            }
        }
    }

    fn contents(tables: &[(&str, u64, &str)]) -> Contents {
        let tables = tables.iter().map(|(name, rows, digest)| {
            let (name, digest) = ((*name).to_owned(), (*digest).to_owned());
            (
                name,
                TableContents {
                    rows: *rows,
                    digest,
                },
            )
        });
        tables.collect()
    }

    #[test]
    fn difference_names_the_first_table() {
        let expected = contents(&[("tasks", 2, "aa"), ("users", 1, "bb")]);
        for (found, sentence) in [
            (&[("tasks", 2, "aa"), ("users", 1, "bb")][..], None),
            (&[("tasks", 2, "aa")], Some("the table users is missing")),
            (
                &[("tasks", 3, "aa"), ("users", 1, "bb")],
                Some("the number of rows in the table tasks is 3 instead of 2"),
            ),
            (
                &[("tasks", 2, "aa"), ("users", 1, "cc")],
                Some("rows of the table users differ"),
            ),
            (
                &[("tasks", 2, "aa"), ("users", 1, "bb"), ("zoo", 0, "")],
                Some("there is a table zoo"),
            ),
        ] {
            assert_eq!(difference(&expected, &contents(found)).as_deref(), sentence);
        }
    }
}
