//! Findings about the SQLite file.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::{Report, migrate};
use crate::service::Database;

#[test]
fn readable_or_damaged_file_is_a_problem() {
    let database = Database::sqlite();
    migrate(&database);
    let file = database.folder.path().join("data/taskhold.db");
    fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("changed");
    Report::of(&database, &[])
        .assert_problems(&["file"])
        .assert_finding("file", "problem", "mode 640");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("changed");

    let rows: Vec<_> = (1..=200)
        .map(|id| json!({"id": id, "title": format!("task {id}"), "description": "x".repeat(200)}))
        .collect();
    let rows = database.file(Value::from(rows).to_string());
    assert_eq!(database.import(&rows, &[]).0, 0);
    let mut bytes = fs::read(&file).expect("the file");
    // The last page, because the first ones hold the schema.
    let last = bytes.len() - 4096;
    bytes[last..].fill(0x5a);
    fs::write(&file, &bytes).expect("written");
    let report = Report::of(&database, &[]);
    report.assert_finding("integrity", "problem", "damaged");
    assert_eq!(
        report.state("backup"),
        "warning",
        "the others are made all the same"
    );
    fs::write(&file, "no database at all, but long enough to be looked at").expect("written");
    Report::of(&database, &[])
        .assert_finding("store", "problem", "not a database")
        .assert_finding("integrity", "not_checked", "does not answer");
}

#[test]
fn unwritable_folder_is_a_problem() {
    let database = Database::sqlite();
    let in_the_way = database.folder.path().join("file");
    fs::write(&in_the_way, "").expect("written");
    let url = format!("sqlite://{}/data/taskhold.db", in_the_way.display());
    Report::of(&database, &[("DATABASE_URL", &url)]).assert_finding(
        "folder",
        "problem",
        "file is no folder",
    );
}
