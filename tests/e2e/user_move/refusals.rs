//! Moves that are refused, and change nothing.

use serde_json::json;

use super::write;
use crate::backup::contents::{MIGRATIONS, add_tasks, contents};
use crate::backup::life::{Person, post_login};
use crate::service::{Database, Service};

on_all_pairs! {
    move_without_a_place_is_refused
    deactivated_user_stays_deactivated
}

async fn move_without_a_place_is_refused(source: Database, target: Database) {
    source.run_command(&["migrate", "up"]).assert_success();
    add_tasks(&source, 3).await;
    let before = contents(&source).await;
    source
        .move_to(&target, "crowd")
        .assert_refused("lacks the tables of this program: run `taskhold migrate up` there");
    target.run_command(&["migrate", "up"]).assert_success();
    source
        .move_to(&target, "nobody")
        .assert_refused("cannot find the user");
    source
        .move_to(&source, "crowd")
        .assert_refused("source and target are one store");
    add_tasks(&target, 2).await;
    let there = contents(&target).await;
    source
        .move_to(&target, "crowd")
        .assert_refused("has a user crowd of its own: nothing is merged");
    target
        .execute(&format!(
            "DELETE FROM {MIGRATIONS} WHERE version = (SELECT max(version) FROM {MIGRATIONS})"
        ))
        .await;
    source
        .move_to(&target, "crowd")
        .assert_refused("lacks the tables of this program: run `taskhold migrate up` there");
    assert!(contents(&source).await == before, "nothing was changed");
    let mut now = contents(&target).await;
    now.insert(MIGRATIONS.to_owned(), there[MIGRATIONS].clone());
    assert!(now == there, "nothing was changed");

    // The address is another's there.
    let taken = Database::sqlite();
    let (first, second) = (Service::start(&source).await, Service::start(&taken).await);
    for service in [&first, &second] {
        Person::register(service, "anna@example.org").await;
    }
    source
        .move_to(&taken, "anna@example.org")
        .assert_refused("has another user with the e-mail address");
    Person::log_in(&first, "anna@example.org").await;
}

/// Without rights on a table of either store, nothing begins.
#[tokio::test]
async fn role_without_rights_is_refused() {
    let (source, target) = (Database::postgres().await, Database::postgres().await);
    for database in [&source, &target] {
        database.run_command(&["migrate", "up"]).assert_success();
    }
    add_tasks(&source, 3).await;
    let role = format!("reader_{}", fastrand::u32(..));
    target
        .execute(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'r'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
        ))
        .await;
    let (_, host) = target.url.split_once('@').unwrap_or(("", ""));
    let url = match host {
        "" => target
            .url
            .replacen("postgres://", &format!("postgres://{role}:r@"), 1),
        host => format!("postgres://{role}:r@{host}"),
    };
    let reader = Database::at(&url);
    let before = contents(&source).await;
    let refused = source.move_to(&reader, "crowd");
    assert_eq!(refused.code, Some(78), "{refused:?}");
    assert!(
        refused.stderr.contains("lacks DELETE, INSERT, UPDATE on"),
        "{refused:?}"
    );
    assert!(contents(&source).await == before, "nothing was changed");
    target
        .execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
}

async fn deactivated_user_stays_deactivated(source: Database, target: Database) {
    let (first, second) = (Service::start(&source).await, Service::start(&target).await);
    let person = Person::register(&first, "anna@example.org").await;
    let created = person.client(&first).create(json!({"title": "hers"})).await;
    assert_eq!(created["title"], "hers");
    let deactivate = ["user", "deactivate", "anna@example.org"];
    source.run_command(&deactivate).assert_success();
    source.move_to(&target, "anna@example.org").assert_success();
    let listed = target.run_command(&["user", "list"]).assert_success();
    assert!(listed.contains("deactivated"), "{listed}");
    let login = post_login(&second, "anna@example.org", crate::backup::life::PASSWORD).await;
    assert_eq!(login.status, 401, "{login:?}");
    // At the source nobody activates who has left.
    source
        .run_command(&["user", "activate", "anna@example.org"])
        .assert_refused("the user was moved to another store");
    let activate = ["user", "activate", "anna@example.org"];
    target.run_command(&activate).assert_success();
    let again = Person::log_in(&second, "anna@example.org").await;
    assert_eq!(write(&again.client(&second), "more").await.status, 201);
}
