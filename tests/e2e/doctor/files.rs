//! Findings about the SQLite file.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use sqlx::{Connection as _, SqliteConnection};

use super::{Report, migrate};
use crate::service::Database;

/// The size of SQLite's pages, in bytes.
const PAGE: usize = 4096;

#[tokio::test]
async fn readable_or_damaged_file_is_a_problem() {
    let database = Database::sqlite();
    migrate(&database);
    let file = database.folder.path().join("data/taskhold.db");
    fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("changed");
    Report::of(&database, &[])
        .assert_problems(&["file"])
        .assert_finding("file", "problem", "mode 640");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("changed");

    let mut connection = SqliteConnection::connect(&database.url)
        .await
        .expect("open");
    let root: u32 = sqlx::query_scalar("SELECT max(rootpage) FROM sqlite_master")
        .fetch_one(&mut connection)
        .await
        .expect("a page");
    connection.close().await.expect("closed");
    let mut bytes = fs::read(&file).expect("the file");
    // A page of an index: without the schema, the file would not be a database.
    let end = root as usize * PAGE;
    bytes[end - PAGE..end].fill(0x5a);
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
