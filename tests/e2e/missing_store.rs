//! Commands in the wrong folder or database.

use std::fs;

use crate::commands::text;
use crate::service::{Database, run};

/// Returns the paths of all files and folders beside the database.
fn names(database: &Database) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![database.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            names.push(path.display().to_string());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    names.sort();
    names
}

const READING: [&[&str]; 12] = [
    &["user", "list"],
    &["user", "activate", "anna"],
    &["user", "deactivate", "anna"],
    &["user", "delete", "anna", "--yes"],
    &["user", "set-password", "anna"],
    &["export", "--user", "anna"],
    &["export", "--user", "anna", "--output", "kept.json"],
    &["import", "--dry-run", "file.json"],
    &["token", "--user", "anna"],
    &["migrate", "status"],
    &["backup"],
    &["copy", "--to", "sqlite://copy.db"],
];

async fn command_on_a_missing_store_makes_nothing(database: Database) {
    fs::write(database.folder.path().join("kept.json"), "a backup").expect("written");
    database.file(r#"[{"id": 1, "title": "t"}]"#);
    let before = names(&database);
    for arguments in READING {
        let output = database.taskhold(arguments);
        let printed = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {printed}");
        assert!(printed.contains("DATABASE_URL"), "{arguments:?}: {printed}");
        assert!(
            printed.contains("`taskhold migrate up`"),
            "{arguments:?}: {printed}"
        );
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
        assert_eq!(names(&database), before, "{arguments:?}");
    }
    let kept = fs::read_to_string(database.folder.path().join("kept.json"));
    assert_eq!(kept.expect("the file"), "a backup");
    for arguments in [
        &["backup", "list"][..],
        &["backup", "prune"],
        &["backup", "verify"],
    ] {
        let output = database.taskhold(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        assert_eq!(names(&database), before, "{arguments:?}");
    }
    // An import may make the store.
    let output = database.taskhold(&["import", "file.json"]);
    assert!(output.status.success(), "{output:?}");
    assert!(
        text(&output.stdout).contains("default_user (a new user)"),
        "{output:?}"
    );
}

async fn reading_command_does_not_migrate(database: Database) {
    let file = database.file(r#"[{"id": 1, "title": "t", "user_id": "anna"}]"#);
    assert_eq!(database.import(&file, &[]).0, 0);
    let down = database.taskhold(&["migrate", "down", "--yes"]);
    assert!(down.status.success(), "{down:?}");
    for arguments in [
        &["user", "list"][..],
        &["export", "--user", "anna"],
        &["import", "--dry-run", &file],
        &["token", "--user", "anna"],
    ] {
        let output = database.taskhold(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        let printed = text(&output.stderr);
        assert!(
            printed.contains("run `taskhold migrate up`"),
            "{arguments:?}: {printed}"
        );
        let status = database.taskhold(&["migrate", "status"]);
        assert!(text(&status.stdout).contains("pending"), "{arguments:?}");
    }
    // A command that changes an existing store migrates it, and a backup holds it as it is.
    assert!(database.taskhold(&["backup"]).status.success());
    let status = database.taskhold(&["migrate", "status"]);
    assert!(text(&status.stdout).contains("pending"));
    let deactivate = ["user", "deactivate", "anna"];
    let by_hand = [
        ("DATABASE_URL", database.url.as_str()),
        ("TASKHOLD__DATABASE__AUTO_MIGRATE", "false"),
    ];
    let output = run(database.folder.path(), &by_hand, &deactivate);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("run `taskhold migrate up`"));
    let output = database.taskhold(&deactivate);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(text(&output.stdout).lines().count(), 1);
}

on_both_stores! {
    command_on_a_missing_store_makes_nothing
    reading_command_does_not_migrate
}

#[tokio::test]
async fn file_of_another_program_stays_as_it_is() {
    let database = Database::sqlite();
    database.execute("CREATE TABLE tasks (note TEXT)").await;
    let path = database.folder.path().join("data/taskhold.db");
    let before = fs::read(&path).expect("a file");
    fs::write(database.folder.path().join("file.json"), "[]").expect("written");
    for arguments in READING {
        let output = database.taskhold(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        assert!(
            text(&output.stderr).contains("no tables of Taskhold"),
            "{output:?}"
        );
        assert!(fs::read(&path).expect("a file") == before, "{arguments:?}");
        assert_eq!(names(&database).len(), 3, "{arguments:?}");
    }
}

#[test]
fn token_makes_no_secret() {
    let database = Database::sqlite();
    let file = database.file("[]");
    assert_eq!(database.import(&file, &[]).0, 0);
    let output = run(database.folder.path(), &[], &["token", "--user", "anna"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        text(&output.stderr).contains("start the service"),
        "{output:?}"
    );
    assert!(!database.folder.path().join("data/jwt-secret").exists());
}
