//! Old names of settings.

use std::fs;

use super::{assert_refused, assert_refused_in, migrate};
use crate::service::{Database, SECRET, run};

/// Runs `taskhold token` for a token of two days. Returns whether it succeeds, and its messages.
fn token_for_two_days(database: &Database, variables: &[(&str, &str)]) -> (bool, String) {
    let arguments = ["token", "--user", "anna", "--minutes", "2880"];
    let variables = [&[("JWT_SECRET", SECRET)][..], variables].concat();
    let output = run(database.folder.path(), &variables, &arguments);
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    (output.status.success(), stderr)
}

#[test]
fn old_variable_of_a_renamed_setting_works_with_a_warning() {
    let database = Database::sqlite();
    migrate(&database);
    for (days, works) in [("1", false), ("2", true)] {
        let old = [("TASKHOLD__AUTH__LONGEST_TOKEN_DAYS", days)];
        let (succeeded, stderr) = token_for_two_days(&database, &old);
        assert_eq!(succeeded, works, "{stderr}");
        assert!(
            stderr.contains("TASKHOLD__AUTH__LONGEST_TOKEN_DAYS is the old name of TASKHOLD__AUTH__MAX_TOKEN_LIFETIME_DAYS"),
            "{stderr}"
        );
    }
    let old = [
        ("DATABASE_URL", "postgres://u@127.0.0.1:1/d"),
        ("TASKHOLD__DATABASE__PATIENCE_SECONDS", "1"),
    ];
    let output = run(database.folder.path(), &old, &["migrate", "status"]);
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(stderr.contains("did not answer for 1 s"), "{stderr}");
    let (succeeded, stderr) = token_for_two_days(&database, &[]);
    assert!(succeeded && !stderr.contains("old name"), "{stderr}");
}

#[test]
fn old_key_of_a_renamed_setting_works_with_a_warning() {
    let database = Database::sqlite();
    migrate(&database);
    let folder = database.folder.path().join("config");
    fs::create_dir(&folder).expect("a folder");
    let file = folder.join("test.toml");
    fs::write(&file, "[auth]\nlongest_token_days = 1").expect("written");
    let (succeeded, stderr) = token_for_two_days(&database, &[]);
    assert!(!succeeded, "{stderr}");
    assert!(
        stderr.contains("auth.longest_token_days is the old name of auth.max_token_lifetime_days"),
        "{stderr}"
    );
    // The environment overrides a file, whichever of the two names each uses.
    let new = [("TASKHOLD__AUTH__MAX_TOKEN_LIFETIME_DAYS", "2")];
    let (succeeded, stderr) = token_for_two_days(&database, &new);
    assert!(succeeded, "{stderr}");
}

#[test]
fn old_and_new_name_of_a_renamed_setting_are_refused_together() {
    assert_refused(
        &[
            ("TASKHOLD__DATABASE__PATIENCE_SECONDS", "1"),
            ("TASKHOLD__DATABASE__CONNECT_TIMEOUT_SECONDS", "2"),
        ],
        "TASKHOLD__DATABASE__PATIENCE_SECONDS is the old name of TASKHOLD__DATABASE__CONNECT_TIMEOUT_SECONDS, and both are set",
    );
    let database = Database::sqlite();
    fs::create_dir(database.folder.path().join("config")).expect("a folder");
    fs::write(
        database.folder.path().join("config/default.toml"),
        "[auth]\nlongest_token_days = 1\nmax_token_lifetime_days = 1",
    )
    .expect("written");
    assert_refused_in(
        &database,
        &[],
        "auth.longest_token_days is the old name of auth.max_token_lifetime_days, and both are set",
    );
}
