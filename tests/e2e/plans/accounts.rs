//! The requests about accounts.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Observed, PlannedStatement, Request};

const EMAIL: &str = "plans@example.org";
const PASSWORD: &str = "correct horse battery";
const NEW_PASSWORD: &str = "another horse battery";

/// Registers an account, logs in, refreshes, changes the password, logs out and deletes the account.
pub(super) async fn lifecycle(observed: &mut impl Observed, all: &mut Vec<PlannedStatement>) {
    let anyone = observed.service().client_with(None);
    let log_in = |password: &str| post("login", json!({"email": EMAIL, "password": password}));
    let registration = json!({"email": EMAIL, "password": PASSWORD});
    let requests = [
        post("register", registration).with_status(201),
        log_in("wrong horse battery").with_status(401),
        log_in(PASSWORD),
    ];
    let mut grant = Value::Null;
    for request in requests {
        grant = observed.expect(&anyone, &request, all).await.body;
    }
    let shown = json!({"refresh_token": grant["refresh_token"]});
    let refresh = post("refresh", shown.clone());
    observed.expect(&anyone, &refresh, all).await;
    let reused = post("refresh", shown).with_status(401);
    observed.expect(&anyone, &reused, all).await;

    grant = observed.expect(&anyone, &log_in(PASSWORD), all).await.body;
    let caller = client(observed, &grant);
    let sessions = Request::get("/api/auth/sessions").with_statements(None);
    let sessions = observed.expect(&caller, &sessions, all).await.body;
    let id = sessions["sessions"][0]["id"].as_str().expect("an id");
    let ending = Request::new(Method::DELETE, &format!("/api/auth/sessions/{id}"))
        .with_status(204)
        .with_statements(None);
    observed.expect(&caller, &ending, all).await;

    grant = observed.expect(&anyone, &log_in(PASSWORD), all).await.body;
    let caller = client(observed, &grant);
    let me = Request::get("/api/auth/me").with_statements(None);
    observed.expect(&caller, &me, all).await;
    let change = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    grant = observed
        .expect(&caller, &post("password", change), all)
        .await
        .body;
    let caller = client(observed, &grant);
    let shown = json!({"refresh_token": grant["refresh_token"]});
    let out = post("logout", shown).with_status(204);
    observed.expect(&caller, &out, all).await;

    let back = log_in(NEW_PASSWORD);
    grant = observed.expect(&anyone, &back, all).await.body;
    let everywhere = post("logout", json!({})).with_status(204);
    let caller = client(observed, &grant);
    observed.expect(&caller, &everywhere, all).await;

    grant = observed.expect(&anyone, &back, all).await.body;
    let caller = client(observed, &grant);
    let leaving = Request::new(Method::DELETE, "/api/auth/me")
        .with_body(json!({"password": NEW_PASSWORD}))
        .with_status(204)
        .with_statements(None);
    observed.expect(&caller, &leaving, all).await;
}

fn post(what: &str, body: Value) -> Request {
    let path = format!("/api/auth/{what}");
    Request::new(Method::POST, &path)
        .with_body(body)
        .with_statements(None)
}

fn client(observed: &impl Observed, grant: &Value) -> crate::service::Client {
    let token = grant["access_token"].as_str().expect("a token");
    observed.service().client_with(Some(token.to_owned()))
}
