//! Every security event is in the log, with its reason, and leads to a client and a user.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use taskhold_application::security_log::Event;

use super::{
    BEHIND_A_PROXY, CHANGE_PASSWORD, Grant, LOGIN, LOGOUT, ME, PASSWORD, REFRESH, REGISTER,
    SESSIONS, TOKENS, send_from,
};
use crate::service::{Answer, Client, Database, SECRET, Service, signed, tomorrow};

const CLIENT: &str = "203.0.113.7";
const WRONG: &str = "wrong horse battery";

/// Returns the security events of the log so far.
fn events(service: &Service) -> Vec<Value> {
    let log = service.log();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    lines
        .filter(|line: &Value| line["target"] == "taskhold::security")
        .collect()
}

struct Watched {
    service: Service,
    seen: usize,
    names: BTreeSet<String>,
}

impl Watched {
    /// Sends a request, asserts that it is answered with this status and logs one event, whose name and reason
    /// are given, and returns the answer. The user is known where `has_user`.
    async fn logs(
        &mut self,
        client: &Client,
        (method, path, body): (Method, &str, Value),
        status: u16,
        (event, reason): (&str, &str),
        has_user: bool,
    ) -> Answer {
        let answer = send_from(client, CLIENT, method, path, &body).await;
        assert_eq!(answer.status, status, "{event} {reason}: {answer:?}");
        let new = crate::service::eventually(event, async || {
            let events = events(&self.service);
            (events.len() > self.seen).then_some(events)
        })
        .await;
        let [line] = &new[self.seen..] else {
            panic!("one event: {:?}", &new[self.seen..]);
        };
        self.seen = new.len();
        assert_eq!(
            (line["event"].as_str(), line["reason"].as_str()),
            (Some(event), Some(reason)),
            "{line}"
        );
        assert_eq!(line["client"], CLIENT, "{line}");
        assert_eq!(line["request_id"], answer.header("x-request-id"), "{line}");
        let user = line["user"].as_str();
        assert_eq!(
            user.is_some_and(|user| user.len() == 16),
            has_user,
            "{line}"
        );
        self.names.insert(event.to_owned());
        answer
    }
}

fn post(path: &str, body: Value) -> (Method, &str, Value) {
    (Method::POST, path, body)
}

fn refresh(token: &str) -> (Method, &'static str, Value) {
    post(REFRESH, json!({"refresh_token": token}))
}

async fn every_security_event_is_logged(database: Database) {
    let variables = [
        BEHIND_A_PROXY,
        ("TASKHOLD__LOG__FORMAT", "json"),
        ("TASKHOLD__LIMITS__REFRESHES_PER_MINUTE", "8"),
        ("TASKHOLD__AUTH__AUDIENCE", "tasks"),
        ("TASKHOLD__AUTH__ISSUER", "an issuer"),
    ];
    let service = Service::start_with(&database, &variables).await;
    let nobody = service.client_with(None);
    let mut watched = Watched {
        service,
        seen: 0,
        names: BTreeSet::new(),
    };
    let (first, third) = logins_and_refreshes(&mut watched, &nobody).await;
    refused_tokens(&mut watched, &first).await;
    changes_and_endings(&mut watched, &nobody, &third).await;

    let all = Event::ALL.map(|event| event.name().to_owned());
    assert_eq!(watched.names, all.into());
    let log = watched.service.log();
    for secret in [
        "horse",
        "example.org",
        &first.access,
        &first.refresh,
        "an issuer",
    ] {
        assert!(!log.contains(secret), "{secret}");
    }
}

/// Returns the first grant, which is revoked, and one that is not.
async fn logins_and_refreshes(watched: &mut Watched, nobody: &Client) -> (Grant, Grant) {
    let ours = json!({"email": "anna@example.org", "password": PASSWORD});
    let wrong = json!({"email": "anna@example.org", "password": WRONG});
    let unknown = json!({"email": "nobody@example.org", "password": PASSWORD});
    let registered = post(REGISTER, ours.clone());
    let answer = watched
        .logs(
            nobody,
            registered.clone(),
            201,
            ("registration", "password"),
            true,
        )
        .await;
    let first = Grant::of(&answer, 201);
    let event = ("registration_failed", "email_taken");
    watched.logs(nobody, registered, 409, event, false).await;
    let event = ("login", "known_address");
    let login = post(LOGIN, ours.clone());
    let answer = watched.logs(nobody, login.clone(), 200, event, true).await;
    let second = Grant::of(&answer, 200);
    let event = ("login_failed", "unknown_account");
    watched
        .logs(nobody, post(LOGIN, unknown), 401, event, false)
        .await;
    let event = ("login_failed", "wrong_password");
    let guess = post(LOGIN, wrong);
    for _ in 0..5 {
        watched.logs(nobody, guess.clone(), 401, event, true).await;
    }
    let event = ("lock_out", "known_address");
    watched.logs(nobody, guess, 429, event, true).await;

    let answer = send_from(
        nobody,
        CLIENT,
        Method::POST,
        REFRESH,
        &refresh(&first.refresh).2,
    )
    .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let event = ("refresh_token_reuse", "session_ended");
    watched
        .logs(nobody, refresh(&first.refresh), 401, event, true)
        .await;
    let event = ("refresh_refused", "unknown_or_expired");
    watched
        .logs(nobody, refresh("invented"), 401, event, false)
        .await;
    let answer = send_from(
        nobody,
        CLIENT,
        Method::POST,
        REFRESH,
        &refresh(&second.refresh).2,
    )
    .await;
    let third = Grant::of(&answer, 200);
    (first, third)
}

async fn changes_and_endings(watched: &mut Watched, nobody: &Client, third: &Grant) {
    let anna = third.client(&watched.service);
    let change = |current: &str| {
        let body = json!({"current_password": current, "new_password": "another horse"});
        post(CHANGE_PASSWORD, body)
    };
    let event = ("password_change_failed", "wrong_password");
    watched.logs(&anna, change(WRONG), 422, event, true).await;
    let event = ("password_change", "password");
    let answer = watched
        .logs(&anna, change(PASSWORD), 200, event, true)
        .await;
    let fourth = Grant::of(&answer, 200);
    let anna = fourth.client(&watched.service);
    let draft = json!({"name": "laptop", "scopes": ["tasks:read"]});
    let event = ("personal_token_issued", "personal_token");
    let issued = watched
        .logs(&anna, post(TOKENS, draft), 201, event, true)
        .await;
    let path = format!("{TOKENS}/{}", issued.body["id"].as_str().expect("an id"));
    let revocation = (Method::DELETE, path.as_str(), json!({}));
    let event = ("personal_token_revoked", "personal_token");
    watched.logs(&anna, revocation, 204, event, true).await;
    let sessions = anna.get(SESSIONS).await.body;
    let path = format!(
        "{SESSIONS}/{}",
        sessions["sessions"][0]["id"].as_str().expect("an id")
    );
    let event = ("logout", "session");
    watched
        .logs(&anna, (Method::DELETE, &path, json!({})), 204, event, true)
        .await;

    let ben = json!({"email": "ben@example.org", "password": PASSWORD});
    let event = ("registration", "password");
    let answer = watched
        .logs(nobody, post(REGISTER, ben.clone()), 201, event, true)
        .await;
    let ben_first = Grant::of(&answer, 201).client(&watched.service);
    let event = ("logout", "all_sessions");
    watched
        .logs(&ben_first, post(LOGOUT, json!({})), 204, event, true)
        .await;
    let event = ("login", "known_address");
    let answer = watched
        .logs(nobody, post(LOGIN, ben), 200, event, true)
        .await;
    let ben = Grant::of(&answer, 200).client(&watched.service);
    let delete = |password: &str| (Method::DELETE, ME, json!({"password": password}));
    let event = ("account_deletion_failed", "wrong_password");
    watched.logs(&ben, delete(WRONG), 422, event, true).await;
    let event = ("account_deletion", "password");
    watched.logs(&ben, delete(PASSWORD), 204, event, true).await;

    let event = ("refresh_refused", "unknown_or_expired");
    for _ in 0..4 {
        watched
            .logs(nobody, refresh("invented"), 401, event, false)
            .await;
    }
    let event = ("rate_limited", "refreshes");
    watched
        .logs(nobody, refresh("invented"), 429, event, false)
        .await;
}

/// Shows tokens that are refused, each for another reason.
async fn refused_tokens(watched: &mut Watched, revoked: &Grant) {
    let claims = |member: &str, value: Value| {
        let mut claims = json!({
            "sub": "stranger", "exp": tomorrow(), "iat": tomorrow() - 86_400, "iss": "an issuer",
            "aud": "tasks",
        });
        claims[member] = value;
        claims
    };
    let (long, past) = (tomorrow() + 60 * 86_400, 1_000_000_000);
    for (reason, token, has_user) in [
        ("missing", None, false),
        ("malformed", Some("no.such.token".to_owned()), false),
        (
            "signature",
            Some(signed(&claims("sub", json!("anna")), "another secret")),
            false,
        ),
        (
            "malformed",
            Some(signed(&claims("exp", json!("soon")), SECRET)),
            false,
        ),
        (
            "subject",
            Some(signed(&claims("sub", json!("")), SECRET)),
            false,
        ),
        (
            "expired",
            Some(signed(&claims("exp", json!(past)), SECRET)),
            true,
        ),
        (
            "lifetime",
            Some(signed(&claims("exp", json!(long)), SECRET)),
            true,
        ),
        (
            "not_yet_valid",
            Some(signed(&claims("nbf", json!(tomorrow())), SECRET)),
            true,
        ),
        (
            "issuer",
            Some(signed(&claims("iss", json!("another")), SECRET)),
            true,
        ),
        (
            "audience",
            Some(signed(&claims("aud", json!(["another"])), SECRET)),
            true,
        ),
        ("revoked", Some(revoked.access.clone()), true),
    ] {
        let client = watched.service.client_with(token);
        let event = ("token_refused", reason);
        let request = (Method::GET, ME, json!({}));
        let answer = watched.logs(&client, request, 401, event, has_user).await;
        // The client itself is told nothing of the reason.
        assert!(
            !answer.body.to_string().contains(reason) || reason == "missing",
            "{answer:?}"
        );
    }
}

on_both_stores! {
    every_security_event_is_logged
}

/// The page lists every event and no other, and every reason of a refused token.
#[test]
fn security_page_lists_every_event() {
    let page = include_str!("../../../docs/reference/security-events.md");
    let (_, table) = page.split_once("| event |").expect("a table");
    let named = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let named: Vec<_> = named.filter_map(|line| line.split('`').next()).collect();
    assert_eq!(named, Event::ALL.map(Event::name));
    for reason in taskhold_application::tokens::Refusal::ALL {
        assert!(page.contains(&format!("`{}`", reason.code())), "{reason:?}");
    }
}
