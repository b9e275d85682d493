//! Tasks that repeat: a completion adds one follow-up, however it is sent.

mod dates;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{Answer, Client, Database, Service, TASKS, path};

const BERLIN: &str = "2026-12-01T09:00:00+01:00[Europe/Berlin]";

on_both_stores! {
    concurrent_completions_create_one_follow_up
    repeated_request_under_a_key_creates_one_follow_up
    undone_completion_takes_its_follow_up_back
    follow_up_may_exceed_the_quota
    every_way_to_complete_creates_one_follow_up
    completion_again_creates_no_other
    stale_completion_creates_no_follow_up
    change_that_leaves_a_repeat_without_due_date_returns_422
    follow_up_is_found_exported_and_imported
    completions_cut_off_by_kills_create_one_follow_up_each
}

async fn plants(client: &Client) -> Value {
    let plants = json!({
        "title": "Water the plants", "due": BERLIN,
        "repeat": "FREQ=WEEKLY;COUNT=5", "priority": "high", "tags": ["home"],
    });
    client.create(plants).await
}

async fn complete(client: &Client, task: &Value) -> Answer {
    let body = Some(json!({"completed": true}));
    let path = format!("{}/complete", path(task));
    client.send(Method::PATCH, &path, body).await
}

/// Asserts that one of the answers has a follow-up and returns it.
fn only_follow_up(answers: &[Answer]) -> Value {
    for answer in answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["task"]["completed"], true);
        assert_eq!(answer.body["task"]["repeat"], Value::Null);
    }
    let mut next = answers
        .iter()
        .filter_map(|answer| answer.body.get("next").cloned());
    let follow_up = next.next().expect("a follow-up");
    assert_eq!(next.next(), None);
    follow_up
}

/// Completions in three forms, with and without the batches of PostgreSQL.
async fn concurrent_completions_create_one_follow_up(database: Database) {
    for batch_size in ["1", "64"] {
        let batches = [("TASKHOLD__DATABASE__BATCH_SIZE", batch_size)];
        let service = Service::start_with(&database, &batches).await;
        let user = format!("alice-{batch_size}");
        let alice = service.client(&user);
        let task = plants(&alice).await;
        let (plain, item) = (alice.create(json!({"title": "once"})).await, path(&task));
        let completions = (0..30).map(|number| {
            let (alice, task, item) = (&alice, &task, &item);
            async move {
                let title = json!({"title": "Water the plants", "completed": true});
                let (method, body) = match number % 3 {
                    0 => return complete(alice, task).await,
                    1 => (Method::PATCH, json!({"completed": true})),
                    _ => (Method::PUT, title),
                };
                alice.send(method, item, Some(body)).await
            }
        });
        let others = (0..10).map(|_| complete(&alice, &plain));
        let (completions, others) = tokio::join!(join_all(completions), join_all(others));
        let next = only_follow_up(&completions);
        assert_eq!(next["due"], "2026-12-08T09:00:00+01:00[Europe/Berlin]");
        assert_eq!(next["repeat"], "FREQ=WEEKLY;COUNT=4");
        for other in others {
            assert_eq!((other.status, other.body.get("next")), (200, None));
        }
        let tasks = alice.tasks().await;
        assert_eq!(tasks.len(), 3, "{tasks:?}");
        assert!(tasks.contains(&next));
        assert!(service.stop().await.success());
    }
}

async fn repeated_request_under_a_key_creates_one_follow_up(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let task = plants(&alice).await;
    let toggle = format!("{}/complete", path(&task));
    let answers = (0..20).map(|_| alice.send_keyed("toggle", Method::PATCH, &toggle, None));
    let answers = join_all(answers).await;
    let first = answers.first().expect("an answer");
    let next = &first.body["next"];
    for answer in &answers {
        assert_eq!((answer.status, &answer.body["next"]), (200, next));
        assert_eq!(answer.body, first.body);
        assert_eq!(answer.header("change-seq"), first.header("change-seq"));
    }
    assert_eq!(alice.tasks().await.len(), 2);

    // The answer is replayed after a restart, and after the follow-up is gone.
    let deleted = alice.send(Method::DELETE, &path(next), None).await;
    assert_eq!(deleted.status, 204);
    assert!(service.stop().await.success());
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let replayed = alice
        .send_keyed("toggle", Method::PATCH, &toggle, None)
        .await;
    assert_eq!(replayed.header("idempotent-replayed"), "true");
    assert_eq!(replayed.body, first.body);
    assert_eq!(alice.tasks().await.len(), 1);
}

async fn undone_completion_takes_its_follow_up_back(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let task = plants(&alice).await;
    let completed = complete(&alice, &task).await;
    let next = only_follow_up(std::slice::from_ref(&completed));
    let seq: u64 = completed.header("change-seq").parse().expect("a number");
    let history = alice.get(&format!("{}/history", path(&next))).await;
    assert_eq!(history.body["history"][0]["seq"], seq);
    let undo = async |seq: u64| {
        let path = format!("/api/v1/changes/{seq}/undo");
        alice.send(Method::POST, &path, None).await
    };

    let renamed = Some(json!({"title": "Water the cactus"}));
    let renamed = alice.send(Method::PATCH, &path(&next), renamed).await;
    assert_eq!(undo(seq).await.status, 200);
    assert_eq!(alice.get(&path(&next)).await.body, renamed.body);

    // The number of either change takes both back.
    for of_the_second in [true, false] {
        let task = plants(&alice).await;
        let completed = complete(&alice, &task).await;
        let next = only_follow_up(std::slice::from_ref(&completed));
        let seq: u64 = completed.header("change-seq").parse().expect("a number");
        let undone = undo(if of_the_second { seq } else { seq - 1 }).await;
        let mut back = undone.body["task"].clone();
        for changed in ["updated_at", "etag"] {
            back[changed] = task[changed].clone();
        }
        assert_eq!(back, task);
        assert_eq!(undone.header("change-seq"), (seq + 2).to_string());
        assert_eq!(alice.get(&path(&next)).await.status, 404);
        let trash = alice.get("/api/v1/trash").await;
        assert_eq!(trash.body["tasks"][0]["id"], next["id"]);

        let redone = undo(seq + 2).await;
        assert_eq!(redone.body["task"]["completed"], true);
        assert_eq!(redone.body["task"]["repeat"], Value::Null);
        let again = alice.get(&path(&next)).await;
        assert_eq!(again.body["task"]["repeat"], next["repeat"]);
    }
}

async fn follow_up_may_exceed_the_quota(database: Database) {
    let quota = [("TASKHOLD__TASKS__MAX_PER_USER", "1")];
    let service = Service::start_with(&database, &quota).await;
    let alice = service.client("alice");
    let task = plants(&alice).await;
    let refused = alice.post(TASKS, json!({"title": "another"})).await;
    refused.assert_problem(409, "QUOTA_EXCEEDED");
    only_follow_up(&[complete(&alice, &task).await]);
    assert_eq!(alice.tasks().await.len(), 2);
}

async fn every_way_to_complete_creates_one_follow_up(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let (done, title) = (json!({"completed": true}), "Water the plants");
    for (method, end, body) in [
        (Method::PATCH, "/complete", Some(done.clone())),
        (Method::PATCH, "/complete", None),
        (Method::PATCH, "", Some(done)),
        (
            Method::PUT,
            "",
            Some(json!({"title": title, "completed": true})),
        ),
    ] {
        for has_key in [false, true] {
            let task = plants(&alice).await;
            let path = format!("{}{end}", path(&task));
            let (method, body) = (method.clone(), body.clone());
            let answer = if has_key {
                let key = path.rsplit("tasks/").next().expect("an id");
                alice.send_keyed(key, method, &path, body).await
            } else {
                alice.send(method, &path, body).await
            };
            let mut next = only_follow_up(&[answer]);
            assert!(alice.tasks().await.contains(&next));
            for fresh in ["id", "etag", "created_at", "updated_at", "position"] {
                assert_ne!(next[fresh], task[fresh], "{fresh}");
                next[fresh] = task[fresh].clone();
            }
            let mut expected = task;
            expected["due"] = "2026-12-08T09:00:00+01:00[Europe/Berlin]".into();
            expected["repeat"] = "FREQ=WEEKLY;COUNT=4".into();
            assert_eq!(next, expected);
        }
    }
    assert_eq!(alice.tasks().await.len(), 16);
}

async fn completion_again_creates_no_other(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let task = plants(&alice).await;
    only_follow_up(&[complete(&alice, &task).await]);
    let completion = format!("{}/complete", path(&task));
    let reopened = json!({"completed": false});
    for body in [
        Some(json!({"completed": true})),
        Some(reopened),
        Some(json!({"completed": true})),
        // Reopens and completes.
        None,
        None,
    ] {
        let answer = alice.send(Method::PATCH, &completion, body).await;
        assert_eq!((answer.status, answer.body.get("next")), (200, None));
        assert_eq!(answer.body["task"]["repeat"], Value::Null);
    }
    assert_eq!(alice.tasks().await.len(), 2);
}

async fn stale_completion_creates_no_follow_up(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let task = plants(&alice).await;
    let renamed = Some(json!({"title": "Water the cactus"}));
    let renamed = alice.send(Method::PATCH, &path(&task), renamed).await;
    let completion = format!("{}/complete", path(&task));
    let with_tag = async |tag: &str| {
        let request = alice.request(Method::PATCH, &completion);
        Answer::of(request.header("if-match", tag)).await
    };
    for path in [completion.clone(), path(&task)] {
        let request = alice.request(Method::PATCH, &path);
        let request = request.json(&json!({"completed": true}));
        let request = request.header("if-match", task["etag"].as_str().expect("a tag"));
        let stale = Answer::of(request).await;
        stale.assert_problem(412, "PRECONDITION_FAILED");
        assert_eq!(stale.body["task"], renamed.body["task"]);
    }
    assert_eq!(alice.tasks().await.len(), 1);
    let current = with_tag(renamed.header("etag")).await;
    let next = only_follow_up(&[current]);
    assert_eq!(next["title"], "Water the cactus");
    // The tag that has completed the task is stale now.
    let again = with_tag(renamed.header("etag")).await;
    again.assert_problem(412, "PRECONDITION_FAILED");
    assert_eq!(alice.tasks().await.len(), 2);
}

async fn change_that_leaves_a_repeat_without_due_date_returns_422(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let task = plants(&alice).await;
    let plain = alice.create(json!({"title": "plain"})).await;
    let before = alice.tasks().await;
    let title = json!({"title": "x"});
    for (task, change) in [
        (&task, json!({"due": null})),
        (&task, json!({"due": null, "completed": true})),
        (&task, json!({"due": null, "repeat": "FREQ=DAILY"})),
        (&plain, json!({"repeat": "FREQ=DAILY"})),
        (&plain, json!({"repeat": "FREQ=DAILY", "completed": true})),
    ] {
        for method in [Method::PATCH, Method::PUT] {
            for key in [None, Some("refused")] {
                let mut body = change.clone();
                body["title"] = title["title"].clone();
                let request = alice.request(method.clone(), &path(task)).json(&body);
                let request = match key {
                    Some(key) => request.header("idempotency-key", key),
                    None => request,
                };
                let refused = Answer::of(request).await;
                refused.assert_problem(422, "VALIDATION_ERROR");
                let errors =
                    json!([{"field": "repeat", "message": "Task repeat needs a due date"}]);
                assert_eq!(refused.body["errors"], errors, "{method} {body}");
            }
        }
    }
    assert_eq!(alice.tasks().await, before);
    for (task, change) in [
        (&task, json!({"due": null, "repeat": null})),
        (&plain, json!({"due": "2026-12-01", "repeat": "FREQ=DAILY"})),
    ] {
        let changed = alice.send(Method::PATCH, &path(task), Some(change)).await;
        assert_eq!(changed.status, 200, "{changed:?}");
    }
}

async fn follow_up_is_found_exported_and_imported(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let done = json!({"title": "Gießen", "tags": ["Straße"], "completed": true});
    let task = plants(&alice).await;
    let seen = alice.get("/api/v1/changes").await;
    let completed = alice.send(Method::PATCH, &path(&task), Some(done)).await;
    let next = only_follow_up(std::slice::from_ref(&completed));
    for query in ["q=GIESSEN", "tag=strasse", "priority=high"] {
        let page = alice.get(&format!("{TASKS}?{query}&completed=false")).await;
        assert_eq!(page.body["tasks"], json!([next]), "{query}");
    }
    let cursor = seen.body["cursor"].as_str().expect("a cursor");
    let feed = alice.get(&format!("/api/v1/changes?cursor={cursor}")).await;
    let changed = feed.body["changed"].as_array().expect("a list");
    assert_eq!(changed.len(), 2, "{changed:?}");
    assert!(changed.contains(&next) && changed.contains(&completed.body["task"]));
    let history = alice.get(&format!("{}/history", path(&task))).await;
    assert_eq!(
        history.body["history"][0]["fields"]["repeat"],
        json!({"from": "FREQ=WEEKLY;COUNT=5", "to": null})
    );

    let path = format!("{}/tasks.ndjson", database.folder.path().display());
    let export = [
        "export", "--user", "alice", "--format", "ndjson", "--output", &path,
    ];
    let exported = database.taskhold(&export);
    assert!(exported.status.success(), "{exported:?}");
    let other = database.another().await;
    let (status, report) = other.import(&path, &["--strict"]);
    assert_eq!(status, 0, "{report}");
    let service = Service::start(&other).await;
    let mut imported = service.client("alice").tasks().await;
    let mut expected = alice.tasks().await;
    for tasks in [&mut imported, &mut expected] {
        tasks.sort_by_key(|task| task["id"].as_str().map(str::to_owned));
    }
    assert_eq!(imported, expected);
}

async fn completions_cut_off_by_kills_create_one_follow_up_each(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let mut tasks = Vec::new();
    for _ in 0..20 {
        tasks.push(plants(&alice).await);
    }
    let completion = |client: Client, number: usize, task: &Value| {
        let request = client.request(Method::PATCH, &format!("{}/complete", path(task)));
        let request = request.json(&json!({"completed": true}));
        // Half of them can be repeated because of their key, and half because they are idempotent.
        let request = match number % 2 {
            0 => request,
            _ => request.header("idempotency-key", format!("key-{number}")),
        };
        Answer::try_of(request)
    };
    let sent = tasks
        .iter()
        .enumerate()
        .map(|(number, task)| tokio::spawn(completion(alice.clone(), number, task)));
    let sent: Vec<_> = sent.collect();
    crate::service::eventually("some are done", async || {
        sent.iter()
            .any(tokio::task::JoinHandle::is_finished)
            .then_some(())
    })
    .await;
    service.kill();
    join_all(sent).await;

    let service = Service::start(&database).await;
    let alice = service.client("alice");
    for (number, task) in tasks.iter().enumerate() {
        let answer = completion(alice.clone(), number, task)
            .await
            .expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let after = alice.tasks().await;
    let open = after.iter().filter(|task| task["completed"] == false);
    assert_eq!((after.len(), open.count()), (40, 20));
}
