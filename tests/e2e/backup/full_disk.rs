//! A disk of backups that is full.

use serde_json::json;

use super::Ended;
use super::contents::add_tasks;
use crate::disk_full::FullDatabase;
use crate::service::{Database, Service};

on_both_stores! {
    a_backup_that_does_not_fit_is_told_and_leaves_nothing
}

/// A backup of them fits on the disk, but not beside the ballast.
const TASKS: u32 = 20_000;
const BALLAST: &str = "7900k";

async fn a_backup_that_does_not_fit_is_told_and_leaves_nothing(database: Database) {
    let full = FullDatabase::at(database, "backups");
    let database = &full.database;
    let taskhold = |arguments: &[&str]| {
        let inside = full.disk.inside(&database.command(arguments)).output();
        Ended::of(&inside.expect("it runs"))
    };
    let listed = |folder: &str| {
        let found = full.run("ls", &["-A", folder]);
        String::from_utf8(found.stdout).expect("UTF-8")
    };
    let sums = |folder: &str| {
        let found = full.run("sh", &["-c", "sha256sum \"$0\"/*", folder]);
        String::from_utf8(found.stdout).expect("UTF-8")
    };
    let service = Service::start(database).await;
    service
        .client("anna")
        .create(json!({"title": "small"}))
        .await;
    let said = taskhold(&["backup"]).done();
    let first = said.lines().next().expect("a path");
    let before = (listed("backups"), sums(first));
    add_tasks(database, TASKS).await;
    full.run("fallocate", &["--length", BALLAST, "backups/ballast"]);

    let ended = taskhold(&["backup"]);
    println!("{}", ended.err);
    let causes = ["No space left on device", "disk is full"];
    assert!(
        causes.iter().any(|words| ended.err.contains(words)),
        "{ended:?}"
    );
    ended.refused("no backup was made");
    full.run("rm", &["backups/ballast"]);
    assert_eq!((listed("backups"), sums(first)), before, "as it was");
    let list = taskhold(&["backup", "list"]).done();
    assert_eq!(list.lines().count(), 1, "{list}");

    taskhold(&["backup"]).done();
    taskhold(&["backup", "verify"]).done();
    let list = taskhold(&["backup", "list"]).done();
    assert_eq!(list.lines().count(), 2, "{list}");
    assert!(service.stop().await.success(), "it did not notice");
}
