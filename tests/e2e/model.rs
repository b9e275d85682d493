//! Random sequences of requests of several users, compared step by step with a model.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{Answer, Database, Service};

/// A request. Tasks are chosen by index among all that were ever created, by any user.
#[derive(Debug, Clone)]
enum Step {
    Create {
        title: String,
        completed: Option<bool>,
    },
    Read {
        task: usize,
    },
    List,
    Put {
        task: usize,
        title: String,
        description: Option<String>,
        stale: bool,
    },
    Patch {
        task: usize,
        description: Option<String>,
    },
    Complete {
        task: usize,
        completed: Option<bool>,
    },
    Delete {
        task: usize,
        stale: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let title = prop_oneof![4 => "[a-zа-я😀 ]{1,12}", 1 => Just(String::new()), 1 => "x{101}"];
    let task = 0..8_usize;
    prop_oneof![
        3 => (title.clone(), any::<Option<bool>>()).prop_map(|(title, completed)| Step::Create { title, completed }),
        1 => task.clone().prop_map(|task| Step::Read { task }),
        1 => Just(Step::List),
        2 => (task.clone(), title, proptest::option::of("[a-z]{0,9}"), any::<bool>())
            .prop_map(|(task, title, description, stale)| Step::Put { task, title, description, stale }),
        2 => (task.clone(), proptest::option::of("[a-z]{0,9}"))
            .prop_map(|(task, description)| Step::Patch { task, description }),
        3 => (task.clone(), any::<Option<bool>>()).prop_map(|(task, completed)| Step::Complete { task, completed }),
        1 => (task, any::<bool>()).prop_map(|(task, stale)| Step::Delete { task, stale }),
    ]
}

#[derive(Debug, Clone)]
struct ModelTask {
    owner: usize,
    id: String,
    title: String,
    description: String,
    completed: bool,
    version: u64,
    etag: String,
    deleted: bool,
}

impl ModelTask {
    fn fields(&self) -> (&str, &str, &str, bool) {
        (&self.id, &self.title, &self.description, self.completed)
    }
}

fn fields(task: &Value) -> (&str, &str, &str, bool) {
    let text = |name: &str| task[name].as_str().expect("text");
    (
        text("id"),
        text("title"),
        text("description"),
        task["completed"].as_bool().expect("a boolean"),
    )
}

fn is_valid(title: &str) -> bool {
    (1..=100).contains(&title.chars().count())
}

/// One sequence of requests, with users of its own.
struct Run<'a> {
    service: &'a Service,
    name: String,
    model: Vec<ModelTask>,
}

impl Run<'_> {
    async fn perform(&mut self, user: usize, step: Step) {
        match step {
            Step::Create { title, completed } => self.create(user, title, completed).await,
            Step::List => self.list(user).await,
            Step::Read { task } => {
                let answer = self.send(user, Method::GET, task, "", None, false).await;
                self.expect(user, task, &answer, true, false, |_| ());
            }
            Step::Put {
                task,
                title,
                description,
                stale,
            } => {
                let body = json!({"title": title, "description": description});
                let answer = self
                    .send(user, Method::PUT, task, "", Some(body), stale)
                    .await;
                if !is_valid(&title) {
                    return assert_eq!(answer.status, 422);
                }
                self.expect(user, task, &answer, false, stale, |task| {
                    task.title = title;
                    task.description = description.unwrap_or_default();
                    task.version += 1;
                });
            }
            Step::Patch { task, description } => {
                let body = json!({"description": description});
                let answer = self
                    .send(user, Method::PATCH, task, "", Some(body), false)
                    .await;
                self.expect(user, task, &answer, false, false, |task| {
                    task.description = description.unwrap_or_default();
                    task.version += 1;
                });
            }
            Step::Complete { task, completed } => {
                let body = completed.map(|completed| json!({"completed": completed}));
                let answer = self
                    .send(user, Method::PATCH, task, "/complete", body, false)
                    .await;
                self.expect(user, task, &answer, false, false, |task| {
                    task.completed = completed.unwrap_or(!task.completed);
                    task.version += 1;
                });
            }
            Step::Delete { task, stale } => {
                let answer = self.send(user, Method::DELETE, task, "", None, stale).await;
                self.expect(user, task, &answer, false, stale, |task| {
                    task.deleted = true;
                });
            }
        }
    }

    fn client(&self, user: usize) -> crate::service::Client {
        self.service.client(&format!("{} {user}", self.name))
    }

    async fn create(&mut self, user: usize, title: String, completed: Option<bool>) {
        let body = match completed {
            Some(completed) => json!({"title": title, "completed": completed}),
            None => json!({"title": title}),
        };
        let answer = self.client(user).post("/api/v1/tasks", body).await;
        if !is_valid(&title) {
            return assert_eq!(answer.status, 422);
        }
        assert_eq!(answer.status, 201, "{answer:?}");
        let task = ModelTask {
            owner: user,
            id: answer.body["task"]["id"]
                .as_str()
                .expect("an id")
                .to_owned(),
            title,
            description: String::new(),
            completed: completed.unwrap_or(false),
            version: 1,
            etag: answer.header("etag").to_owned(),
            deleted: false,
        };
        assert_eq!(fields(&answer.body["task"]), task.fields());
        self.model.push(task);
    }

    async fn list(&self, user: usize) {
        let tasks = self.client(user).tasks().await;
        let expected: Vec<_> = self
            .model
            .iter()
            .rev()
            .filter(|task| task.owner == user && !task.deleted)
            .map(ModelTask::fields)
            .collect();
        assert_eq!(tasks.iter().map(fields).collect::<Vec<_>>(), expected);
    }

    /// Sends a request about a task with its tag or, if `stale`, with that of another version.
    async fn send(
        &self,
        user: usize,
        method: Method,
        task: usize,
        suffix: &str,
        body: Option<Value>,
        stale: bool,
    ) -> Answer {
        const RANDOM_ID: &str = "01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f";
        let (id, tag) = self
            .model
            .get(task)
            .map_or((RANDOM_ID, "\"1-1\""), |task| (&task.id, &task.etag));
        let tag = if stale {
            tag.replacen('"', "\"1", 1)
        } else {
            tag.to_owned()
        };
        let mut request = self
            .client(user)
            .request(method, &format!("/api/v1/tasks/{id}{suffix}"));
        request = request.header("if-match", tag);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::of(request).await
    }

    fn expect(
        &mut self,
        user: usize,
        task: usize,
        answer: &Answer,
        reading: bool,
        stale: bool,
        change: impl FnOnce(&mut ModelTask),
    ) {
        let Some(task) = self.model.get_mut(task).filter(|task| !task.deleted) else {
            return assert_eq!(answer.status, 404, "{answer:?}");
        };
        if task.owner != user {
            return assert_eq!(answer.status, if reading { 404 } else { 403 }, "{answer:?}");
        }
        if stale && !reading {
            return assert_eq!(answer.status, 412, "{answer:?}");
        }
        change(task);
        if task.deleted {
            return assert_eq!(answer.status, 204, "{answer:?}");
        }
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(fields(&answer.body["task"]), task.fields());
        assert_eq!(answer.version(), task.version);
        answer.header("etag").clone_into(&mut task.etag);
    }
}

async fn random_sequences_match_the_model(database: Database) {
    let service = Service::start(&database).await;
    let mut runner = TestRunner::new(Config::default());
    let sequences = prop::collection::vec((0..3_usize, step()), 1..40);
    for number in 0..40 {
        let sequence = sequences
            .new_tree(&mut runner)
            .expect("a sequence")
            .current();
        let mut run = Run {
            service: &service,
            name: format!("sequence {number}"),
            model: Vec::new(),
        };
        println!("{sequence:?}");
        for (user, step) in sequence {
            run.perform(user, step).await;
        }
        for user in 0..3 {
            run.list(user).await;
        }
    }
}

on_both_stores! {
    random_sequences_match_the_model
}
