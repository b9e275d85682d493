//! The order by hand, as clients see it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{Answer, Client, Database, Service, TASKS, path};

const RANDOM_ID: &str = "01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f";

/// Creates tasks with these titles. The last one is then the first.
async fn create(client: &Client, titles: &[&str]) -> Vec<Value> {
    let mut tasks = Vec::new();
    for title in titles {
        tasks.push(client.create(json!({ "title": title })).await);
    }
    tasks
}

async fn move_to(client: &Client, task: &Value, body: Value) -> Answer {
    let path = format!("{}/move", path(task));
    client.send(Method::POST, &path, Some(body)).await
}

/// Returns the titles in the order by hand, read in pages.
async fn order(client: &Client) -> Vec<String> {
    let mut titles = Vec::new();
    let mut query = format!("{TASKS}?sort=position&limit=2");
    loop {
        let page = client.get(&query).await;
        assert_eq!(page.status, 200, "{page:?}");
        let tasks = page.body["tasks"].as_array().expect("tasks").clone();
        titles.extend(
            tasks
                .iter()
                .map(|task| task["title"].as_str().expect("a title").to_owned()),
        );
        let Some(cursor) = page.body["next_cursor"].as_str() else {
            return titles;
        };
        query = format!("{TASKS}?sort=position&limit=2&cursor={cursor}");
    }
}

async fn moved_task_is_listed_at_its_place(database: Database) {
    let service = Service::start(&database).await;
    let anna = service.client("anna");
    let tasks = create(&anna, &["a", "b", "c", "d"]).await;
    assert_eq!(order(&anna).await, ["d", "c", "b", "a"]);
    for (place, body, expected) in [
        (0, json!({"after": null}), ["a", "d", "c", "b"]),
        (3, json!({"before": null}), ["a", "c", "b", "d"]),
        (3, json!({"before": tasks[2]["id"]}), ["a", "d", "c", "b"]),
        (
            0,
            json!({"after": tasks[2]["id"], "title": "x"}),
            ["d", "c", "a", "b"],
        ),
        (0, json!({"after": tasks[0]["id"]}), ["d", "c", "a", "b"]),
    ] {
        let before = anna.get(&path(&tasks[place])).await.body["task"].clone();
        let moved = move_to(&anna, &tasks[place], body.clone()).await;
        assert_eq!(moved.status, 200, "{moved:?}");
        assert_eq!(order(&anna).await, expected, "{body}");
        let task = &moved.body["task"];
        assert_ne!(task["etag"], before["etag"]);
        assert!(task["updated_at"].as_str() > before["updated_at"].as_str());
        for member in ["title", "completed", "created_at"] {
            assert_eq!(task[member], before[member]);
        }
        let history = anna.get(&format!("{}/history?limit=1", path(task))).await;
        let change = &history.body["history"][0];
        assert_eq!(change["kind"], "moved");
        assert_eq!(change["seq"].to_string(), moved.header("change-seq"));
        if task["position"] != before["position"] {
            let fields = json!({"position": {"from": before["position"], "to": task["position"]}});
            assert_eq!(change["fields"], fields);
        }
    }
    create(&anna, &["e"]).await;
    assert_eq!(order(&anna).await, ["e", "d", "c", "a", "b"]);
    // Another instance, or this one after a restart, lists the same.
    service.stop().await;
    let service = Service::start(&database).await;
    assert_eq!(
        order(&service.client("anna")).await,
        ["e", "d", "c", "a", "b"]
    );
}

async fn malformed_move_changes_nothing(database: Database) {
    let service = Service::start(&database).await;
    let (anna, ben) = (service.client("anna"), service.client("ben"));
    let tasks = create(&anna, &["a", "b"]).await;
    let foreign = ben.create(json!({"title": "his"})).await;
    let gone = anna.create(json!({"title": "gone"})).await;
    anna.send(Method::DELETE, &path(&gone), None).await;
    let (id, other) = (&tasks[0]["id"], &tasks[1]["id"]);
    for (body, field) in [
        (json!({}), None),
        (json!({"title": "x"}), None),
        (json!({"before": other, "after": null}), None),
        (json!({"before": null, "after": null}), None),
        (json!({"before": 1, "after": []}), None),
        (json!({"before": 1}), Some("before")),
        (json!({"before": ""}), Some("before")),
        (json!({"before": "x"}), Some("before")),
        (json!({"after": true}), Some("after")),
        (json!({"after": [other]}), Some("after")),
        (json!({"after": {"id": other}}), Some("after")),
        (
            json!({"after": other.as_str().map(|id| id.replace('-', ""))}),
            Some("after"),
        ),
    ] {
        let answer = move_to(&anna, &tasks[0], body.clone()).await;
        answer.assert_problem(422, "VALIDATION_ERROR");
        assert_eq!(
            answer.body["errors"][0]["field"].as_str(),
            field.or(Some("body")),
            "{body}"
        );
    }
    for body in [json!([]), json!(null), json!("x")] {
        let answer = move_to(&anna, &tasks[0], body).await;
        answer.assert_problem(400, "MALFORMED_REQUEST");
    }
    for (body, status, code) in [
        (json!({"before": RANDOM_ID}), 404, "NOT_FOUND"),
        (json!({"after": gone["id"]}), 404, "NOT_FOUND"),
        (json!({"after": foreign["id"]}), 403, "FORBIDDEN"),
    ] {
        let answer = move_to(&anna, &tasks[0], body).await;
        answer.assert_problem(status, code);
        assert!(!answer.body.to_string().contains("ben"), "{answer:?}");
    }
    move_to(&anna, &gone, json!({"after": null}))
        .await
        .assert_problem(404, "NOT_FOUND");
    move_to(&ben, &tasks[0], json!({"before": id}))
        .await
        .assert_problem(403, "FORBIDDEN");
    let stale = anna.request(Method::POST, &format!("{}/move", path(&tasks[0])));
    let stale = stale
        .header("if-match", "\"7-0\"")
        .json(&json!({"before": RANDOM_ID}));
    let stale = Answer::of(stale).await;
    stale.assert_problem(412, "PRECONDITION_FAILED");
    assert_eq!(stale.body["task"], tasks[0]);
    assert_eq!(order(&anna).await, ["b", "a"]);
    assert_eq!(anna.get(&path(&tasks[0])).await.body["task"], tasks[0]);
}

async fn move_is_repeated_and_undone_as_other_changes(database: Database) {
    let service = Service::start(&database).await;
    let anna = service.client("anna");
    let tasks = create(&anna, &["a", "b", "c"]).await;
    let tag = tasks[0]["etag"].as_str().expect("a tag");
    let send = async || {
        let request = anna.request(Method::POST, &format!("{}/move", path(&tasks[0])));
        let request = request
            .header("idempotency-key", "k")
            .header("if-match", tag);
        Answer::of(request.json(&json!({"before": tasks[1]["id"]}))).await
    };
    let first = send().await;
    assert_eq!(
        (first.status, order(&anna).await),
        (200, ["c", "a", "b"].map(String::from).into())
    );
    move_to(&anna, &tasks[1], json!({"after": null})).await;
    let again = send().await;
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(
        (&again.body, again.header("change-seq")),
        (&first.body, first.header("change-seq"))
    );
    assert_eq!(order(&anna).await, ["b", "c", "a"]);
    let undo = format!("/api/v1/changes/{}/undo", first.header("change-seq"));
    let undone = anna.send(Method::POST, &undo, None).await;
    assert_eq!(undone.body["task"]["position"], tasks[0]["position"]);
    move_to(&anna, &tasks[0], json!({"before": null})).await;
    let conflict = anna.send(Method::POST, &undo, None).await;
    conflict.assert_problem(409, "UNDO_CONFLICT");
    let changes = anna.get("/api/v1/changes").await;
    for task in changes.body["changed"].as_array().expect("tasks") {
        assert_eq!(*task, anna.get(&path(task)).await.body["task"]);
    }
    // A task comes back from the trash to its place.
    let deleted = anna.send(Method::DELETE, &path(&tasks[2]), None).await;
    assert_eq!(deleted.status, 204);
    let restore = format!("{}/restore", path(&tasks[2]).replace("/tasks/", "/trash/"));
    anna.send(Method::POST, &restore, None).await;
    assert_eq!(order(&anna).await, ["b", "c", "a"]);
}

on_both_stores! {
    moved_task_is_listed_at_its_place
    malformed_move_changes_nothing
    move_is_repeated_and_undone_as_other_changes
}
