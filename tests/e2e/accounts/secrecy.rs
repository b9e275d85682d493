//! Secrets that no log may contain.

use reqwest::Method;
use serde_json::json;

use super::{
    CHANGE_PASSWORD, Grant, LOGIN, LOGOUT, ME, NO_LIMITS, PASSWORD, delete_account, log_in,
    post_login, post_refresh, post_register, register,
};
use crate::service::{Database, Service, run, run_with_input};

const EMAIL: &str = "Whoever@Example.org";
const NEW_PASSWORD: &str = "another horse";
const NEWER_PASSWORD: &str = "a third horse";

async fn account_secrets_are_in_no_log_at_any_level(database: Database) {
    let trace = [("TASKHOLD__LOG__FILTER", "trace")];
    let service = Service::start_with(&database, &[&NO_LIMITS[..], &trace].concat()).await;
    let first = register(&service, EMAIL).await;
    post_register(&service, EMAIL)
        .await
        .assert_problem(409, "CONFLICT");
    let second = log_in(&service, EMAIL).await;
    assert_eq!(
        post_login(&service, EMAIL, "wrong horse battery")
            .await
            .status,
        401
    );
    let third = post_refresh(&service, &first.refresh).await;
    assert_eq!(post_refresh(&service, &first.refresh).await.status, 401);
    let second = Grant::of(&post_refresh(&service, &second.refresh).await, 200);
    let client = second.client(&service);
    assert_eq!(client.get(ME).await.status, 200);
    let secrets = json!({"email": EMAIL, "password": PASSWORD}).to_string();
    client
        .send_raw(Method::POST, LOGIN, secrets.replace('}', ""))
        .await
        .assert_problem(400, "MALFORMED_REQUEST");
    let change = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    let fourth = client.post(CHANGE_PASSWORD, change).await;
    assert_eq!(fourth.status, 200, "{fourth:?}");

    let variables = [&[("DATABASE_URL", database.url.as_str())], &trace[..]].concat();
    let folder = database.folder.path();
    let set = run_with_input(
        folder,
        &variables,
        &["user", "set-password", EMAIL],
        NEWER_PASSWORD,
    );
    let listed = run(folder, &variables, &["user", "list"]);
    assert!(set.status.success() && listed.status.success(), "{set:?}");

    let newest = post_login(&service, EMAIL, NEWER_PASSWORD).await;
    let newest = Grant::of(&newest, 200);
    let client = newest.client(&service);
    assert_eq!(
        client
            .post(LOGOUT, json!({"refresh_token": second.refresh}))
            .await
            .status,
        204
    );
    let last = Grant::of(&post_login(&service, EMAIL, NEWER_PASSWORD).await, 200);
    assert_eq!(
        delete_account(&last.client(&service), Some(NEWER_PASSWORD))
            .await
            .status,
        204
    );

    let commands = [set.stderr, listed.stderr].concat();
    let log = service.log() + &String::from_utf8(commands).expect("UTF-8");
    assert!(log.contains("TRACE"), "it is logged at every level");
    let text = |value: &serde_json::Value| value.as_str().expect("a token").to_owned();
    let mut secrets = vec![
        EMAIL.to_owned(),
        EMAIL.to_lowercase(),
        "horse".to_owned(),
        "$argon2".to_owned(),
        text(&third.body["access_token"]),
        text(&third.body["refresh_token"]),
        text(&fourth.body["access_token"]),
        text(&fourth.body["refresh_token"]),
        fourth.header("device-token").to_owned(),
    ];
    for grant in [&first, &second, &newest, &last] {
        secrets.extend([grant.access.clone(), grant.refresh.clone()]);
    }
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "{secret}");
    }
}

on_both_stores! {
    account_secrets_are_in_no_log_at_any_level
}
