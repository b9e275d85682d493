//! Scheduled backups, their retention and their permissions.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::contents::postgres;
use super::{Ended, copied, manifest, names, rewrite};
use crate::service::{Database, Service, eventually};

on_both_stores! {
    due_backups_are_made_and_the_newest_is_reported
    backups_are_readable_only_by_their_owner
    verified_backup_is_listed_as_verified
}

const HOUR: i64 = 3_600 * 1_000_000;
/// 2026-03-01T12:30:00Z, a Sunday.
const SUNDAY: i64 = 1_772_368_200 * 1_000_000;

async fn due_backups_are_made_and_the_newest_is_reported(database: Database) {
    let every = [("TASKHOLD__BACKUP__EVERY_MINUTES", "1")];
    let service = Service::start_with(&database, &every).await;
    let told = told_of(&service).await;
    let made = backups(&database);
    let [backup] = made.as_slice() else {
        panic!("one backup, and not {made:?}");
    };
    #[expect(clippy::cast_precision_loss, reason = "as a gauge has it")]
    let taken_at = manifest(backup).taken_at as f64 / 1e6;
    assert!((told - taken_at).abs() < 1e-3, "{told} and {taken_at}");
    assert!(service.stop().await.success());
    database.verify(backup).done();

    // The next backup is not due yet, and a service without a schedule reports the newest one, too.
    for every in [&every[..], &[]] {
        let service = Service::start_with(&database, every).await;
        let again = told_of(&service).await;
        assert!((told - again).abs() < 1e-3, "{told} and {again}");
        assert!(service.stop().await.success());
        assert_eq!(backups(&database), made);
    }

    rewrite(backup, |manifest| manifest.taken_at -= 61 * 1_000_000);
    let service = Service::start_with(&database, &every).await;
    eventually("another one is made", async || {
        assert!(!service.log().contains("ERROR"), "{}", service.log());
        (backups(&database).len() == 2).then_some(())
    })
    .await;
    eventually("it is told of", async || {
        (told_of(&service).await > told).then_some(())
    })
    .await;
}

/// Returns the time of the newest backup from the metrics.
async fn told_of(service: &Service) -> f64 {
    eventually("a backup is told of", async || {
        let metrics = service.text("/metrics").await;
        let name = "taskhold_backup_last_success_timestamp_seconds ";
        let line = metrics.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.parse().expect("a number"))
    })
    .await
}

/// Returns the finished backups.
fn backups(database: &Database) -> Vec<PathBuf> {
    let names = names(&database.backups()).into_iter();
    names
        .filter(|name| name.starts_with("taskhold-") && !name.ends_with(".partial"))
        .map(|name| database.backups().join(name))
        .collect()
}

async fn backups_are_readable_only_by_their_owner(database: Database) {
    let service = Service::start(&database).await;
    let backup = database.backup();
    database.verify(&backup).done();
    for folder in [&database.backups(), &backup] {
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
    let files = names(&backup);
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        assert_eq!(mode(&backup.join(&file)), 0o600, "{file}");
    }
    drop(service);
}

fn mode(path: &Path) -> u32 {
    let metadata = std::fs::metadata(path).expect("it is there");
    metadata.permissions().mode() & 0o777
}

async fn verified_backup_is_listed_as_verified(database: Database) {
    database.ended(&["migrate", "up"]).done();
    let backup = database.backup();
    let list = || database.ended(&["backup", "list"]).done();
    assert!(list().contains("verified: never"), "{}", list());
    let mut command = database.command(&["backup", "verify"]);
    let verifying = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let verifying = verifying.expect("it starts");
    let process = verifying.id();
    let said = Ended::of(&verifying.wait_with_output().expect("it ends")).done();
    assert!(said.contains("was restored and is what it says"), "{said}");
    assert!(list().contains("verified: 20"), "{}", list());

    // Verification leaves no database or file behind.
    assert_eq!(names(&database.backups()).len(), 2);
    assert!(names(&backup).contains(&"verified".to_owned()));
    if !database.is_sqlite() {
        let mut connection = postgres(&database.url).await;
        let left: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_database WHERE datname LIKE 'taskhold_verify_%_' || $1",
        )
        .bind(process.to_string())
        .fetch_one(&mut connection)
        .await
        .expect("an answer");
        assert_eq!(left, 0);
    }
}

#[tokio::test]
async fn prune_removes_old_backups_but_the_last_verified() {
    let database = Database::sqlite();
    database.ended(&["migrate", "up"]).done();
    let made = database.backup();
    let aged = |name: &str, age: i64| {
        let backup = copied(&made, name);
        rewrite(&backup, |manifest| manifest.taken_at = SUNDAY - age * HOUR);
        backup
    };
    for hours in 0..30 {
        aged(&format!("taskhold-{hours}-hours"), hours);
    }
    for days in 2..40 {
        aged(&format!("taskhold-{days}-days"), days * 24);
    }
    for days in [34, 36] {
        let verified = database
            .backups()
            .join(format!("taskhold-{days}-days/verified"));
        std::fs::write(verified, "2026-03-01T12:00:00.000000Z\n").expect("written");
    }
    let unreadable = aged("taskhold-unreadable", 9_000);
    std::fs::write(unreadable.join("manifest.json"), "{").expect("written");
    aged("holidays", 9_000);
    std::fs::remove_dir_all(&made).expect("removed");

    let mut expected: Vec<String> = (0..24)
        .map(|hours| format!("taskhold-{hours}-hours"))
        .collect();
    // Sunday and Saturday have a backup among the hourly ones; Friday to Tuesday follow as daily
    // and earlier Sundays as weekly ones.
    let days = [2, 3, 4, 5, 6, 7, 14, 21, 34];
    expected.extend(days.map(|days| format!("taskhold-{days}-days")));
    expected.extend([".lock", "holidays", "taskhold-unreadable"].map(str::to_owned));
    expected.sort();
    let said = database.ended(&["backup", "prune"]).done();
    assert_eq!(names(&database.backups()), expected);
    assert!(said.ends_with("35 backups removed\n"), "{said}");
    let said = database.ended(&["backup", "prune"]).done();
    assert_eq!(said, "0 backups removed\n");
}
