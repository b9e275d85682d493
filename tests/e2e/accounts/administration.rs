//! `taskhold user` while instances run.

use std::time::Duration;

use serde_json::json;

use super::rows::rows;
use super::{
    CHANGE_PASSWORD, LOGOUT, PASSWORD, REVOCATION_DEADLINE, delete_account, log_in, me_status,
    post_login, post_refresh, register, token_issued_ago,
};
use crate::service::{
    Database, SECRET, Service, run, run_with_input, signed_as_given, tomorrow, within,
};

/// Runs a `user` command and returns its output.
#[track_caller]
fn run_user_command(database: &Database, arguments: &[&str]) -> String {
    let (success, output) = try_user_command(database, arguments, "");
    assert!(success, "{arguments:?}: {output}");
    output
}

/// Runs a `user` command with a line of input. Returns whether it succeeded, and its output.
fn try_user_command(database: &Database, arguments: &[&str], line: &str) -> (bool, String) {
    let variables = [("DATABASE_URL", database.url.as_str())];
    let arguments = [&["user"], arguments].concat();
    let output = if line.is_empty() {
        run(database.folder.path(), &variables, &arguments)
    } else {
        run_with_input(database.folder.path(), &variables, &arguments, line)
    };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("UTF-8");
    (output.status.success(), text)
}

/// Starts the instances that can share this store. Only one can serve a SQLite file.
async fn instances(database: &Database) -> Vec<Service> {
    let mut instances = vec![Service::start(database).await];
    if database.url.starts_with("postgres") {
        instances.push(Service::start(database).await);
    }
    instances
}

async fn assert_refused_everywhere(instances: &[Service], token: &str) {
    within(
        REVOCATION_DEADLINE,
        "every instance refuses the token",
        async || {
            for instance in instances {
                if me_status(instance, token).await != 401 {
                    return None;
                }
            }
            Some(())
        },
    )
    .await;
}

async fn fault_8_tokens_of_deactivated_and_deleted_accounts_stop_working(database: Database) {
    let instances = instances(&database).await;
    let service = &instances[0];
    let anna = register(service, "anna@example.org").await;
    let bob = register(service, "bob@example.org").await;
    let stranger = token_issued_ago("stranger", Duration::from_secs(1));
    let theirs = service.client_with(Some(stranger.clone()));
    theirs.create(json!({"title": "first"})).await;

    run_user_command(&database, &["deactivate", "Anna@Example.org"]);
    run_user_command(&database, &["deactivate", "stranger"]);
    run_user_command(&database, &["delete", "bob@example.org", "--yes"]);
    // Operations that read the store notice the change immediately.
    assert_eq!(post_refresh(service, &anna.refresh).await.status, 401);
    assert_eq!(post_refresh(service, &bob.refresh).await.status, 401);
    for email in ["anna@example.org", "bob@example.org"] {
        post_login(service, email, PASSWORD)
            .await
            .assert_problem(401, "UNAUTHORIZED");
    }
    for token in [&anna.access, &bob.access, &stranger] {
        assert_refused_everywhere(&instances, token).await;
    }
    // A token issued by the external service since then does not help.
    let new = token_issued_ago("stranger", Duration::ZERO);
    assert_eq!(me_status(service, &new).await, 401);
    // An instance that starts later refuses the tokens from its first request on.
    drop(instances);
    let service = Service::start(&database).await;
    for token in [&anna.access, &bob.access, &stranger, &new] {
        assert_eq!(me_status(&service, token).await, 401);
    }

    run_user_command(&database, &["activate", "anna@example.org"]);
    run_user_command(&database, &["activate", "stranger"]);
    let again = log_in(&service, "anna@example.org").await;
    within(REVOCATION_DEADLINE, "the token counts", async || {
        (me_status(&service, &again.access).await == 200).then_some(())
    })
    .await;
    let back = service.client_with(Some(token_issued_ago("stranger", Duration::ZERO)));
    within(REVOCATION_DEADLINE, "the stranger is let in", async || {
        (back.get("/api/v1/tasks").await.status == 200).then_some(())
    })
    .await;
    assert_eq!(back.tasks().await.len(), 1, "nothing of theirs is lost");
    for before in [&anna.access, &stranger] {
        assert_eq!(me_status(&service, before).await, 401);
    }
}

/// The user revokes their own tokens before the instance knows of the deactivation. That must not
/// replace the deactivation.
async fn deactivated_user_cannot_reactivate(database: Database) {
    let service = Service::start(&database).await;
    let anna = register(&service, "anna@example.org").await;
    let stranger = token_issued_ago("stranger", Duration::from_secs(1));
    let theirs = service.client_with(Some(stranger.clone()));
    theirs.create(json!({"title": "first"})).await;
    run_user_command(&database, &["deactivate", "anna@example.org"]);
    run_user_command(&database, &["deactivate", "stranger"]);
    assert_eq!(
        me_status(&service, &stranger).await,
        200,
        "it has not heard of it"
    );

    delete_account(&theirs, None)
        .await
        .assert_problem(401, "UNAUTHORIZED");
    assert_eq!(theirs.post(LOGOUT, json!({})).await.status, 204);
    let client = anna.client(&service);
    let change = json!({"current_password": PASSWORD, "new_password": "another horse"});
    client
        .post(CHANGE_PASSWORD, change)
        .await
        .assert_problem(401, "UNAUTHORIZED");
    delete_account(&client, Some(PASSWORD))
        .await
        .assert_problem(401, "UNAUTHORIZED");
    let (done, output) = try_user_command(
        &database,
        &["set-password", "anna@example.org"],
        "a new horse",
    );
    assert!(done, "{output}");

    drop(service);
    let service = Service::start(&database).await;
    for user in [anna.id(), "stranger"] {
        let new = token_issued_ago(user, Duration::ZERO);
        assert_eq!(me_status(&service, &new).await, 401, "{user}");
    }
    let listed = run_user_command(&database, &["list"]);
    assert_eq!(listed.matches("deactivated").count(), 2, "{listed}");
}

async fn operator_manages_accounts_while_the_service_runs(database: Database) {
    let service = Service::start(&database).await;
    let anna = register(&service, "Anna@Example.org").await;
    service
        .client("stranger")
        .create(json!({"title": "first"}))
        .await;
    let listed = run_user_command(&database, &["list"]);
    let lines: Vec<Vec<_>> = listed
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(lines.len(), 2, "{listed}");
    assert_eq!(lines[0][..3], [anna.id(), "Anna@Example.org", "active"]);
    assert_eq!(lines[1][..3], ["stranger", "-", "active"]);

    let (done, output) = try_user_command(&database, &["delete", "anna@example.org"], "");
    assert!(!done && output.contains("--yes"), "{output}");
    for command in ["activate", "deactivate", "delete", "set-password"] {
        let (done, output) =
            try_user_command(&database, &[command, "nobody@example.org"], "new horse");
        assert!(
            !done && output.contains("nobody@example.org"),
            "{command}: {output}"
        );
    }

    let (done, output) =
        try_user_command(&database, &["set-password", "anna@example.org"], "short");
    assert!(
        !done && output.contains("at least 8 characters"),
        "{output}"
    );
    let (done, output) =
        try_user_command(&database, &["set-password", "stranger"], "another horse");
    assert!(!done && output.contains("no password"), "{output}");
    let (done, output) = try_user_command(&database, &["set-password", anna.id()], "another horse");
    assert!(done && !output.contains("another"), "{output}");
    assert_eq!(
        post_login(&service, "anna@example.org", PASSWORD)
            .await
            .status,
        401
    );
    assert_eq!(
        post_login(&service, "anna@example.org", "another horse")
            .await
            .status,
        200
    );
    assert_eq!(post_refresh(&service, &anna.refresh).await.status, 401);
    assert_refused_everywhere(std::slice::from_ref(&service), &anna.access).await;

    run_user_command(&database, &["delete", "stranger", "--yes"]);
    assert_eq!(run_user_command(&database, &["list"]).lines().count(), 1);
}

/// A `sub` is whatever another service signs.
async fn text_of_others_is_escaped_in_the_list(database: Database) {
    let service = Service::start(&database).await;
    for sub in [
        "a\tb",
        "c\nd\t-\tactive",
        "e\u{1b}[2Jf",
        "g\u{202e}h",
        "i\u{9b}j\u{2028}\r",
    ] {
        service.client(sub).create(json!({"title": "mine"})).await;
    }
    let listed = run_user_command(&database, &["list"]);
    let mut shown: Vec<_> = listed
        .lines()
        .map(|line| {
            let fields: Vec<_> = line.split('\t').collect();
            assert_eq!((fields.len(), fields[2]), (4, "active"), "{line:?}");
            fields[0]
        })
        .collect();
    shown.sort_unstable();
    assert_eq!(
        shown,
        [
            "a\\u0009b",
            "c\\u000ad\\u0009-\\u0009active",
            "e\\u001b[2Jf",
            "g\\u202eh",
            "i\\u009bj\\u2028\\u000d",
        ]
    );
    let done = run_user_command(&database, &["deactivate", "e\u{1b}[2Jf"]);
    assert!(
        done.contains("e\\u001b[2Jf") && !done.contains('\u{1b}'),
        "{done:?}"
    );
    let (_, refused) = try_user_command(&database, &["deactivate", "x\u{1b}\n[2J"], "");
    assert!(
        !refused.contains('\u{1b}') && refused.contains("\\u001b"),
        "{refused:?}"
    );
}

async fn token_without_iat_needs_a_setting_and_never_survives_a_log_out(database: Database) {
    let token = |user: &str| signed_as_given(&json!({"sub": user, "exp": tomorrow()}), SECRET);
    let service = Service::start(&database).await;
    assert_eq!(me_status(&service, &token("anna")).await, 401);
    service.stop().await;

    let lenient = [("TASKHOLD__AUTH__ACCEPT_MISSING_IAT", "true")];
    let service = Service::start_with(&database, &lenient).await;
    let anna = service.client_with(Some(token("anna")));
    assert_eq!(me_status(&service, &token("anna")).await, 200);
    assert_eq!(anna.post(LOGOUT, json!({})).await.status, 204);
    assert_eq!(me_status(&service, &token("anna")).await, 401);
    assert_eq!(me_status(&service, &token("bob")).await, 200);
    let ours = json!({"sub": "bob", "exp": tomorrow(), "iss": "taskhold"});
    assert_eq!(
        me_status(&service, &signed_as_given(&ours, SECRET)).await,
        401
    );
    service.stop().await;
    // As if the revocation were from long ago.
    database
        .execute("UPDATE revocations SET kept_until = 1, not_before = 1")
        .await;
    let service = Service::start_with(&database, &lenient).await;
    assert_eq!(me_status(&service, &token("anna")).await, 401);
}

/// The revocation was deleted when the shorter lifetime was over.
async fn longer_accepted_lifetime_revives_no_revoked_token(database: Database) {
    const DAY: Duration = Duration::from_hours(24);
    let stolen = token_issued_ago("anna", 40 * DAY);
    let service = Service::start(&database).await;
    let anna = service.client_with(Some(token_issued_ago("anna", DAY)));
    assert_eq!(anna.post(LOGOUT, json!({})).await.status, 204);
    service.stop().await;
    // As if that had been 35 days ago.
    let aged = "UPDATE revocations SET not_before = not_before - 3024000000000, \
                kept_until = kept_until - 3024000000000";
    database.execute(aged).await;
    let service = Service::start(&database).await;
    within(
        REVOCATION_DEADLINE,
        "the revocation is deleted",
        async || {
            let left = format!("{:?}", rows(&database).await["revocations"]);
            let everybody = "0".repeat(64);
            (left.matches(&everybody).count() == 1
                && rows(&database).await["revocations"].len() == 1)
                .then_some(())
        },
    )
    .await;
    service.stop().await;
    let longer = [("TASKHOLD__AUTH__MAX_TOKEN_LIFETIME_DAYS", "90")];
    let service = Service::start_with(&database, &longer).await;
    assert_eq!(me_status(&service, &stolen).await, 401);
    let later = token_issued_ago("bob", 34 * DAY);
    assert_eq!(me_status(&service, &later).await, 200);
}

on_both_stores! {
    longer_accepted_lifetime_revives_no_revoked_token
    text_of_others_is_escaped_in_the_list
    token_without_iat_needs_a_setting_and_never_survives_a_log_out
    fault_8_tokens_of_deactivated_and_deleted_accounts_stop_working
    deactivated_user_cannot_reactivate
    operator_manages_accounts_while_the_service_runs
}
