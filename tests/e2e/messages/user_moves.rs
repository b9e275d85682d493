//! `taskhold copy --user`.

use super::assert_says;
use crate::backup::contents::add_tasks;
use crate::service::{Database, run};

fn moves(source: &Database, to: &str, arguments: &[&str]) -> std::process::Output {
    let variables = [
        ("DATABASE_URL", source.url.as_str()),
        ("TO_DATABASE_URL", to),
    ];
    let arguments = [&["copy"], arguments].concat();
    run(source.folder.path(), &variables, &arguments)
}

#[tokio::test]
async fn refused_move_says_why_and_what_to_do() {
    let (source, target) = (Database::sqlite(), Database::sqlite());
    for database in [&source, &target] {
        database.run_command(&["migrate", "up"]).assert_success();
    }
    add_tasks(&source, 1).await;
    let (here, there) = (
        source.url.replace("sqlite://", "SQLite file "),
        target.url.replace("sqlite://", "SQLite file "),
    );
    let says = |to: &Database, user: &str, expected: &str| {
        let output = moves(&source, &to.url, &["--user", user, "--at-once"]);
        assert_says(&output, 1, &format!("taskhold: {expected}"));
    };
    says(
        &target,
        "nobody",
        "--user: nobody: cannot find the user: no user has this id or e-mail address",
    );
    says(
        &source,
        "crowd",
        &format!("the move is not complete: source and target are one store, the {here}"),
    );
    let away = Database::sqlite();
    let missing = away.url.replace("sqlite://", "SQLite file ");
    says(
        &away,
        "crowd",
        &format!(
            "the move is not complete: the {missing} lacks the tables of this program: run `taskhold migrate up` there, \
             and let every instance be of this version"
        ),
    );
    let output = moves(&source, &target.url, &["--user", "crowd", "--at-once"]);
    assert_says(&output, 0, "");
    says(
        &target,
        "crowd",
        &format!(
            "the move is not complete: the user crowd was moved away from the {here}, and lives in the {there}: nothing is \
             left to move"
        ),
    );
    let other = Database::sqlite();
    other.run_command(&["migrate", "up"]).assert_success();
    says(
        &other,
        "crowd",
        &format!(
            "the move is not complete: the user crowd was moved away from the {here} before: move from the store where the \
             user lives"
        ),
    );
    // Only one user is moved at once.
    let output = moves(&source, &target.url, &["--at-once"]);
    assert_eq!(output.status.code(), Some(2));
}
