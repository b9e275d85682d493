//! The commands other than `serve`.

use serde_json::json;

use crate::service::{Database, SECRET, Service, run, taskhold};

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

async fn migrate_commands_apply_revert_and_report(database: Database) {
    let folder = database.folder.path();
    let variables = [("DATABASE_URL", database.url.as_str())];
    let migrate = |arguments: &[&str]| {
        let output = run(folder, &variables, &[&["migrate"], arguments].concat());
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        text(&output.stdout).to_owned()
    };
    migrate(&["up"]);
    assert!(migrate(&["up"]).contains(" 0 migrations applied"));
    assert!(migrate(&["status"]).contains("applied    m20261121_000001_users_and_tasks"));
    assert!(!migrate(&["status"]).contains("pending"));
    migrate(&["fresh", "--yes"]);
    let down = migrate(&["down", "--yes"]);
    assert!(down.starts_with("reverted   m20"), "{down}");
    assert!(down.contains(": 1 migration reverted, "), "{down}");
    assert!(migrate(&["status"]).contains("pending    "));
    migrate(&["up"]);
}

async fn destructive_migrations_need_confirmation(database: Database) {
    let folder = database.folder.path();
    for arguments in [["migrate", "down"], ["migrate", "fresh"]] {
        let output = run(folder, &[("DATABASE_URL", &database.url)], &arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(text(&output.stderr).contains("--yes"), "{output:?}");
        let production = [
            ("DATABASE_URL", database.url.as_str()),
            ("TASKHOLD_PROFILE", "production"),
        ];
        let output = run(folder, &production, &[&arguments[..], &["--yes"]].concat());
        assert_eq!(output.status.code(), Some(78), "{output:?}");
    }
}

on_both_stores! {
    migrate_commands_apply_revert_and_report
    destructive_migrations_need_confirmation
}

/// Otherwise a command would delete from a database that was not named.
#[tokio::test]
async fn direct_url_of_another_database_kind_is_refused() {
    let (sqlite, postgres) = (Database::sqlite(), Database::postgres().await);
    let service = Service::start(&postgres).await;
    service
        .client("alice")
        .create(json!({"title": "somebody else's"}))
        .await;
    let folder = sqlite.folder.path();
    for (url, direct) in [
        (sqlite.url.as_str(), postgres.url.as_str()),
        (&postgres.url, &sqlite.url),
        ("", &postgres.url),
    ] {
        for arguments in [&["migrate", "fresh", "--yes"][..], &["migrate", "status"]] {
            let variables = [("DATABASE_URL", url), ("DIRECT_URL", direct)];
            let output = run(folder, &variables, arguments);
            assert_eq!(output.status.code(), Some(78), "{output:?}");
            assert!(text(&output.stderr).contains("DIRECT_URL"), "{output:?}");
        }
    }
    assert_eq!(service.client("alice").tasks().await.len(), 1);
}

#[tokio::test]
async fn migrate_names_the_migrated_database() {
    let (pooled, direct) = (Database::postgres().await, Database::postgres().await);
    let (_, name) = direct.url.rsplit_once('/').expect("a database");
    let variables = [
        ("DATABASE_URL", pooled.url.as_str()),
        ("DIRECT_URL", &direct.url),
    ];
    for (arguments, code) in [
        (&["migrate", "up"][..], 0),
        (&["migrate", "status"], 0),
        (&["migrate", "fresh"], 1),
        (&["migrate", "fresh", "--yes"], 0),
        (&["migrate", "down", "--yes"], 0),
    ] {
        let output = run(direct.folder.path(), &variables, arguments);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let printed = [text(&output.stdout), text(&output.stderr)].concat();
        assert!(printed.contains(name), "{arguments:?}: {printed}");
    }
}

#[tokio::test]
async fn without_auto_migrate_readiness_waits_for_migrate_up() {
    let database = Database::sqlite();
    let service =
        Service::start_with(&database, &[("TASKHOLD__DATABASE__AUTO_MIGRATE", "false")]).await;
    let anonymous = service.client_with(None);
    assert_eq!(anonymous.get("/health").await.status, 200);
    assert_eq!(anonymous.get("/health/ready").await.status, 503);
    let output = run(
        database.folder.path(),
        &[("DATABASE_URL", &database.url)],
        &["migrate", "up"],
    );
    assert!(output.status.success(), "{output:?}");
    assert_eq!(anonymous.get("/health/ready").await.status, 200);
    service
        .client("alice")
        .create(json!({"title": "now it works"}))
        .await;
}

/// Without any configuration, both processes use the embedded store and the same generated secret.
#[tokio::test]
async fn token_for_the_embedded_store_works_without_configuration() {
    let database = Database::sqlite();
    let folder = database.folder.path();
    let unset = [("DATABASE_URL", ""), ("JWT_SECRET", "")];
    let service = Service::start_with(&database, &unset).await;
    let output = run(folder, &[], &["token", "--user", "anna"]);
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stderr).contains("no user anna yet"));
    let token = text(&output.stdout).trim().to_owned();
    let anna = service.client_with(Some(token.clone()));
    let task = anna.create(json!({"title": "Buy milk"})).await;
    assert_eq!(task["user_id"], "anna");
    service.stop().await;

    let service = Service::start_with(&database, &unset).await;
    assert_eq!(
        service.client_with(Some(token)).tasks().await,
        [task],
        "the secret outlives a restart"
    );
    for name in ["taskhold.db", "jwt-secret"] {
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(folder.join("data").join(name))
                .expect("the file is there")
                .permissions(),
        );
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn token_is_refused_in_production_and_for_an_empty_user() {
    let database = Database::sqlite();
    let folder = database.folder.path();
    let production = [
        ("TASKHOLD_PROFILE", "production"),
        ("JWT_SECRET", crate::service::SECRET),
    ];
    let output = run(folder, &production, &["token", "--user", "anna"]);
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    let output = run(folder, &[], &["token", "--user", ""]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        text(&output.stderr).contains("Task user_id must be a non-empty string"),
        "{output:?}"
    );
}

#[tokio::test]
async fn health_command_reports_by_exit_status() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let folder = database.folder.path();
    let output = run(folder, &[], &["health", "--url", &service.url]);
    assert!(output.status.success(), "{output:?}");
    let (_, port) = service.url.rsplit_once(':').expect("a port");
    let output = run(folder, &[("PORT", port)], &["health"]);
    assert!(output.status.success(), "{output:?}");
    let url = service.url.clone();
    service.stop().await;
    let output = run(folder, &[], &["health", "--url", &url]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn wrong_usage_exits_with_2_and_help_lists_everything() {
    let database = Database::sqlite();
    for arguments in [
        &["nonsense"][..],
        &[],
        &["migrate"],
        &["token"],
        &["serve", "--nonsense"],
    ] {
        let output = run(database.folder.path(), &[], arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    }
    let output = run(database.folder.path(), &[], &["--help"]);
    assert!(output.status.success());
    let printed = text(&output.stdout);
    for command in [
        "serve", "migrate", "user", "import", "export", "backup", "restore", "copy", "token",
        "health", "openapi",
    ] {
        let is_row = |line: &str| line.split_whitespace().next() == Some(command);
        assert!(printed.lines().any(is_row), "{command}: {printed}");
    }
    for variable in [
        "DATABASE_URL",
        "NEON_DATABASE_URL",
        "DIRECT_URL",
        "JWT_SECRET",
        "JWT_SECRET_PREVIOUS",
        "PORT",
    ] {
        assert!(
            printed.contains(&format!("`{variable}`")),
            "{variable}: {printed}"
        );
    }
}

#[tokio::test]
async fn second_process_on_a_sqlite_file_is_refused() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let folder = database.folder.path();
    let link = folder.join("link.db");
    std::os::unix::fs::symlink(folder.join("data/taskhold.db"), &link).expect("a link");
    let by_link = format!("sqlite://{}", link.display());
    for url in [&database.url, &by_link] {
        let variables = [("DATABASE_URL", url.as_str()), ("JWT_SECRET", SECRET)];
        for arguments in [
            &["serve"][..],
            &["migrate", "fresh", "--yes"],
            &["migrate", "down", "--yes"],
        ] {
            let output = run(folder, &variables, arguments);
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            let printed = text(&output.stderr);
            assert!(printed.contains("another process serves"), "{printed}");
            assert!(printed.contains("taskhold.db.lock"), "{printed}");
        }
        // A command that only reads or adds runs beside the service.
        let output = run(folder, &variables, &["migrate", "up"]);
        assert!(output.status.success(), "{output:?}");
    }
    service
        .client("alice")
        .create(json!({"title": "served"}))
        .await;
    // The lock ends with its process, however that ends.
    service.kill();
    let service = Service::start(&database).await;
    assert_eq!(service.client("alice").tasks().await.len(), 1);
}

/// For example `taskhold user list | head -0`.
#[test]
fn closed_output_is_an_error_without_a_panic() {
    let database = Database::sqlite();
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("JWT_SECRET", SECRET),
    ];
    let file = database.file(r#"[{"id": 1, "title": "one", "user_id": "alice"}]"#);
    let report = database.folder.path().join("report.json");
    let report = report.to_str().expect("UTF-8");
    for (arguments, expected) in [
        (
            &["migrate", "up"][..],
            "cannot write to the standard output",
        ),
        (
            &["migrate", "status"],
            "cannot write to the standard output",
        ),
        (
            &["token", "--user", "alice"],
            "cannot write to the standard output",
        ),
        (
            &["import", &file, "--report", report],
            "the import is done, but its report cannot be written",
        ),
        (&["user", "list"], "cannot write to the standard output"),
        (
            &["user", "deactivate", "alice"],
            "cannot write to the standard output",
        ),
        (&["export", "--user", "alice"], "Broken pipe"),
    ] {
        let mut command = taskhold(database.folder.path(), &variables, arguments);
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = command.stdout(writer).output().expect("it runs");
        let printed = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {printed}");
        assert!(printed.contains(expected), "{arguments:?}: {printed}");
        assert!(!printed.contains("panicked"), "{arguments:?}: {printed}");
    }
    let report = std::fs::read_to_string(report).expect("a report");
    assert!(report.contains(r#""imported": 1"#), "{report}");
}
