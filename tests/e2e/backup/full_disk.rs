//! Backups onto a full disk.

use serde_json::json;

use super::CommandOutcome;
use super::contents::add_tasks;
use crate::disk_full::FullDatabase;
use crate::service::{Database, Service};

on_both_stores! {
    backup_on_a_full_disk_fails_and_leaves_nothing
}

/// The backup of these tasks fits on the disk, but not beside the ballast.
const TASKS: u32 = 20_000;
const BALLAST: &str = "7900k";

async fn backup_on_a_full_disk_fails_and_leaves_nothing(database: Database) {
    let full = FullDatabase::at(database, "backups");
    let database = &full.database;
    let taskhold = |arguments: &[&str]| {
        let inside = full.disk.inside(&database.command(arguments)).output();
        CommandOutcome::of(&inside.expect("it runs"))
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
    let printed = taskhold(&["backup"]).assert_success();
    let first = printed.lines().next().expect("a path");
    let before = (listed("backups"), sums(first));
    add_tasks(database, TASKS).await;
    full.run("fallocate", &["--length", BALLAST, "backups/ballast"]);

    let outcome = taskhold(&["backup"]);
    println!("{}", outcome.stderr);
    let causes = ["No space left on device", "disk is full"];
    assert!(
        causes.iter().any(|words| outcome.stderr.contains(words)),
        "{outcome:?}"
    );
    outcome.assert_refused("no backup was made");
    full.run("rm", &["backups/ballast"]);
    assert_eq!((listed("backups"), sums(first)), before, "as it was");
    let list = taskhold(&["backup", "list"]).assert_success();
    assert_eq!(list.lines().count(), 1, "{list}");

    taskhold(&["backup"]).assert_success();
    taskhold(&["backup", "verify"]).assert_success();
    let list = taskhold(&["backup", "list"]).assert_success();
    assert_eq!(list.lines().count(), 2, "{list}");
    assert!(service.stop().await.success(), "it did not notice");
}
