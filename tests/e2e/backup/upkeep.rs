//! Scheduled backups, their retention and their permissions.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::contents::postgres;
use super::{CommandOutcome, copy_backup, manifest, names, rewrite};
use crate::service::{Database, Service, eventually};

on_both_stores! {
    due_backups_are_made_and_the_newest_is_reported
    backups_are_readable_only_by_their_owner
    verified_backup_is_listed_as_verified
    only_backups_of_the_served_store_count
}

const HOUR: i64 = 3_600 * 1_000_000;
/// 2026-03-01T12:30:00Z, a Sunday.
const SUNDAY: i64 = 1_772_368_200 * 1_000_000;

async fn due_backups_are_made_and_the_newest_is_reported(database: Database) {
    let every = [("TASKHOLD__BACKUP__EVERY_MINUTES", "1")];
    let service = Service::start_with(&database, &every).await;
    let reported = newest_backup_time(&service).await;
    let metrics = service.text("/metrics").await;
    assert!(
        !metrics.contains("last_verification_timestamp"),
        "{metrics}"
    );
    let backups_before = backups(&database);
    let [backup] = backups_before.as_slice() else {
        panic!("one backup, and not {backups_before:?}");
    };
    #[expect(clippy::cast_precision_loss, reason = "as a gauge has it")]
    let taken_at = manifest(backup).taken_at as f64 / 1e6;
    assert!(
        (reported - taken_at).abs() < 1e-3,
        "{reported} and {taken_at}"
    );
    assert!(service.stop().await.success());
    database.verify(backup).assert_success();

    // The next backup is not due yet, and a service without a schedule reports the newest one, too.
    for every in [&every[..], &[]] {
        let service = Service::start_with(&database, every).await;
        let again = newest_backup_time(&service).await;
        assert!((reported - again).abs() < 1e-3, "{reported} and {again}");
        let verified = backup_metric(&service, "verification").await;
        assert!(verified > again, "{verified} and {again}");
        assert!(service.stop().await.success());
        assert_eq!(backups(&database), backups_before);
    }

    rewrite(backup, |manifest| manifest.taken_at -= 61 * 1_000_000);
    let service = Service::start_with(&database, &every).await;
    eventually("another one is made", async || {
        assert!(!service.log().contains("ERROR"), "{}", service.log());
        (backups(&database).len() == 2).then_some(())
    })
    .await;
    eventually("it is told of", async || {
        (newest_backup_time(&service).await > reported).then_some(())
    })
    .await;
}

/// Returns the time of the newest backup from the metrics.
async fn newest_backup_time(service: &Service) -> f64 {
    backup_metric(service, "success").await
}

/// Returns the time of the last success or verification from the metrics.
async fn backup_metric(service: &Service, of: &str) -> f64 {
    eventually("a backup is told of", async || {
        let metrics = service.text("/metrics").await;
        let name = format!("taskhold_backup_last_{of}_timestamp_seconds ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name))?;
        Some(line.parse().expect("a number"))
    })
    .await
}

/// The folder has backups of another kind of store, and of another store of the same kind.
async fn only_backups_of_the_served_store_count(database: Database) {
    let of_other_kind = database.of_other_kind().await;
    let of_same_kind = database.another().await;
    database.run_command(&["migrate", "up"]).assert_success();
    let folder = database.backups();
    let folder = folder.to_str().expect("UTF-8");
    for other in [&of_other_kind, &of_same_kind] {
        other.run_command(&["migrate", "up"]).assert_success();
        let made = other.run_command(&["backup", "--output", folder]);
        made.assert_success();
        let verify = other.run_command(&["backup", "verify", folder]);
        let verified = verify.assert_success();
        assert!(verified.contains("is what it says"), "{verified}");
    }
    let doctor = |state: &str, text: &str| {
        let report = database.run_command(&["doctor"]).stdout;
        let line = report.lines().find(|line| line.contains(" backup  "));
        let line = line.expect("a finding");
        assert!(line.starts_with(state) && line.contains(text), "{report}");
        report
    };
    doctor("warning", "of this store; 2 are of others");
    let refused = database.run_command(&["backup", "verify"]);
    refused.assert_refused("none of the 2 backups in backups is of the store");

    let every = [("TASKHOLD__BACKUP__EVERY_MINUTES", "60")];
    let service = Service::start_with(&database, &every).await;
    eventually("one of its own is made", async || {
        (backups(&database).len() == 3).then_some(())
    })
    .await;
    newest_backup_time(&service).await;
    let metrics = service.text("/metrics").await;
    assert!(
        !metrics.contains("last_verification_timestamp"),
        "{metrics}"
    );
    assert!(service.stop().await.success());
    let report = doctor("ok", "the newest is of");
    assert!(report.contains("no backup was ever verified"), "{report}");

    // A newer backup of another store displaces none of this one, and is not verified in its place.
    let made = of_same_kind.run_command(&["backup", "--output", folder]);
    made.assert_success();
    database.run_command(&["backup", "prune"]).assert_success();
    // The older one of the same store and hour is gone, unless its hour had begun before.
    assert!(backups(&database).len() >= 3, "{:?}", backups(&database));
    database.run_command(&["backup", "verify"]).assert_success();
    let place = if database.is_sqlite() {
        database.folder.path().to_str().expect("UTF-8")
    } else {
        database.name()
    };
    let own: Vec<_> = backups(&database)
        .into_iter()
        .filter(|backup| {
            manifest(backup)
                .origin
                .is_some_and(|origin| origin.starts_with(place))
        })
        .collect();
    assert!(
        own.iter().any(|backup| backup.join("verified").exists()),
        "{own:?}"
    );

    // A restore keeps the identity, so that the backups from before still count.
    let newest = own.last().expect("a backup");
    database.restore_over(newest).assert_success();
    let report = doctor("ok", "the newest is of");
    assert!(report.contains("was restored and compared"), "{report}");
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
    database.verify(&backup).assert_success();
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
    database.run_command(&["migrate", "up"]).assert_success();
    let backup = database.backup();
    let list = || database.run_command(&["backup", "list"]).assert_success();
    assert!(list().contains("verified: never"), "{}", list());
    let mut command = database.command(&["backup", "verify"]);
    let verifying = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let verifying = verifying.expect("it starts");
    let process = verifying.id();
    let printed =
        CommandOutcome::of(&verifying.wait_with_output().expect("it ends")).assert_success();
    assert!(
        printed.contains("was restored and is what it says"),
        "{printed}"
    );
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
    database.run_command(&["migrate", "up"]).assert_success();
    let original = database.backup();
    let age_backup = |name: &str, age: i64| {
        let backup = copy_backup(&original, name);
        rewrite(&backup, |manifest| manifest.taken_at = SUNDAY - age * HOUR);
        backup
    };
    for hours in 0..30 {
        age_backup(&format!("taskhold-{hours}-hours"), hours);
    }
    for days in 2..40 {
        age_backup(&format!("taskhold-{days}-days"), days * 24);
    }
    for days in [34, 36] {
        let verified = database
            .backups()
            .join(format!("taskhold-{days}-days/verified"));
        std::fs::write(verified, "2026-03-01T12:00:00.000000Z\n").expect("written");
    }
    let unreadable = age_backup("taskhold-unreadable", 9_000);
    std::fs::write(unreadable.join("manifest.json"), "{").expect("written");
    age_backup("holidays", 9_000);
    std::fs::remove_dir_all(&original).expect("removed");

    let mut expected: Vec<String> = (0..24)
        .map(|hours| format!("taskhold-{hours}-hours"))
        .collect();
    // Sunday and Saturday have a backup among the hourly ones; Friday to Tuesday follow as daily
    // and earlier Sundays as weekly ones.
    let days = [2, 3, 4, 5, 6, 7, 14, 21, 34];
    expected.extend(days.map(|days| format!("taskhold-{days}-days")));
    expected.extend([".lock", "holidays", "taskhold-unreadable"].map(str::to_owned));
    expected.sort();
    let printed = database.run_command(&["backup", "prune"]).assert_success();
    assert_eq!(names(&database.backups()), expected);
    assert!(printed.ends_with("35 backups removed\n"), "{printed}");
    let printed = database.run_command(&["backup", "prune"]).assert_success();
    assert_eq!(printed, "0 backups removed\n");
}
