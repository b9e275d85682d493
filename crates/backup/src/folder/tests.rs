use tempfile::TempDir;

use super::*;
use crate::manifest::{FORMAT, StoreKind};

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

fn folder() -> (TempDir, BackupFolder) {
    let place = tempfile::tempdir().unwrap();
    let folder = BackupFolder::new(place.path().join("of/backups"));
    (place, folder)
}

/// Publishes a backup with these bytes as its rows.
fn publish(folder: &BackupFolder, micros: i64, rows: &str) -> Result<Backup, BackupError> {
    let lock = folder.lock()?;
    let partial = lock.begin(at(micros))?;
    let file = partial.file("rows");
    fs::write(&file, rows).unwrap();
    let (bytes, sha256) = digest(&file).unwrap();
    partial.publish(&Manifest {
        format: FORMAT,
        tool: "a test".to_owned(),
        store: StoreKind::Sqlite,
        taken_at: micros,
        taken_at_utc: at(micros).to_string(),
        migrations: vec![],
        file: "rows".to_owned(),
        bytes,
        sha256,
        tables: [].into(),
        left_out: vec![],
        schema: None,
        grants: vec![],
        origin: None,
    })
}

fn names(folder: &BackupFolder) -> Vec<String> {
    let (backups, errors) = folder.list().unwrap();
    assert!(errors.is_empty(), "{errors:?}");
    backups.iter().map(Backup::name).collect()
}

fn refusal<T>(done: Result<T, BackupError>) -> String {
    match done {
        Err(error @ (BackupError::Refused(_) | BackupError::Damaged { .. })) => error.to_string(),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("nothing was refused"),
    }
}

#[test]
fn missing_folder_is_empty() {
    let (_place, folder) = folder();
    assert_eq!(names(&folder), Vec::<String>::new());
    assert!(!folder.path().exists());
}

#[test]
fn list_is_sorted_oldest_first() {
    let (_place, folder) = folder();
    for seconds in [20, 3, 100] {
        publish(&folder, seconds * 1_000_000 + 7, "rows").unwrap();
    }
    let expected = [
        "taskhold-19700101T000003000007Z",
        "taskhold-19700101T000020000007Z",
        "taskhold-19700101T000140000007Z",
    ];
    assert_eq!(names(&folder), expected);
}

#[test]
fn list_ignores_other_names() {
    let (_place, folder) = folder();
    let backup = publish(&folder, 1, "rows").unwrap();
    for name in ["holidays", "taskhold-2.partial", ".verify-x"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    assert_eq!(names(&folder), [backup.name()]);
}

#[test]
fn list_reports_unreadable_backups_beside_the_others() {
    let (_place, folder) = folder();
    let backup = publish(&folder, 1, "rows").unwrap();
    fs::create_dir(folder.path().join("taskhold-empty")).unwrap();
    let (backups, errors) = folder.list().unwrap();
    assert_eq!(backups.len(), 1);
    assert_eq!(backups[0].path, backup.path);
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0]
            .to_string()
            .contains("taskhold-empty has no manifest.json"),
        "{errors:?}"
    );
}

#[test]
fn second_lock_is_refused() {
    let (_place, folder) = folder();
    let lock = folder.lock().unwrap();
    assert!(refusal(folder.lock()).starts_with("another backup is being made in "));
    drop(lock);
    folder.lock().unwrap();
}

#[test]
fn dropped_partial_backup_is_removed() {
    let (_place, folder) = folder();
    let lock = folder.lock().unwrap();
    let partial = lock.begin(at(1)).unwrap();
    fs::write(partial.file("rows"), "half").unwrap();
    drop(partial);
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, [LOCK]);
}

#[test]
fn next_backup_removes_partial_ones() {
    let (_place, folder) = folder();
    let killed = folder.path().join("taskhold-1.partial");
    let foreign = folder.path().join("film.partial");
    for path in [&killed, &foreign] {
        fs::create_dir_all(path).unwrap();
        fs::write(path.join("rows"), "half").unwrap();
    }
    publish(&folder, 1, "rows").unwrap();
    assert!(!killed.exists());
    assert!(foreign.exists());
}

#[test]
fn publish_never_overwrites_a_backup() {
    let (_place, folder) = folder();
    let first = publish(&folder, 1, "rows").unwrap();
    assert!(refusal(publish(&folder, 1, "others")).ends_with(" is there already"));
    first.check().unwrap();
    assert_eq!(names(&folder), [first.name()]);
}

#[test]
fn check_finds_changed_bytes() {
    let (_place, folder) = folder();
    let backup = publish(&folder, 1, "rows").unwrap();
    backup.check().unwrap();
    let rows = backup.rows();
    for (bytes, sentence) in [
        ("row", "has 3 bytes in rows instead of 4"),
        ("rows and more", "has 13 bytes in rows instead of 4"),
        ("rowt", "has other bytes in rows than it was made with"),
    ] {
        fs::write(&rows, bytes).unwrap();
        assert!(refusal(backup.check()).ends_with(sentence));
    }
    fs::remove_file(&rows).unwrap();
    assert!(refusal(backup.check()).ends_with("lacks the file rows"));
}

#[test]
fn mark_verified_keeps_the_last_time() {
    let (_place, folder) = folder();
    let backup = publish(&folder, 1, "rows").unwrap();
    assert_eq!(backup.verified, None);
    for (time, text) in [
        (5, "1970-01-01T00:00:00.000005Z"),
        (6, "1970-01-01T00:00:00.000006Z"),
    ] {
        backup.mark_verified(at(time)).unwrap();
        assert_eq!(
            Backup::open(&backup.path)
                .unwrap()
                .verified
                .unwrap()
                .to_string(),
            text
        );
    }
}

#[test]
fn removed_backup_is_not_listed() {
    let (_place, folder) = folder();
    let (first, second) = (
        publish(&folder, 1, "rows").unwrap(),
        publish(&folder, 2, "rows").unwrap(),
    );
    let lock = folder.lock().unwrap();
    first.remove(&lock).unwrap();
    assert_eq!(names(&folder), [second.name()]);
    assert!(!first.path.exists());
}
