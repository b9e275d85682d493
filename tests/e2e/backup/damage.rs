//! Damaged and incompatible backups are detected before anything changes.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::contents::{contents, is_empty};
use super::{copy_backup, files, manifest, rewrite};
use crate::service::{Database, Service};

on_both_stores! {
    damaged_backup_is_refused_and_the_store_unchanged
    backup_of_the_other_database_kind_is_refused
}

/// A way to damage a backup, and the expected message.
struct Damage {
    name: &'static str,
    make: fn(backup: &Path, other: &Path),
    sentence: &'static str,
}

const DAMAGES: [Damage; 11] = [
    Damage {
        name: "a-byte-of-the-rows",
        make: |backup, _| {
            change(&rows(backup), |bytes| {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            });
        },
        sentence: "has other bytes in store.",
    },
    Damage {
        name: "rows-cut-short",
        make: |backup, _| change(&rows(backup), |bytes| bytes.truncate(bytes.len() - 1)),
        sentence: " instead of ",
    },
    Damage {
        name: "no-rows",
        make: |backup, _| fs::remove_file(rows(backup)).expect("removed"),
        sentence: "lacks the file store.",
    },
    Damage {
        name: "a-digit-of-the-manifest",
        make: |backup, _| {
            change(&backup.join("manifest.json"), |bytes| {
                let text = String::from_utf8(bytes.clone()).expect("text");
                *bytes = text.replacen("\"rows\": 1", "\"rows\": 2", 1).into_bytes();
            });
        },
        sentence: "has a manifest that was changed",
    },
    Damage {
        name: "manifest-cut-short",
        make: |backup, _| {
            change(&backup.join("manifest.json"), |bytes| {
                bytes.truncate(bytes.len() / 2);
            });
        },
        sentence: "has a manifest that cannot be read",
    },
    Damage {
        name: "no-manifest",
        make: |backup, _| fs::remove_file(backup.join("manifest.json")).expect("removed"),
        sentence: "has no manifest.json",
    },
    Damage {
        name: "manifest-of-another",
        make: |backup, other| {
            let theirs = other.join("manifest.json");
            fs::copy(theirs, backup.join("manifest.json")).expect("copied");
        },
        sentence: " bytes in store.",
    },
    // These damages require a valid seal.
    Damage {
        name: "counts-of-another",
        make: |backup, other| {
            let theirs = manifest(other).tables;
            rewrite(backup, |manifest| manifest.tables = theirs);
        },
        sentence: "is not what it says: the number of rows in the table changes is 1 instead of 2",
    },
    Damage {
        name: "no-rows-at-all",
        make: |backup, _| {
            fs::write(rows(backup), "").expect("written");
            rewrite(backup, |manifest| {
                manifest.bytes = 0;
                let of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
                of_nothing.clone_into(&mut manifest.sha256);
            });
        },
        sentence: "",
    },
    Damage {
        name: "newer-schema",
        make: |backup, _| {
            rewrite(backup, |manifest| {
                manifest
                    .migrations
                    .push("m20991231_000001_flying".to_owned());
            });
        },
        sentence: "this one does not know the migration m20991231_000001_flying",
    },
    Damage {
        name: "newer-format",
        make: |backup, _| rewrite(backup, |manifest| manifest.format = 2),
        sentence: "has the format 2; this program reads 1",
    },
];

fn rows(backup: &Path) -> PathBuf {
    let names = ["store.sqlite", "store.dump"];
    let mut files = names.map(|name| backup.join(name)).into_iter();
    files.find(|file| file.exists()).expect("the rows")
}

fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).expect("a file");
    let before = bytes.clone();
    change(&mut bytes);
    assert!(bytes != before, "{}", file.display());
    fs::write(file, bytes).expect("written");
}

async fn damaged_backup_is_refused_and_the_store_unchanged(database: Database) {
    let service = Service::start(&database).await;
    let client = service.client("anna");
    client.create(json!({"title": "before"})).await;
    let backup = database.backup();
    client.create(json!({"title": "after"})).await;
    let other = database.backup();
    assert!(service.stop().await.success());
    let before = contents(&database).await;
    let empty = database.another().await;
    for damage in DAMAGES {
        let damaged = copy_backup(&backup, damage.name);
        (damage.make)(&damaged, &other);
        let found = files(&damaged);
        println!("{}", damage.name);
        let outcome = empty.restore(&damaged);
        println!("{}", outcome.stderr);
        outcome.assert_refused(damage.sentence);
        assert!(is_empty(&contents(&empty).await), "{}", damage.name);
        database
            .restore_over(&damaged)
            .assert_refused(damage.sentence);
        assert!(contents(&database).await == before, "{}", damage.name);
        database.verify(&damaged).assert_refused(damage.sentence);
        assert!(files(&damaged) == found, "{} is untouched", damage.name);
        fs::remove_dir_all(&damaged).expect("removed");
    }
    let foreign = database.folder.path().join("holidays");
    fs::create_dir(&foreign).expect("a folder");
    fs::write(foreign.join("beach.jpg"), "a beach").expect("written");
    empty
        .restore(&foreign)
        .assert_refused("no backup can be taken from");
    empty
        .restore(&foreign.join("nowhere"))
        .assert_refused("no backup can be taken from");
    assert!(is_empty(&contents(&empty).await));

    // The newest folder is not a valid backup, which the command reports.
    let newest = copy_backup(&backup, "taskhold-99990101T000000000000Z");
    fs::write(newest.join("manifest.json"), "{").expect("written");
    let outcome = database.run_command(&["backup", "verify"]);
    assert!(
        outcome
            .stderr
            .starts_with("passed over: the backup backups/taskhold-9999"),
        "{outcome:?}"
    );
    let name = other.file_name().expect("a name").to_str().expect("UTF-8");
    assert!(
        outcome.assert_success().starts_with(name),
        "the one before it"
    );

    // The undamaged backups and the store are still usable.
    database.verify(&backup).assert_success();
    empty.restore(&backup).assert_success();
    database.restore_over(&other).assert_success();
    let service = Service::start(&database).await;
    assert_eq!(service.client("anna").tasks().await.len(), 2);
}

async fn backup_of_the_other_database_kind_is_refused(database: Database) {
    database.run_command(&["migrate", "up"]).assert_success();
    let backup = database.backup();
    let other = database.of_other_kind().await;
    other
        .restore(&backup)
        .assert_refused("restore it into one of its own kind, and `taskhold copy` that");
    assert!(is_empty(&contents(&other).await));
}
