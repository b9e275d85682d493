//! A service on a store that nobody has migrated, and a history of migrations that is not Taskhold's.

use reqwest::Method;
use serde_json::json;

use crate::commands::text;
use crate::service::{Database, SECRET, Service, TASKS, eventually, run};

const BY_HAND: (&str, &str) = ("TASKHOLD__DATABASE__AUTO_MIGRATE", "false");

on_both_stores! {
    unmigrated_store_is_not_ready_and_no_defect
    foreign_history_is_refused_by_name
    history_of_a_newer_program_is_not_reverted
}

async fn unmigrated_store_is_not_ready_and_no_defect(database: Database) {
    let service = Service::start_with(&database, &[BY_HAND]).await;
    let alice = service.client("alice");
    let register = json!({"email": "anna@example.org", "password": "correct horse"});
    let refused = async || {
        for (method, path, body) in [
            (Method::GET, TASKS, None),
            (Method::POST, TASKS, Some(json!({"title": "one"}))),
            (Method::GET, "/api/v1/tasks/stats", None),
            (Method::GET, "/api/v1/export", None),
            (Method::POST, "/api/auth/login", Some(register.clone())),
            (Method::POST, "/api/auth/register", Some(register.clone())),
        ] {
            let answer = alice.send(method, path, body).await;
            answer.assert_problem(503, "SERVICE_UNAVAILABLE");
            assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
        }
        let keyed = Some(json!({"title": "one"}));
        let keyed = alice.send_keyed("key", Method::POST, TASKS, keyed).await;
        keyed.assert_problem(503, "SERVICE_UNAVAILABLE");
        let ready = alice.get("/health/ready").await;
        assert_eq!(ready.status, 503);
        let body = json!({"status": "not ready", "reason": "schema_outdated"});
        assert_eq!(ready.body, body);
        assert_eq!(alice.get("/health/live").await.status, 200);
    };
    refused().await;
    let log = service.log();
    assert!(log.contains("run `taskhold migrate up`"), "{log}");
    assert!(!log.contains("INTERNAL_ERROR"), "{log}");
    assert_eq!(log.matches("not ready").count(), 1, "once a minute: {log}");

    let variables = [("DATABASE_URL", database.url.as_str())];
    let migrated = run(database.folder.path(), &variables, &["migrate", "up"]);
    assert!(migrated.status.success(), "{migrated:?}");
    eventually("the service is ready", async || {
        (service.readiness().await == 200).then_some(())
    })
    .await;
    eventually("and says so", async || {
        service.log().contains("ready again").then_some(())
    })
    .await;
    alice.create(json!({"title": "one"})).await;
    assert_eq!(alice.tasks().await.len(), 1);
}

async fn foreign_history_is_refused_by_name(database: Database) {
    let made = "CREATE TABLE seaql_migrations (version TEXT PRIMARY KEY, applied_at BIGINT NOT NULL);
        INSERT INTO seaql_migrations VALUES ('m20220101_000001_create_posts', 1); CREATE TABLE posts (id BIGINT)";
    database.execute(made).await;
    for arguments in [
        &["migrate", "up"][..],
        &["serve"],
        &["migrate", "down", "--yes"],
        &["migrate", "fresh", "--yes"],
    ] {
        let variables = [
            ("DATABASE_URL", database.url.as_str()),
            ("JWT_SECRET", SECRET),
        ];
        let output = run(database.folder.path(), &variables, arguments);
        let printed = text(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{arguments:?}: {printed}");
        for part in [
            "another program",
            "m20220101_000001_create_posts",
            "DATABASE_URL",
        ] {
            assert!(printed.contains(part), "{arguments:?}: {printed}");
        }
    }
    // Nothing of the other program has gone.
    database.execute("INSERT INTO posts VALUES (1)").await;
}

async fn history_of_a_newer_program_is_not_reverted(database: Database) {
    let variables = [("DATABASE_URL", database.url.as_str())];
    let migrate = |arguments: &[&str]| run(database.folder.path(), &variables, arguments);
    assert!(migrate(&["migrate", "up"]).status.success());
    let newer = "INSERT INTO seaql_migrations VALUES ('m20991231_000001_something', 1)";
    database.execute(newer).await;
    assert!(
        migrate(&["migrate", "up"]).status.success(),
        "left as it is"
    );
    let down = migrate(&["migrate", "down", "--yes"]);
    assert_eq!(down.status.code(), Some(78), "{down:?}");
    let printed = text(&down.stderr);
    assert!(printed.contains("a newer program"), "{printed}");
    assert!(printed.contains("m20991231_000001_something"), "{printed}");
    let status = migrate(&["migrate", "status"]);
    assert!(
        text(&status.stdout).contains("applied by a newer program"),
        "{status:?}"
    );
}
