//! Lists, pages, searches and counts of ten thousand tasks of one user.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{Client, Database, Service, path};

const SIZE: usize = 10_000;

/// Creates tasks, some in other scripts and a quarter of them completed, and returns their ids.
async fn create_tasks(client: &Client) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let numbers: Vec<_> = (0..SIZE).collect();
    for some in numbers.chunks(64) {
        let tasks = some.iter().map(|number| {
            let word = ["milk", "МОЛОКО", "牛乳", "50%_off"][number % 4];
            client
                .create(json!({"title": format!("{word} {number}"), "completed": number % 4 == 0}))
        });
        ids.extend(join_all(tasks).await.iter().map(id));
    }
    ids
}

fn id(task: &Value) -> String {
    task["id"].as_str().expect("an id").to_owned()
}

/// Follows the links from the page at `first` to the last one, and returns the ids of all tasks.
async fn pages(client: &Client, first: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut path = first.to_owned();
    loop {
        let page = client.get(&path).await;
        assert_eq!(page.status, 200, "{page:?}");
        ids.extend(
            page.body["tasks"]
                .as_array()
                .expect("a list")
                .iter()
                .map(id),
        );
        let link = page.header("link");
        let Some(cursor) = page.body["next_cursor"].as_str() else {
            assert_eq!(link, "");
            return ids;
        };
        let next = link
            .trim_start_matches('<')
            .trim_end_matches(">; rel=\"next\"");
        assert!(next.ends_with(&format!("cursor={cursor}")), "{link}");
        next.clone_into(&mut path);
    }
}

async fn ten_thousand_tasks_are_listed_paged_searched_and_counted(database: Database) {
    let service = Service::start(&database).await;
    let (alice, bob) = (service.client("alice"), service.client("bob"));
    let ids = create_tasks(&alice).await;
    assert_eq!(ids.len(), SIZE);

    let all = alice.get("/api/v1/tasks").await;
    let tasks = all.body["tasks"].as_array().expect("a list");
    assert_eq!(tasks.iter().map(id).collect::<BTreeSet<_>>(), ids);
    assert_eq!(all.body["next_cursor"], Value::Null);
    let keys: Vec<_> = tasks
        .iter()
        .map(|task| (task["created_at"].as_str(), task["id"].as_str()))
        .collect();
    assert!(
        keys.is_sorted_by(|one, next| one > next),
        "newest first, ties by id"
    );

    let newest_first: Vec<_> = tasks.iter().map(id).collect();
    assert_eq!(pages(&alice, "/api/v1/tasks?limit=997").await, newest_first);
    let oldest_first: Vec<_> = newest_first.iter().rev().cloned().collect();
    assert_eq!(
        pages(&alice, "/api/v1/tasks?limit=1000&sort=created_at").await,
        oldest_first
    );
    let offset = alice.get("/api/v1/tasks?limit=10&offset=9995").await;
    let last: Vec<_> = offset.body["tasks"]
        .as_array()
        .expect("a list")
        .iter()
        .map(id)
        .collect();
    assert_eq!(last, newest_first[9995..]);

    for (query, count) in [
        ("q=%D0%BC%D0%BE%D0%BB%D0%BE%D0%BA%D0%BE", SIZE / 4),
        ("q=MILK", SIZE / 4),
        ("q=%E7%89%9B", SIZE / 4),
        ("q=%25_", SIZE / 4),
        ("q=%25%25", 0),
        ("q=milk%20999", 2),
        ("q=milk%209996", 1),
        ("completed=true", SIZE / 4),
        ("completed=false", SIZE - SIZE / 4),
        ("completed=true&q=milk", SIZE / 4),
        ("completed=false&q=milk", 0),
    ] {
        let found = pages(
            &alice,
            &format!("/api/v1/tasks?limit=1000&sort=-title&{query}"),
        )
        .await;
        assert_eq!(found.len(), count, "{query}");
        assert_eq!(
            found.iter().collect::<BTreeSet<_>>().len(),
            count,
            "{query}"
        );
    }
    let stats = alice.get("/api/v1/tasks/stats").await;
    assert_eq!(
        stats.body,
        json!({"total": SIZE, "completed": SIZE / 4, "pending": SIZE - SIZE / 4, "overdue": 0, "due_today": 0})
    );
    assert_eq!(
        bob.get("/api/v1/tasks/stats").await.body,
        json!({"total": 0, "completed": 0, "pending": 0, "overdue": 0, "due_today": 0})
    );
    assert!(
        pages(&bob, "/api/v1/tasks?limit=10&q=milk")
            .await
            .is_empty()
    );

    assert_queries_take_under_a_second(&alice, &newest_first[SIZE / 2]).await;
    page_during_writes(&alice, &newest_first).await;
}

/// Asserts that each query takes less than a second, even in a build without optimization. A slow query is
/// repeated, since other tests may keep the machine busy.
async fn assert_queries_take_under_a_second(alice: &Client, id: &str) {
    let one = format!("/api/v1/tasks/{id}");
    for path in [
        "/api/v1/tasks",
        "/api/v1/tasks?limit=100",
        "/api/v1/tasks?limit=100&offset=9900",
        "/api/v1/tasks?limit=100&q=MILK%20999",
        "/api/v1/tasks?limit=100&q=nowhere%20to%20be%20found",
        "/api/v1/tasks?limit=100&completed=true&sort=created_at",
        "/api/v1/tasks?limit=100&sort=title",
        "/api/v1/tasks?limit=100&sort=-updated_at",
        "/api/v1/tasks?limit=100&sort=due",
        "/api/v1/tasks?limit=100&offset=9900&sort=-due",
        "/api/v1/tasks?limit=100&due=overdue&sort=due",
        "/api/v1/tasks/stats",
        &one,
    ] {
        let mut took = Vec::new();
        while took.iter().all(|took| *took >= Duration::from_secs(1)) {
            assert!(took.len() < 5, "{path} took {took:?}");
            let started = Instant::now();
            assert_eq!(alice.get(path).await.status, 200, "{path}");
            took.push(started.elapsed());
        }
        println!("{took:?} {path}");
    }
}

/// Asserts that a task that exists all the time is on exactly one page, while other tasks come and go.
async fn page_during_writes(alice: &Client, before: &[String]) {
    let (deleted, stays) = before.split_at(300);
    let item = |id: &String| format!("/api/v1/tasks/{id}");
    let writing = async {
        for (number, id) in deleted.iter().enumerate() {
            alice
                .create(json!({"title": format!("meanwhile {number}")}))
                .await;
            assert_eq!(
                alice.send(Method::DELETE, &item(id), None).await.status,
                204
            );
            let changed = &stays[number * 31];
            assert_eq!(
                alice
                    .send(Method::PATCH, &(item(changed) + "/complete"), None)
                    .await
                    .status,
                200
            );
        }
    };
    let (seen, ()) = tokio::join!(pages(alice, "/api/v1/tasks?limit=100"), writing);
    let unique: BTreeSet<_> = seen.iter().collect();
    assert_eq!(unique.len(), seen.len(), "no task twice");
    for id in stays {
        assert!(unique.contains(id), "no task missed");
    }
}

/// Only a real connection shows that the body is empty.
async fn head_returns_the_headers_of_get_without_a_body(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let task = alice.create(json!({"title": "x"})).await;
    let path = path(&task);
    let get = alice.get(&path).await;
    let head = alice.send(Method::HEAD, &path, None).await;
    assert_eq!((head.status, head.bytes), (200, 0));
    for header in ["content-type", "content-length", "etag"] {
        assert_eq!(head.header(header), get.header(header), "{header}");
    }
    let list = alice.send(Method::HEAD, "/api/v1/tasks", None).await;
    assert_eq!((list.status, list.bytes), (200, 0));
    let not_modified = alice
        .request(Method::GET, &path)
        .header("if-none-match", get.header("etag"));
    let not_modified = crate::service::Answer::of(not_modified).await;
    assert_eq!((not_modified.status, not_modified.bytes), (304, 0));
}

on_both_stores! {
    ten_thousand_tasks_are_listed_paged_searched_and_counted
    head_returns_the_headers_of_get_without_a_body
}
