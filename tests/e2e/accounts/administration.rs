//! `taskhold user`, beside running instances.

use std::time::Duration;

use serde_json::json;

use super::{
    CHANGE_PASSWORD, LOGOUT, PASSWORD, PROMISED, deleting, issued_before, logged_in, logging_in,
    refreshing, registered, welcome,
};
use crate::service::{Database, Service, run, run_with_input, within};

/// What the command printed.
#[track_caller]
fn user(database: &Database, arguments: &[&str]) -> String {
    let (success, said) = told(database, arguments, "");
    assert!(success, "{arguments:?}: {said}");
    said
}

/// Whether the command did it, and what it said.
fn told(database: &Database, arguments: &[&str], line: &str) -> (bool, String) {
    let variables = [("DATABASE_URL", database.url.as_str())];
    let arguments = [&["user"], arguments].concat();
    let output = if line.is_empty() {
        run(database.folder.path(), &variables, &arguments)
    } else {
        run_with_input(database.folder.path(), &variables, &arguments, line)
    };
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).expect("UTF-8");
    (output.status.success(), said)
}

/// The instances that can share this store: a SQLite file is served by one.
async fn instances(database: &Database) -> Vec<Service> {
    let mut instances = vec![Service::start(database).await];
    if database.url.starts_with("postgres") {
        instances.push(Service::start(database).await);
    }
    instances
}

async fn refused_everywhere(instances: &[Service], token: &str) {
    within(PROMISED, "every instance refuses the token", async || {
        for instance in instances {
            if welcome(instance, token).await != 401 {
                return None;
            }
        }
        Some(())
    })
    .await;
}

async fn fault_8_tokens_of_deactivated_and_deleted_accounts_stop_working(database: Database) {
    let instances = instances(&database).await;
    let here = &instances[0];
    let anna = registered(here, "anna@example.org").await;
    let bob = registered(here, "bob@example.org").await;
    let stranger = issued_before("stranger", Duration::from_secs(1));
    let theirs = here.client_with(Some(stranger.clone()));
    theirs.create(json!({"title": "first"})).await;

    user(&database, &["deactivate", "Anna@Example.org"]);
    user(&database, &["deactivate", "stranger"]);
    user(&database, &["delete", "bob@example.org", "--yes"]);
    // What needs the store knows at once.
    assert_eq!(refreshing(here, &anna.refresh).await.status, 401);
    assert_eq!(refreshing(here, &bob.refresh).await.status, 401);
    for email in ["anna@example.org", "bob@example.org"] {
        logging_in(here, email, PASSWORD)
            .await
            .assert_problem(401, "UNAUTHORIZED");
    }
    for token in [&anna.access, &bob.access, &stranger] {
        refused_everywhere(&instances, token).await;
    }
    // The other service still lets the user in, and it does not help.
    let new = issued_before("stranger", Duration::ZERO);
    assert_eq!(welcome(here, &new).await, 401);
    // An instance that starts later knows from its first request on.
    drop(instances);
    let here = Service::start(&database).await;
    for token in [&anna.access, &bob.access, &stranger, &new] {
        assert_eq!(welcome(&here, token).await, 401);
    }

    user(&database, &["activate", "anna@example.org"]);
    user(&database, &["activate", "stranger"]);
    let again = logged_in(&here, "anna@example.org").await;
    within(PROMISED, "the token counts", async || {
        (welcome(&here, &again.access).await == 200).then_some(())
    })
    .await;
    let back = here.client_with(Some(issued_before("stranger", Duration::ZERO)));
    within(PROMISED, "the stranger is let in", async || {
        (back.get("/api/v1/tasks").await.status == 200).then_some(())
    })
    .await;
    assert_eq!(back.tasks().await.len(), 1, "nothing of theirs is lost");
    for before in [&anna.access, &stranger] {
        assert_eq!(welcome(&here, before).await, 401);
    }
}

/// Before the instance has heard that the user is kept out, the user does what revokes tokens: that
/// must not take the place of keeping out.
async fn who_is_deactivated_cannot_undo_it(database: Database) {
    let service = Service::start(&database).await;
    let anna = registered(&service, "anna@example.org").await;
    let stranger = issued_before("stranger", Duration::from_secs(1));
    let theirs = service.client_with(Some(stranger.clone()));
    theirs.create(json!({"title": "first"})).await;
    user(&database, &["deactivate", "anna@example.org"]);
    user(&database, &["deactivate", "stranger"]);
    assert_eq!(
        welcome(&service, &stranger).await,
        200,
        "it has not heard of it"
    );

    deleting(&theirs, None)
        .await
        .assert_problem(401, "UNAUTHORIZED");
    assert_eq!(theirs.post(LOGOUT, json!({})).await.status, 204);
    let client = anna.client(&service);
    let change = json!({"current_password": PASSWORD, "new_password": "another horse"});
    client
        .post(CHANGE_PASSWORD, change)
        .await
        .assert_problem(401, "UNAUTHORIZED");
    deleting(&client, Some(PASSWORD))
        .await
        .assert_problem(401, "UNAUTHORIZED");
    let (done, said) = told(
        &database,
        &["set-password", "anna@example.org"],
        "a new horse",
    );
    assert!(done, "{said}");

    drop(service);
    let service = Service::start(&database).await;
    for user in [anna.id(), "stranger"] {
        let new = issued_before(user, Duration::ZERO);
        assert_eq!(welcome(&service, &new).await, 401, "{user}");
    }
    let listed = self::user(&database, &["list"]);
    assert_eq!(listed.matches("deactivated").count(), 2, "{listed}");
}

async fn an_operator_sees_and_changes_accounts_beside_a_service(database: Database) {
    let service = Service::start(&database).await;
    let anna = registered(&service, "Anna@Example.org").await;
    service
        .client("stranger")
        .create(json!({"title": "first"}))
        .await;
    let listed = user(&database, &["list"]);
    let lines: Vec<Vec<_>> = listed
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(lines.len(), 2, "{listed}");
    assert_eq!(lines[0][..3], [anna.id(), "Anna@Example.org", "active"]);
    assert_eq!(lines[1][..3], ["stranger", "-", "active"]);

    let (done, said) = told(&database, &["delete", "anna@example.org"], "");
    assert!(!done && said.contains("--yes"), "{said}");
    for command in ["activate", "deactivate", "delete", "set-password"] {
        let (done, said) = told(&database, &[command, "nobody@example.org"], "new horse");
        assert!(
            !done && said.contains("nobody@example.org"),
            "{command}: {said}"
        );
    }

    let (done, said) = told(&database, &["set-password", "anna@example.org"], "short");
    assert!(!done && said.contains("at least 8 characters"), "{said}");
    let (done, said) = told(&database, &["set-password", "stranger"], "another horse");
    assert!(!done && said.contains("no password"), "{said}");
    let (done, said) = told(&database, &["set-password", anna.id()], "another horse");
    assert!(done && !said.contains("another"), "{said}");
    assert_eq!(
        logging_in(&service, "anna@example.org", PASSWORD)
            .await
            .status,
        401
    );
    assert_eq!(
        logging_in(&service, "anna@example.org", "another horse")
            .await
            .status,
        200
    );
    assert_eq!(refreshing(&service, &anna.refresh).await.status, 401);
    refused_everywhere(std::slice::from_ref(&service), &anna.access).await;

    user(&database, &["delete", "stranger", "--yes"]);
    assert_eq!(user(&database, &["list"]).lines().count(), 1);
}

on_both_stores! {
    fault_8_tokens_of_deactivated_and_deleted_accounts_stop_working
    who_is_deactivated_cannot_undo_it
    an_operator_sees_and_changes_accounts_beside_a_service
}
