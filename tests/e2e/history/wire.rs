//! What the clients ask for, as requests, and what they are answered.

use reqwest::Method;
use serde_json::{Value, json};
use taskhold_testkit::linearizability::task::{Action, Change, Outcome, Shown};

use crate::service::{Answer, Client, TASKS, WAIT_TIMEOUT};

/// A task, as it is asked for.
pub struct Task {
    /// Its number among all, which its description holds for ever, so that lists tell it too.
    pub number: u64,
    pub path: String,
}

/// What became of a request.
pub enum Reply {
    Answered(Answer),
    /// It had surely no effect.
    Refused,
    /// It may have its effect, at any time.
    Unknown,
}

/// The request for an action.
pub fn request(instance: &Client, task: &Task, action: &Action) -> reqwest::RequestBuilder {
    let path = &task.path;
    let entitled = |title: &str| json!({"title": title, "description": task.number.to_string()});
    let (request, if_match) = match action {
        Action::Create { title } => (
            instance.request(Method::POST, path).json(&entitled(title)),
            None,
        ),
        Action::Read => (instance.request(Method::GET, path), None),
        Action::List => (instance.request(Method::GET, TASKS), None),
        Action::Change {
            change: Change::Title(title),
            if_match,
        } => (
            instance.request(Method::PUT, path).json(&entitled(title)),
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
        Some(version) => request.header("if-match", format!("\"{version}\"")),
        None => request,
    }
}

pub async fn attempt(request: reqwest::RequestBuilder, keyed: bool) -> Reply {
    let answer = match Answer::try_of(request.timeout(WAIT_TIMEOUT)).await {
        Ok(answer) => answer,
        // It never left.
        Err(error) if error.is_connect() => return Reply::Refused,
        Err(_) => return Reply::Unknown,
    };
    match (answer.status, keyed) {
        (200 | 201 | 204 | 404 | 412, _) => Reply::Answered(answer),
        (503, false) => Reply::Refused,
        // The first of two that are the same may still be under way.
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
            version: answer
                .header("etag")
                .trim_matches('"')
                .parse()
                .expect("a version"),
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
