//! A restore does not bring back who was shut out since the backup.

use std::path::PathBuf;

use super::contents::execute;
use super::life::{PASSWORD, Person, logging_in};
use super::text;
use crate::service::{Database, Service};

on_both_stores! {
    what_was_revoked_since_is_revoked_again_in_the_same_store
    what_was_revoked_since_is_revoked_again_in_another_store
    where_nobody_can_be_asked_no_old_token_counts
    accounts_that_the_store_has_lost_are_not_taken_for_deleted
}

/// Four people of a backup: one left since, one was deactivated, one logged out everywhere.
struct Since {
    leaver: Person,
    kept_out: Person,
    out: Person,
    stays: Person,
    backup: PathBuf,
}

impl Since {
    async fn happened_to(database: &Database) -> Self {
        let service = Service::start(database).await;
        let person = async |name: &str| {
            let person = Person::registered(&service, &format!("{name}@example.org")).await;
            let task = serde_json::json!({"title": "theirs"});
            person.client(&service).created(task).await;
            person
        };
        let (leaver, kept_out) = (person("leaver").await, person("kept-out").await);
        let (out, stays) = (person("out").await, person("stays").await);
        let backup = database.backup();
        leaver.leave(&service).await;
        database
            .ended(&["user", "deactivate", &kept_out.email])
            .done();
        out.log_out_everywhere(&service).await;
        assert!(service.stop().await.success());
        Self {
            leaver,
            kept_out,
            out,
            stays,
            backup,
        }
    }

    async fn still_holds_in(&self, database: &Database) {
        let service = Service::start(database).await;
        for (person, access, login) in [
            (&self.leaver, 401, 401),
            (&self.kept_out, 401, 401),
            (&self.out, 401, 200),
            (&self.stays, 200, 200),
        ] {
            let email = &person.email;
            assert_eq!(person.welcome(&service).await, access, "{email}");
            assert_eq!(person.refreshing(&service).await, 401, "{email}");
            let login_again = logging_in(&service, email, PASSWORD).await;
            assert_eq!(login_again.status, login, "{email}: {login_again:?}");
        }
        let again = Person::logged_in(&service, &self.out.email).await;
        assert_eq!(again.client(&service).tasks().await.len(), 1);
        let users = database.ended(&["user", "list"]).done();
        assert!(!users.contains(&self.leaver.email), "{users}");
    }
}

const REPLAYED: &str = "from the store that was served: 1 accounts deleted again, 1 deactivated again, \
    3 revocations of tokens";

async fn what_was_revoked_since_is_revoked_again_in_the_same_store(database: Database) {
    let since = Since::happened_to(&database).await;
    let said = database.restore_over(&since.backup).done();
    assert!(said.contains(REPLAYED), "{said}");
    since.still_holds_in(&database).await;
}

async fn what_was_revoked_since_is_revoked_again_in_another_store(database: Database) {
    let since = Since::happened_to(&database).await;
    let target = database.another().await;
    let live = [("LIVE_DATABASE_URL", database.url.as_str())];
    let said = target
        .ended_with(&live, &["restore", text(&since.backup)])
        .done();
    assert!(said.contains(REPLAYED), "{said}");
    since.still_holds_in(&target).await;
}

/// One of those that are lost had logged out everywhere, which revokes as a deletion does.
async fn accounts_that_the_store_has_lost_are_not_taken_for_deleted(database: Database) {
    let since = Since::happened_to(&database).await;
    execute(&database, "DELETE FROM users").await;
    let said = database.restore_over(&since.backup).done();
    assert!(said.contains("0 accounts deleted again"), "{said}");
    assert!(said.contains("lacks at least 1 accounts"), "{said}");
    let users = database.ended(&["user", "list"]).done();
    for person in [&since.leaver, &since.kept_out, &since.out, &since.stays] {
        assert!(users.contains(&person.email), "{users}");
    }
}

async fn where_nobody_can_be_asked_no_old_token_counts(database: Database) {
    let since = Since::happened_to(&database).await;
    let nobody = [
        (
            "LIVE_DATABASE_URL",
            "postgres://nobody:canary@127.0.0.1:1/gone",
        ),
        ("TASKHOLD__DATABASE__CONNECT_TIMEOUT_SECONDS", "1"),
    ];
    for (live, reason) in [
        (&nobody[..], "does not answer"),
        (&[], "the store that was served was not named"),
    ] {
        let target = database.another().await;
        let said = target
            .ended_with(live, &["restore", text(&since.backup)])
            .done();
        assert!(said.contains(reason), "{said}");
        assert!(
            said.contains("no token from before this restore counts, of 4 users"),
            "{said}"
        );
        assert!(
            said.contains("delete them again by `taskhold user delete`"),
            "{said}"
        );
        assert!(!said.contains("canary"), "{said}");

        let service = Service::start(&target).await;
        for person in [&since.leaver, &since.kept_out, &since.out, &since.stays] {
            assert_eq!(person.welcome(&service).await, 401, "{}", person.email);
            assert_eq!(person.refreshing(&service).await, 401, "{}", person.email);
            let again = Person::logged_in(&service, &person.email).await;
            assert_eq!(again.welcome(&service).await, 200, "{}", person.email);
        }
    }
}
