//! A restore keeps the revocations made since the backup.

use std::path::PathBuf;

use reqwest::Method;

use super::life::{PASSWORD, Person, post_login};
use super::text;
use crate::service::{Database, Service};

on_both_stores! {
    restore_over_the_same_store_reapplies_revocations
    restore_into_another_store_reapplies_revocations
    restore_without_the_live_store_revokes_all_tokens
    lost_accounts_are_not_treated_as_deleted
}

/// Four users of a backup. Since then one was deleted, one was deactivated, one logged out everywhere, and the last one
/// revoked one of two personal access tokens.
struct RevokedSince {
    deleted: Person,
    deactivated: Person,
    logged_out: Person,
    unaffected: Person,
    kept_token: String,
    revoked_token: String,
    backup: PathBuf,
}

impl RevokedSince {
    async fn apply_to(database: &Database) -> Self {
        let service = Service::start(database).await;
        let person = async |name: &str| {
            let person = Person::register(&service, &format!("{name}@example.org")).await;
            let task = serde_json::json!({"title": "theirs"});
            person.client(&service).create(task).await;
            person
        };
        let (deleted, deactivated) = (person("leaver").await, person("kept-out").await);
        let (logged_out, unaffected) = (person("out").await, person("stays").await);
        let (kept_token, _) = unaffected.issue_token(&service).await;
        let (revoked_token, id) = unaffected.issue_token(&service).await;
        let backup = database.backup();
        let path = format!("/api/auth/tokens/{id}");
        let revoked = unaffected.client(&service);
        let revoked = revoked.send(Method::DELETE, &path, None).await;
        assert_eq!(revoked.status, 204, "{revoked:?}");
        deleted.delete_account(&service).await;
        database
            .run_command(&["user", "deactivate", &deactivated.email])
            .assert_success();
        logged_out.log_out_everywhere(&service).await;
        assert!(service.stop().await.success());
        Self {
            deleted,
            deactivated,
            logged_out,
            unaffected,
            kept_token,
            revoked_token,
            backup,
        }
    }

    async fn assert_holds_in(&self, database: &Database) {
        let service = Service::start(database).await;
        for (person, access, login) in [
            (&self.deleted, 401, 401),
            (&self.deactivated, 401, 401),
            (&self.logged_out, 401, 200),
            (&self.unaffected, 200, 200),
        ] {
            let email = &person.email;
            assert_eq!(person.me_status(&service).await, access, "{email}");
            assert_eq!(person.refresh_status(&service).await, 401, "{email}");
            let login_again = post_login(&service, email, PASSWORD).await;
            assert_eq!(login_again.status, login, "{email}: {login_again:?}");
        }
        for (token, status) in [(&self.kept_token, 200), (&self.revoked_token, 401)] {
            let client = service.client_with(Some(token.clone()));
            assert_eq!(client.get("/api/auth/me").await.status, status);
        }
        let again = Person::log_in(&service, &self.logged_out.email).await;
        assert_eq!(again.client(&service).tasks().await.len(), 1);
        let users = database.run_command(&["user", "list"]).assert_success();
        assert!(!users.contains(&self.deleted.email), "{users}");
    }
}

const REPLAYED: &str = "from the store that was served: 1 account deleted again, 1 deactivated again, \
    4 revocations of tokens";

async fn restore_over_the_same_store_reapplies_revocations(database: Database) {
    let since = RevokedSince::apply_to(&database).await;
    let printed = database.restore_over(&since.backup).assert_success();
    assert!(printed.contains(REPLAYED), "{printed}");
    since.assert_holds_in(&database).await;
}

async fn restore_into_another_store_reapplies_revocations(database: Database) {
    let since = RevokedSince::apply_to(&database).await;
    let target = database.another().await;
    let live = [("LIVE_DATABASE_URL", database.url.as_str())];
    let printed = target
        .run_command_with(&live, &["restore", text(&since.backup)])
        .assert_success();
    assert!(printed.contains(REPLAYED), "{printed}");
    since.assert_holds_in(&target).await;
}

/// One of the lost users had logged out everywhere, which stores a revocation as a deletion does.
async fn lost_accounts_are_not_treated_as_deleted(database: Database) {
    let since = RevokedSince::apply_to(&database).await;
    database.execute("DELETE FROM users").await;
    let printed = database.restore_over(&since.backup).assert_success();
    assert!(printed.contains("0 accounts deleted again"), "{printed}");
    assert!(printed.contains("lacks at least 1 account"), "{printed}");
    let users = database.run_command(&["user", "list"]).assert_success();
    for person in [
        &since.deleted,
        &since.deactivated,
        &since.logged_out,
        &since.unaffected,
    ] {
        assert!(users.contains(&person.email), "{users}");
    }
}

async fn restore_without_the_live_store_revokes_all_tokens(database: Database) {
    let since = RevokedSince::apply_to(&database).await;
    let anonymous = [
        (
            "LIVE_DATABASE_URL",
            "postgres://nobody:canary@127.0.0.1:1/gone",
        ),
        ("TASKHOLD__DATABASE__CONNECT_TIMEOUT_SECONDS", "1"),
    ];
    for (live, reason) in [
        (&anonymous[..], "does not answer"),
        (&[], "the store that was served was not named"),
    ] {
        let target = database.another().await;
        let printed = target
            .run_command_with(live, &["restore", text(&since.backup)])
            .assert_success();
        assert!(printed.contains(reason), "{printed}");
        assert!(
            printed.contains("no token from before this restore counts, of 4 users"),
            "{printed}"
        );
        assert!(
            printed.contains("delete them again by `taskhold user delete`"),
            "{printed}"
        );
        assert!(!printed.contains("canary"), "{printed}");

        let service = Service::start(&target).await;
        for token in [&since.kept_token, &since.revoked_token] {
            let client = service.client_with(Some(token.clone()));
            assert_eq!(client.get("/api/auth/me").await.status, 401);
        }
        for person in [
            &since.deleted,
            &since.deactivated,
            &since.logged_out,
            &since.unaffected,
        ] {
            assert_eq!(person.me_status(&service).await, 401, "{}", person.email);
            assert_eq!(
                person.refresh_status(&service).await,
                401,
                "{}",
                person.email
            );
            let again = Person::log_in(&service, &person.email).await;
            assert_eq!(again.me_status(&service).await, 200, "{}", person.email);
        }
    }
}
