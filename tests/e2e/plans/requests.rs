//! The requests about tasks.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Observed, PlannedStatement, Request, TASKS_EACH, TASKS_OF_ONE};
use crate::service::{Client, TASKS, eventually, path};

const SORTS: [&str; 14] = [
    "created_at",
    "-created_at",
    "updated_at",
    "-updated_at",
    "title",
    "-title",
    "priority",
    "-priority",
    "completed_at",
    "-completed_at",
    "due",
    "-due",
    "position",
    "-position",
];

/// Sends a request to each endpoint as a user with 1,000 tasks and as one with 10,000.
pub(super) async fn tasks(observed: &mut impl Observed, all: &mut Vec<PlannedStatement>) {
    for (user, tasks) in [("user-7", TASKS_EACH), ("user-200", TASKS_OF_ONE)] {
        let client = observed.service().client(user);
        // The first creation of an owner on an instance counts the owner's tasks as well.
        let first = creation("First").with_statements(2);
        let created = observed.expect(&client, &first, all).await;
        let task = path(&created.body["task"]);
        let tag = created.body["task"]["etag"].as_str().expect("a tag");
        let second = observed.expect(&client, &creation("Second"), all).await;
        let second = second.body["task"]["id"].clone();

        // One statement for each thousand, and one for the two new tasks.
        let list = Request::get(TASKS).with_statements(tasks as usize / 1000 + 1);
        observed.expect(&client, &list, all).await;
        pages(observed, &client, all).await;

        let text = json!({"title": "Third", "description": ""});
        let completion = format!("{task}/complete");
        // The creation is undone: the task moves to the trash.
        let undo = format!("/api/v1/changes/{}/undo", created.header("change-seq"));
        let requests = [
            Request::get(&task),
            Request::get(&format!("{TASKS}/stats")),
            Request::new(Method::PUT, &task)
                .with_body(text.clone())
                .header("if-match", tag),
            Request::new(Method::PUT, &task).with_body(text),
            Request::new(Method::PATCH, &task).with_body(json!({"description": "More"})),
            Request::new(Method::PATCH, &completion).with_body(json!({"completed": true})),
            Request::new(Method::PATCH, &completion),
            Request::new(Method::POST, &format!("{task}/move"))
                .with_body(json!({"after": second}))
                .with_statements(None),
            Request::new(Method::POST, &format!("{task}/move"))
                .with_body(json!({"before": null}))
                .with_statements(None),
            Request::new(Method::DELETE, &task).with_status(204),
            Request::get(&task).with_status(404),
            Request::get("/api/v1/trash?limit=20"),
            Request::new(Method::POST, &format!("{}/restore", trashed(&task))),
            Request::get("/api/v1/changes?limit=20").with_statements(2),
            // The task and its changes.
            Request::get(&format!("{task}/history")).with_statements(2),
            Request::new(Method::POST, &undo).with_statements(None),
            Request::new(Method::DELETE, &trashed(&task))
                .with_status(204)
                .with_statements(None),
            // A change that finds no task queries the reason.
            Request::new(Method::PATCH, &task)
                .with_body(json!({"title": "Gone"}))
                .with_status(404)
                .with_statements(2),
            // A completion asks first whether the task repeats.
            Request::new(Method::PATCH, &completion)
                .with_status(404)
                .with_statements(None),
        ];
        for request in requests {
            observed.expect(&client, &request, all).await;
        }
        repeated(observed, &client, all).await;
    }
    let mine = observed.service().client("user-7");
    let created = observed.expect(&mine, &creation("Mine"), all).await;
    let stranger = observed.service().client("user-8");
    let foreign_task = path(&created.body["task"]);
    let forbidden = Request::new(Method::DELETE, &foreign_task).with_status(403);
    observed
        .expect(&stranger, &forbidden.with_statements(2), all)
        .await;
    let export = Request::get("/api/v1/export").with_statements(None);
    observed.expect(&mine, &export, all).await;
}

/// Completes a task that repeats, twice, and undoes the first completion. The second one is one statement.
async fn repeated(observed: &mut impl Observed, client: &Client, all: &mut Vec<PlannedStatement>) {
    let rent = json!({"title": "Rent", "due": "2026-12-01", "repeat": "FREQ=MONTHLY"});
    let created = creation("Rent").with_body(rent);
    let created = observed.expect(client, &created, all).await;
    let completion = format!("{}/complete", path(&created.body["task"]));
    let completion = Request::new(Method::PATCH, &completion).with_body(json!({"completed": true}));
    let with_follow_up = completion.clone().with_statements(None);
    let completed = observed.expect(client, &with_follow_up, all).await;
    observed.expect(client, &completion, all).await;
    let undo = format!("/api/v1/changes/{}/undo", completed.header("change-seq"));
    let undo = Request::new(Method::POST, &undo).with_statements(None);
    observed.expect(client, &undo, all).await;
}

/// Returns the path of a task in the trash.
fn trashed(path: &str) -> String {
    path.replace("/tasks/", "/trash/")
}

/// Requests pages in every order, with every filter, by cursor and by offset.
async fn pages(observed: &mut impl Observed, client: &Client, all: &mut Vec<PlannedStatement>) {
    for sort in SORTS {
        for filter in [
            "",
            "&completed=true",
            "&q=ask",
            "&completed=false&q=ask",
            "&priority=high,low",
            "&tag=home",
            "&due=overdue",
            "&due=any&completed=false",
            "&due=none",
            "&due_from=2024-01-01&timezone=Europe/Berlin",
        ] {
            let page = format!("{TASKS}?limit=20&sort={sort}{filter}");
            let first = observed.expect(client, &Request::get(&page), all).await;
            let cursor = first.body["next_cursor"].as_str().expect("more");
            let next = Request::get(&format!("{page}&cursor={cursor}"));
            observed.expect(client, &next, all).await;
        }
        let later = Request::get(&format!("{TASKS}?limit=20&sort={sort}&offset=40"));
        // Where dates lie among times is known only after they are read: one statement skips, one reads the page.
        let statements = if sort.ends_with("due") { 2 } else { 1 };
        let later = later.with_statements(statements);
        observed.expect(client, &later, all).await;
        // Today has few tasks, or none.
        let today = format!("{TASKS}?limit=20&sort={sort}&due=today&timezone=Asia/Tokyo");
        observed.expect(client, &Request::get(&today), all).await;
    }
}

/// Reads tasks concurrently until several reads are batched into one statement.
pub(super) async fn concurrent_reads(
    observed: &mut impl Observed,
    all: &mut Vec<PlannedStatement>,
) {
    let client = observed.service().client("user-9");
    let tasks = client.get(&format!("{TASKS}?limit=50")).await.body["tasks"].clone();
    let tasks: Vec<Value> = serde_json::from_value(tasks).expect("a list");
    eventually("some reads share a statement", async || {
        let reads = tasks.iter().map(|task| {
            let (client, path) = (client.clone(), path(task));
            async move { client.get(&path).await.status }
        });
        assert!(join_all(reads).await.iter().all(|status| *status == 200));
        observed.check_new_statements("concurrent reads", all).await;
        all.iter().any(is_batched).then_some(())
    })
    .await;
}

fn is_batched(planned: &PlannedStatement) -> bool {
    let keys = planned.statement.split_once(" FROM (VALUES (");
    keys.is_some_and(|(_, keys)| keys.contains("), (") && keys.contains(", \"tasks\" WHERE "))
}

pub(super) async fn concurrent_creations(
    observed: &mut impl Observed,
    all: &mut Vec<PlannedStatement>,
) {
    let client = observed.service().client("user-9");
    eventually("some creations share a statement", async || {
        let creations = (0..20).map(|_| {
            let client = client.clone();
            async move {
                client
                    .post(TASKS, json!({"title": "One of many"}))
                    .await
                    .status
            }
        });
        assert!(
            join_all(creations)
                .await
                .iter()
                .all(|status| *status == 201)
        );
        observed
            .check_new_statements("concurrent creations", all)
            .await;
        all.iter().any(adds_several).then_some(())
    })
    .await;
}

fn adds_several(planned: &PlannedStatement) -> bool {
    let PlannedStatement { statement, .. } = planned;
    let is_addition = statement.contains("INSERT INTO tasks");
    // SQLite gets the tasks as one value, and PostgreSQL as rows.
    is_addition && (statement.contains("FROM json_each($1)") || statement.contains("), ($"))
}

/// Writes with idempotency keys, for the first time and again.
pub(super) async fn keyed_writes(observed: &mut impl Observed, all: &mut Vec<PlannedStatement>) {
    let client = observed.service().client("user-7");
    let keyed = |request: Request, key: &str| request.header("idempotency-key", key);
    let created = keyed(creation("Once").with_statements(None), "plans-1");
    let task = path(&observed.expect(&client, &created, all).await.body["task"]);
    let completion = Request::new(Method::PATCH, &format!("{task}/complete")).with_statements(None);
    let deletion = Request::new(Method::DELETE, &task)
        .with_status(204)
        .with_statements(None);
    let requests = [
        created,
        keyed(completion.clone(), "plans-2"),
        keyed(completion, "plans-2"),
        keyed(deletion.clone(), "plans-3"),
        keyed(deletion, "plans-3"),
    ];
    for request in requests {
        observed.expect(&client, &request, all).await;
    }
}

fn creation(title: &str) -> Request {
    Request::new(Method::POST, TASKS)
        .with_body(json!({"title": title}))
        .with_status(201)
}
