//! SQLite files that have several names, or are mounted alone as containers do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;

use crate::service::{Database, SECRET, Service, copy_environment, run, taskhold};

/// Returns the command in a mount namespace in which this shell script has run before it.
fn with_mounts(script: &str, command: &Command) -> Command {
    let mut inside = Command::new("unshare");
    if !is_root() {
        inside.args(["--user", "--map-root-user"]);
    }
    inside
        .args([
            "--mount",
            "sh",
            "-c",
            &format!("{script} && exec \"$@\""),
            "sh",
        ])
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        inside.current_dir(folder);
    }
    copy_environment(command, &mut inside);
    inside
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").expect("Linux")) == 0
}

fn serve(database: &Database, path: &Path) -> Command {
    let url = format!("sqlite://{}", path.display());
    let variables = [
        ("DATABASE_URL", url.as_str()),
        ("JWT_SECRET", SECRET),
        ("TASKHOLD__SERVER__PORT", "0"),
    ];
    taskhold(database.folder.path(), &variables, &["serve"])
}

fn migrated() -> (Database, PathBuf) {
    let database = Database::sqlite();
    let variables = [("DATABASE_URL", database.url.as_str())];
    let output = run(database.folder.path(), &variables, &["migrate", "up"]);
    assert!(output.status.success(), "{output:?}");
    let path = database.folder.path().join("data/taskhold.db");
    (database, path)
}

#[track_caller]
fn assert_refused(output: &Output, status: i32, sentence: &str) {
    let printed = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{printed}");
    assert!(printed.contains(sentence), "{printed}");
}

#[test]
fn file_that_is_mounted_alone_is_refused() {
    let (database, path) = migrated();
    let folder = database.folder.path().join("container");
    fs::create_dir(&folder).expect("a folder");
    let inside = folder.join("taskhold.db");
    fs::write(&inside, "").expect("a mount point");
    let bind = format!("mount --bind '{}' '{}'", path.display(), inside.display());
    let link = database.folder.path().join("link.db");
    std::os::unix::fs::symlink(&inside, &link).expect("a link");
    for path in [&inside, &link] {
        let refused = with_mounts(&bind, &serve(&database, path)).output();
        assert_refused(&refused.expect("it ends"), 78, "mount its folder instead");
    }
    let url = format!("sqlite://{}", inside.display());
    let variables = [("DATABASE_URL", url.as_str()), ("JWT_SECRET", SECRET)];
    for (arguments, status) in [
        (&["migrate", "up"][..], 78),
        (&["user", "list"], 78),
        (&["backup"], 78),
        (&["doctor"], 1),
    ] {
        let command = taskhold(database.folder.path(), &variables, arguments);
        let output = with_mounts(&bind, &command).output().expect("it ends");
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed);
        assert_eq!(
            output.status.code(),
            Some(status),
            "{arguments:?}: {printed}"
        );
        assert!(printed.contains("mounted alone"), "{printed}");
    }
    assert_eq!(
        fs::read_dir(&folder).expect("a folder").count(),
        1,
        "nothing else was made"
    );

    // The log of new writes alone elsewhere is as bad.
    let log = path.with_file_name("taskhold.db-wal");
    fs::write(&log, "").expect("a mount point");
    let bind = format!("mount --bind '{}' '{}'", inside.display(), log.display());
    let refused = with_mounts(&bind, &serve(&database, &path)).output();
    assert_refused(
        &refused.expect("it ends"),
        78,
        "taskhold.db-wal is mounted alone",
    );
}

#[tokio::test]
async fn mounted_folder_is_served_once() {
    let (database, path) = migrated();
    let folder = database.folder.path().join("container");
    fs::create_dir(&folder).expect("a folder");
    let data = path.parent().expect("a folder");
    let bind = format!("mount --bind '{}' '{}'", data.display(), folder.display());
    let inside = serve(&database, &folder.join("taskhold.db"));
    let service = Service::spawn(with_mounts(&bind, &inside))
        .wait_until_listening()
        .await;
    service
        .client("alice")
        .create(json!({"title": "kept"}))
        .await;
    let second = serve(&database, &path).output().expect("it ends");
    assert_refused(&second, 1, "another process serves");
    service.kill();
    let service = Service::spawn(serve(&database, &path))
        .wait_until_listening()
        .await;
    assert_eq!(service.client("alice").tasks().await.len(), 1);
}

#[tokio::test]
async fn file_with_two_names_is_served_once() {
    let (database, path) = migrated();
    let other = database.folder.path().join("other.db");
    fs::hard_link(&path, &other).expect("a link");
    let service = Service::spawn(serve(&database, &path))
        .wait_until_listening()
        .await;
    let alice = service.client("alice");
    alice.create(json!({"title": "one"})).await;
    let url = format!("sqlite://{}", other.display());
    for arguments in [
        &["serve"][..],
        &["migrate", "fresh", "--yes"],
        &["migrate", "down", "--yes"],
    ] {
        let variables = [("DATABASE_URL", url.as_str()), ("JWT_SECRET", SECRET)];
        let output = run(database.folder.path(), &variables, arguments);
        assert_refused(&output, 1, "another process serves");
    }
    let file = database.file("[]");
    for arguments in [
        &["user", "list"][..],
        &["user", "deactivate", "alice"],
        &["export", "--user", "alice"],
        &["import", &file],
        &["import", "--dry-run", &file],
        &["migrate", "up"],
        &["migrate", "status"],
        &["backup"],
    ] {
        let output = run(database.folder.path(), &[("DATABASE_URL", &url)], arguments);
        assert_refused(&output, 1, "is served under another name");
    }
    assert!(!other.with_file_name("other.db-wal").exists());
    let doctor = run(
        database.folder.path(),
        &[("DATABASE_URL", &url)],
        &["doctor"],
    );
    let printed = String::from_utf8_lossy(&doctor.stdout);
    assert!(printed.contains("has 2 names (hard links)"), "{printed}");
    // SQLite's own locks still hold: commands write beside the service.
    database.import(
        &database.file(r#"[{"id": 1, "title": "two", "user_id": "alice"}]"#),
        &[],
    );
    assert_eq!(alice.tasks().await.len(), 2);
    service.kill();
    let service = Service::spawn(serve(&database, &path))
        .wait_until_listening()
        .await;
    assert_eq!(service.client("alice").tasks().await.len(), 2);
}
