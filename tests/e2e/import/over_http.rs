//! `POST /api/v1/import`, on both stores.

mod uploads;

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::files::cases;
use super::fixture;
use crate::change_stream::Events;
use crate::service::{Answer, Client, Database, Service, TASKS, path};

const IMPORT: &str = "/api/v1/import";
const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

/// Sends a file of this media type.
async fn send(
    client: &Client,
    query: &str,
    media_type: &str,
    file: impl Into<reqwest::Body>,
) -> Answer {
    let request = client.request(Method::POST, &format!("{IMPORT}{query}"));
    let request = request.header("content-type", media_type).body(file);
    Answer::of(request).await
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).expect("a fixture")
}

/// Returns the first thousand rows of a file, which are several batches.
fn thousand_rows() -> Vec<u8> {
    let rows: Vec<Value> = serde_json::from_slice(&read("90-ten-thousand")).expect("an array");
    json!(rows[..1_000]).to_string().into_bytes()
}

/// Asserts that a report has these counts of imported, already present, since deleted, duplicate, rejected and
/// verified rows.
#[track_caller]
fn assert_report(answer: &Answer, expected: [u64; 6]) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let names = [
        "imported",
        "already_there",
        "deleted_since",
        "duplicates_dropped",
        "rejected",
        "verified",
    ];
    let counts = names.map(|name| answer.body[name].as_u64().expect(name));
    assert_eq!(counts, expected, "{}", answer.body);
}

async fn recorded_files_become_the_callers(database: Database) {
    let service = Service::start(&database).await;
    for case in cases() {
        let name = format!("caller of {}", case.file);
        let caller = service.client(&name);
        let mut expected: Vec<_> = case
            .tasks
            .iter()
            .flat_map(|(_, tasks)| tasks.iter().map(Value::to_string))
            .collect();
        expected.sort();
        let [imported, _, _, duplicates, rejected, verified] = case.counts;
        // The second time as a dry run, and the third time in earnest.
        for (query, counts) in [
            ("", [imported, 0, 0, duplicates, rejected, verified]),
            ("?dry_run=true", [0, imported, 0, duplicates, rejected, 0]),
            ("?dry_run=false", [0, imported, 0, duplicates, rejected, 0]),
        ] {
            let answer = send(&caller, query, JSON, read(case.file)).await;
            assert_report(&answer, counts);
            assert_eq!(answer.body["dry_run"], query == "?dry_run=true");
            assert_eq!(answer.body["rejections"], case.rejected, "{}", case.file);
            let mut tasks: Vec<_> = database
                .tasks_of(&name)
                .iter()
                .map(Value::to_string)
                .collect();
            tasks.sort();
            assert_eq!(tasks, expected, "{}", case.file);
        }
    }
    for other in ["alice", "bob", "default_user"] {
        assert_eq!(service.client(other).tasks().await, [] as [Value; 0]);
    }
}

async fn imported_tasks_are_in_the_feed_and_the_history(database: Database) {
    let service = Service::start(&database).await;
    let anna = service.client("anna");
    let mut events = Events::open(&anna).await;
    let before = events.next().await;
    let answer = send(&anna, "", JSON, thousand_rows()).await;
    assert_report(&answer, [1_000, 0, 0, 0, 0, 1_000]);
    let told = tokio::time::timeout(Duration::from_secs(10), events.next()).await;
    let mut cursor = before.clone();
    let mut changed = Vec::new();
    loop {
        let page = anna
            .get(&format!("/api/v1/changes?limit=400&cursor={cursor}"))
            .await;
        assert_eq!(page.status, 200, "{page:?}");
        changed.extend(page.body["changed"].as_array().expect("a list").clone());
        page.body["cursor"]
            .as_str()
            .expect("a cursor")
            .clone_into(&mut cursor);
        if page.body["has_more"] == false {
            break;
        }
    }
    assert_eq!(told.expect("the stream hears of it"), cursor);
    assert_eq!(changed.len(), 1_000);
    let history = anna.get(&format!("{}/history", path(&changed[0]))).await;
    let history = history.body["history"].as_array().expect("a list").clone();
    assert_eq!(history.len(), 1, "{history:?}");
    assert_eq!(
        (&history[0]["kind"], &history[0]["by"]),
        (&json!("created"), &json!("import"))
    );
}

async fn dry_run_changes_nothing(database: Database) {
    let service = Service::start(&database).await;
    let anna = service.client("anna");
    for _ in 0..2 {
        let answer = send(&anna, "?dry_run=true", JSON, read("04-duplicate-ids")).await;
        assert_report(&answer, [4, 0, 0, 2, 0, 4]);
        assert_eq!(database.lines_of("anna"), "");
    }
    let answer = send(&anna, "", JSON, read("04-duplicate-ids")).await;
    assert_report(&answer, [4, 0, 0, 2, 0, 4]);
}

async fn deleted_tasks_stay_deleted(database: Database) {
    let service = Service::start(&database).await;
    let anna = service.client("anna");
    send(&anna, "", JSON, read("01-current")).await;
    let tasks = anna.tasks().await;
    let deleted = anna.send(Method::DELETE, &path(&tasks[0]), None).await;
    assert_eq!(deleted.status, 204);
    let answer = send(&anna, "", JSON, read("01-current")).await;
    assert_report(&answer, [0, 3, 1, 0, 0, 0]);
    assert_eq!(anna.tasks().await, tasks[1..]);
}

async fn times_without_a_zone_are_local_to_the_parameter(database: Database) {
    let service = Service::start(&database).await;
    let anna = service.client("anna");
    let file = r#"[{"id": 1, "title": "Noon", "created_at": "2026-07-01T12:00:00"}]"#;
    let answer = send(&anna, "?timezone=Europe/Berlin", JSON, file).await;
    assert_report(&answer, [1, 0, 0, 0, 0, 1]);
    let created = anna.tasks().await[0]["created_at"].clone();
    assert_eq!(created, "2026-07-01T10:00:00.000000Z");
    for query in [
        "?timezone=Nowhere",
        "?dry_run=yes",
        "?dry_run=",
        "?again=true",
    ] {
        let answer = send(&anna, query, JSON, file).await;
        answer.assert_problem(400, "MALFORMED_REQUEST");
    }
}

async fn file_that_is_none_changes_nothing(database: Database) {
    let service = Service::start(&database).await;
    let anna = service.client("anna");
    let row = r#"{"id": 1, "title": "t"}"#;
    // More than one batch of valid rows.
    let truncated = format!("[{}", format!("{row},\n").repeat(3_000));
    for (file, expected) in [
        (read("07-empty-file"), "line 1, column 1: the file is empty"),
        (
            read("09-truncated"),
            "line 24, column 23: the file is cut short",
        ),
        (
            read("10-toplevel-object"),
            "line 1, column 1: the file is neither an array of tasks",
        ),
        (
            truncated.into(),
            "line 3001, column 1: the file is cut short",
        ),
        (format!("[{row}] x").into(), "not JSON"),
        (b"title;done\nx;1\n".to_vec(), "neither an array of tasks"),
        (b"[\"\xff\"]".to_vec(), "the file is not UTF-8"),
    ] {
        for media_type in [JSON, NDJSON] {
            let answer = send(&anna, "", media_type, file.clone()).await;
            answer.assert_problem(400, "MALFORMED_REQUEST");
            let detail = answer.body["detail"].as_str().expect("a text");
            assert!(detail.starts_with("Nothing was imported: "), "{detail}");
            assert!(detail.contains(expected), "{detail}");
        }
    }
    for media_type in [
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
    ] {
        let answer = send(&anna, "", media_type, format!("[{row}]")).await;
        answer.assert_problem(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    let compressed = anna.request(Method::POST, IMPORT);
    let compressed = compressed
        .header("content-type", JSON)
        .header("content-encoding", "gzip")
        .body("[]");
    Answer::of(compressed)
        .await
        .assert_problem(415, "UNSUPPORTED_MEDIA_TYPE");
    assert_eq!(database.lines_of("anna"), "");
    let answer = send(
        &anna,
        "",
        "application/json; charset=utf-8",
        format!("[{row}]"),
    )
    .await;
    assert_report(&answer, [1, 0, 0, 0, 0, 1]);
}

async fn first_hundred_rejected_rows_are_listed(database: Database) {
    let service = Service::start(&database).await;
    let anna = service.client("anna");
    let rows = (1..=400).map(|id| json!({"id": id, "title": "t", "done": 1}));
    let mut rows: Vec<_> = rows.collect();
    for row in rows.iter_mut().step_by(2) {
        row["title"] = json!("");
    }
    let answer = send(&anna, "", JSON, json!(rows).to_string()).await;
    assert_report(&answer, [200, 0, 0, 0, 200, 200]);
    let expected: Vec<_> = (0..100)
        .map(|number| {
            let position = 2 * number + 1;
            json!({
                "position": position, "id": position.to_string(),
                "reason": "Task title must be a non-empty string",
            })
        })
        .collect();
    assert_eq!(answer.body["rejections"], json!(expected));
    assert_eq!(
        answer.body["unknown_members"],
        json!([{"name": "done", "rows": 400, "looks_like": "completion"}])
    );
}

async fn concurrent_imports_create_each_task_once(database: Database) {
    let service = Service::start(&database).await;
    let anna = service.client("anna");
    let imports = (0..4).map(|_| send(&anna, "", JSON, read("01-current")));
    let mut imported = 0;
    for answer in join_all(imports).await {
        assert_eq!(answer.status, 200, "{answer:?}");
        let report = &answer.body;
        let [new, there] = ["imported", "already_there"].map(|name| report[name].as_u64());
        assert_eq!(
            new.zip(there).map(|(new, there)| new + there),
            Some(4),
            "{report}"
        );
        imported += new.expect("a number");
    }
    assert_eq!(imported, 4);
    assert_eq!(anna.tasks().await.len(), 4);
}

async fn ids_of_an_export_are_kept_and_those_of_others_rejected(database: Database) {
    let service = Service::start(&database).await;
    let (anna, mallory) = (service.client("anna"), service.client("mallory"));
    send(&anna, "", JSON, read("25-unicode")).await;
    anna.create(json!({"title": "new", "tags": ["home"], "due": "2026-12-24"}))
        .await;
    let lines = database.export("anna", &["--format", "ndjson"]);
    let count = lines.lines().count() as u64;
    let answer = send(&mallory, "", NDJSON, lines.clone()).await;
    assert_report(&answer, [0, 0, 0, 0, count, 0]);
    let reasons = answer.body["rejections"].as_array().expect("a list");
    assert!(
        reasons
            .iter()
            .all(|row| row["reason"] == "another user has a task of this id")
    );
    assert_eq!(mallory.tasks().await, [] as [Value; 0]);
    assert_eq!(database.export("anna", &["--format", "ndjson"]), lines);

    let other = database.of_other_kind().await;
    let service = Service::start(&other).await;
    let anna = service.client("anna");
    for counts in [[count, 0, 0, 0, 0, count], [0, count, 0, 0, 0, 0]] {
        let answer = send(&anna, "", NDJSON, lines.clone()).await;
        assert_report(&answer, counts);
        assert_eq!(other.export("anna", &["--format", "ndjson"]), lines);
    }
}

/// The command of an operator has no quota, but a user has.
async fn import_beyond_the_quota_returns_409_and_changes_nothing(database: Database) {
    let variables = [("TASKHOLD__TASKS__MAX_PER_USER", "6")];
    let service = Service::start_with(&database, &variables).await;
    let anna = service.client("anna");
    for number in 1..=3 {
        anna.create(json!({"title": format!("{number}")})).await;
    }
    for query in ["?dry_run=true", ""] {
        let answer = send(&anna, query, JSON, read("01-current")).await;
        answer.assert_problem(409, "QUOTA_EXCEEDED");
        assert_eq!(anna.tasks().await.len(), 3);
    }
    let tasks = anna.tasks().await;
    anna.send(Method::DELETE, &path(&tasks[0]), None).await;
    let answer = send(&anna, "", JSON, read("01-current")).await;
    assert_report(&answer, [4, 0, 0, 0, 0, 4]);
    anna.post(TASKS, json!({"title": "one too many"}))
        .await
        .assert_problem(409, "QUOTA_EXCEEDED");
    let again = send(&anna, "", JSON, read("01-current")).await;
    assert_report(&again, [0, 4, 0, 0, 0, 0]);
}

on_both_stores! {
    recorded_files_become_the_callers
    imported_tasks_are_in_the_feed_and_the_history
    dry_run_changes_nothing
    deleted_tasks_stay_deleted
    times_without_a_zone_are_local_to_the_parameter
    file_that_is_none_changes_nothing
    first_hundred_rejected_rows_are_listed
    concurrent_imports_create_each_task_once
    ids_of_an_export_are_kept_and_those_of_others_rejected
    import_beyond_the_quota_returns_409_and_changes_nothing
}
