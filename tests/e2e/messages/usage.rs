//! The help, the version, and arguments.

use taskhold_domain::zone::database_version;

use super::{assert_says, text};
use crate::service::{Database, SECRET, run, taskhold};

#[test]
fn url_without_scheme_is_wrong_usage_of_health() {
    let folder = tempfile::tempdir().expect("a folder");
    for url in [
        "localhost:8080",
        "127.0.0.1:8080",
        "",
        "ftp://localhost",
        "/health",
        "http://",
    ] {
        let output = run(folder.path(), &[], &["health", "--url", url]);
        let expected = format!(
            "error: invalid value '{url}' for '--url <URL>': it must begin with http:// or https:// and the host, as \
             in http://127.0.0.1:8080\n\nFor more information, try '--help'."
        );
        assert_says(&output, 2, &expected);
    }
    let output = run(
        folder.path(),
        &[],
        &["health", "--url", "http://127.0.0.1:1"],
    );
    let expected = "taskhold: http://127.0.0.1:1/health does not answer: error sending request: client error \
                    (Connect): tcp connect error: Connection refused (os error 111)";
    assert_says(&output, 1, expected);
}

#[test]
fn version_names_the_program_its_commit_and_its_time_zones() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = format!("taskhold {}\n", env!("CARGO_PKG_VERSION"));
    let zones = format!("time zone database {}\n", database_version());
    let commit = "commit unknown\n";
    for (option, expected) in [
        ("-V", &program),
        ("--version", &format!("{program}{commit}{zones}")),
    ] {
        let output = run(folder.path(), &[], &[option]);
        assert_eq!(&text(&output.stdout), expected);
    }
}

#[test]
fn help_fills_the_width_of_the_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    for width in [60, 80, 100] {
        for arguments in [
            &["--help"][..],
            &["serve", "--help"],
            &["import", "--help"],
            &["token", "--help"],
            &["backup", "prune", "--help"],
            &["user", "set-password", "-h"],
        ] {
            let output = taskhold(folder.path(), &[], arguments)
                .env("COLUMNS", width.to_string())
                .output();
            let output = output.expect("it runs");
            let printed = text(&output.stdout);
            let lines: Vec<_> = printed.lines().collect();
            for line in &lines {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
            let (about, _) = printed.split_once("\nUsage: taskhold").expect("usage");
            for pair in about.lines().collect::<Vec<_>>().windows(2) {
                let next = pair[1].split(' ').next().unwrap_or_default();
                let is_full = pair[0].len() + 1 + next.len() > width;
                assert!(
                    is_full || pair[0].is_empty() || next.is_empty(),
                    "{width}: {about}"
                );
            }
        }
    }
}

#[test]
fn token_takes_its_user_as_an_argument_or_an_option() {
    let database = Database::sqlite();
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("JWT_SECRET", SECRET),
    ];
    let folder = database.folder.path();
    assert!(run(folder, &variables, &["migrate", "up"]).status.success());
    for user in [&["anna"][..], &["--user", "anna"]] {
        let output = run(folder, &variables, &[&["token"], user].concat());
        assert!(output.status.success(), "{output:?}");
        let claims: serde_json::Value =
            jsonwebtoken::dangerous::insecure_decode(text(&output.stdout).trim())
                .expect("a token")
                .claims;
        assert_eq!(claims["sub"], "anna");
    }
    for wrong in [&[][..], &["anna", "--user", "bob"]] {
        let output = run(folder, &variables, &[&["token"], wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
}
