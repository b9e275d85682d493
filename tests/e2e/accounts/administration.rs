//! `taskhold user` while instances run.

use std::time::Duration;

use serde_json::json;

use super::{
    CHANGE_PASSWORD, LOGOUT, PASSWORD, PROMISED, deleting, issued_before, logged_in, logging_in,
    refreshing, registered, welcome,
};
use crate::service::{Database, Service, run, run_told, within};

/// Runs a `user` command and returns its output.
#[track_caller]
fn user(database: &Database, arguments: &[&str]) -> String {
    let (success, said) = told(database, arguments, "");
    assert!(success, "{arguments:?}: {said}");
    said
}

/// Runs a `user` command with a line of input. Returns whether it succeeded, and its output.
fn told(database: &Database, arguments: &[&str], line: &str) -> (bool, String) {
    let variables = [("DATABASE_URL", database.url.as_str())];
    let arguments = [&["user"], arguments].concat();
    let output = if line.is_empty() {
        run(database.folder.path(), &variables, &arguments)
    } else {
        run_told(database.folder.path(), &variables, &arguments, line)
    };
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).expect("UTF-8");
    (output.status.success(), said)
}

/// Starts the instances that can share this store. Only one can serve a SQLite file.
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
    theirs.created(json!({"title": "first"})).await;

    user(&database, &["deactivate", "Anna@Example.org"]);
    user(&database, &["deactivate", "stranger"]);
    user(&database, &["delete", "bob@example.org", "--yes"]);
    // Whatever reads the store notices at once.
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
    // A token issued by the external service since then does not help.
    let new = issued_before("stranger", Duration::ZERO);
    assert_eq!(welcome(here, &new).await, 401);
    // An instance that starts later refuses the tokens from its first request on.
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

/// The user revokes their own tokens before the instance knows of the deactivation. That must not
/// replace the deactivation.
async fn deactivated_user_cannot_reactivate(database: Database) {
    let service = Service::start(&database).await;
    let anna = registered(&service, "anna@example.org").await;
    let stranger = issued_before("stranger", Duration::from_secs(1));
    let theirs = service.client_with(Some(stranger.clone()));
    theirs.created(json!({"title": "first"})).await;
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

async fn operator_manages_accounts_while_the_service_runs(database: Database) {
    let service = Service::start(&database).await;
    let anna = registered(&service, "Anna@Example.org").await;
    service
        .client("stranger")
        .created(json!({"title": "first"}))
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
    deactivated_user_cannot_reactivate
    operator_manages_accounts_while_the_service_runs
}
