//! The files of settings, and their owners.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};

use super::{assert_refused_in, migrate};
use crate::service::{Database, run};

#[test]
fn missing_config_folder_is_refused() {
    let database = Database::sqlite();
    let output = run(
        database.folder.path(),
        &[],
        &["serve", "--config", "nowhere"],
    );
    assert_eq!(output.status.code(), Some(78), "{output:?}");
}

#[test]
fn unknown_key_in_a_file_is_refused_by_name() {
    let database = Database::sqlite();
    fs::create_dir(database.folder.path().join("config")).expect("a folder");
    fs::write(
        database.folder.path().join("config/test.toml"),
        "[server]\nprot = 80",
    )
    .expect("written");
    assert_refused_in(&database, &[], "prot");
}

/// Whoever can write a file of settings could give the service another secret or another database.
#[test]
fn settings_file_that_others_can_write_is_refused() {
    let is_root = rustix::process::geteuid().is_root();
    for (name, text) in [
        (".env", "PORT=0"),
        ("config/default.toml", "[server]\nport = 0"),
        ("config/test.toml", "[server]\nport = 0"),
    ] {
        let database = Database::sqlite();
        migrate(&database);
        let folder = database.folder.path();
        let file = folder.join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs::write(&file, text).expect("written");
        let variables = [("DATABASE_URL", database.url.as_str())];
        let status = || {
            run(folder, &variables, &["migrate", "status"])
                .status
                .code()
        };
        for (mode, expected) in [(0o600, 0), (0o644, 0), (0o666, 78), (0o602, 78)] {
            fs::set_permissions(&file, Permissions::from_mode(mode)).expect("changed");
            assert_eq!(status(), Some(expected), "{name} {mode:o}");
        }
        assert_refused_in(&database, &variables, "others can write");
        fs::set_permissions(&file, Permissions::from_mode(0o664)).expect("changed");
        assert_eq!(status(), Some(0), "its group is ours: {name}");
        if is_root {
            chown(&file, None, Some(12_345)).expect("given away");
            assert_refused_in(&database, &variables, "others can write");
            fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("changed");
            chown(&file, Some(12_345), None).expect("given away");
            assert_refused_in(&database, &variables, "belongs to user 12345");
            let elsewhere = folder.join("elsewhere");
            fs::rename(&file, &elsewhere).expect("moved");
            chown(&elsewhere, Some(0), None).expect("taken back");
            symlink(&elsewhere, &file).expect("a link");
            assert_eq!(status(), Some(0), "our link to our file: {name}");
            lchown(&file, Some(12_345), None).expect("given away");
            assert_refused_in(&database, &variables, "belongs to user 12345");
        }
    }
}

#[test]
fn dotenv_in_a_folder_above_is_not_read() {
    let database = Database::sqlite();
    fs::write(
        database.folder.path().join(".env"),
        "TASKHOLD__NO__SUCH=1\n",
    )
    .expect("written");
    assert_refused_in(&database, &[], "TASKHOLD__NO__SUCH");
    let below = database.folder.path().join("below");
    fs::create_dir(&below).expect("a folder");
    let variables = [("DATABASE_URL", database.url.as_str())];
    let output = run(&below, &variables, &["migrate", "up"]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn dotenv_is_named_in_the_log_in_production() {
    let database = Database::sqlite();
    let file = database.folder.path().join(".env");
    fs::write(&file, "TASKHOLD_PROFILE=production\n").expect("written");
    let command = |profile: &str| {
        let variables = [
            ("DATABASE_URL", database.url.as_str()),
            ("TASKHOLD_PROFILE", profile),
        ];
        let output = run(database.folder.path(), &variables, &["migrate", "status"]);
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    let path = file.display().to_string();
    assert!(command("production").contains(&path));
    assert!(!command("development").contains(&path));
}
