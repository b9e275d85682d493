//! The translation of actions into requests, and of answers into outcomes.

use reqwest::Method;
use serde_json::{Value, json};
use taskhold_testkit::linearizability::task::{Action, Change, Outcome, Shown};

use crate::service::{Answer, Client, TASKS, WAIT_TIMEOUT};

/// A task as requests address it.
pub struct Task {
    /// A unique number, which the description contains so that lists show it, too.
    pub number: u64,
    pub path: String,
}

/// The outcome of a request.
pub enum Reply {
    Answered(Answer),
    /// The request certainly had no effect.
    Refused,
    /// The user lives elsewhere: another instance is to be asked.
    Elsewhere,
    /// The request may take effect at any time.
    Unknown,
}

/// Returns the request for an action. `tag` returns the entity tag of a version of the task.
pub fn request<'a>(
    instance: &Client,
    task: &Task,
    action: &Action,
    tag: impl FnOnce(u64) -> &'a str,
) -> reqwest::RequestBuilder {
    let path = &task.path;
    let task_body = |title: &str| json!({"title": title, "description": task.number.to_string()});
    let (request, if_match) = match action {
        Action::Create { title } => (
            instance.request(Method::POST, path).json(&task_body(title)),
            None,
        ),
        Action::Read => (instance.request(Method::GET, path), None),
        Action::List => (instance.request(Method::GET, TASKS), None),
        Action::Change {
            change: Change::Title(title),
            if_match,
        } => (
            instance.request(Method::PUT, path).json(&task_body(title)),
            *if_match,
        ),
        Action::Change {
            change: Change::Toggle,
            if_match,
        } => (
            instance.request(Method::PATCH, &format!("{path}/complete")),
            *if_match,
        ),
        Action::Delete { if_match } => (instance.request(Method::DELETE, path), *if_match),
    };
    match if_match {
        Some(version) => request.header("if-match", tag(version)),
        None => request,
    }
}

pub async fn attempt(request: reqwest::RequestBuilder, keyed: bool) -> Reply {
    let answer = match Answer::try_of(request.timeout(WAIT_TIMEOUT)).await {
        Ok(answer) => answer,
        // The request was never sent.
        Err(error) if error.is_connect() => return Reply::Refused,
        Err(_) => return Reply::Unknown,
    };
    match (answer.status, keyed) {
        (200 | 201 | 204 | 404 | 412, _) => Reply::Answered(answer),
        (503, false) => Reply::Refused,
        (421, _) => {
            answer.assert_problem(421, "USER_MOVED");
            Reply::Elsewhere
        }
        // An earlier identical request may still be running.
        (503 | 409, true) | (504, false) => Reply::Unknown,
        _ => panic!("{answer:?}"),
    }
}

pub fn outcome(answer: &Answer, number: u64) -> Outcome {
    let shown = || {
        let task = &answer.body["task"];
        assert_eq!(task["description"], number.to_string());
        Shown {
            title: text(&task["title"]),
            completed: task["completed"].as_bool().expect("a boolean"),
            version: answer.version(),
        }
    };
    match answer.status {
        204 => Outcome::Deleted,
        404 => Outcome::Missing,
        412 => Outcome::Stale(shown()),
        _ => Outcome::Shown(shown()),
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}
