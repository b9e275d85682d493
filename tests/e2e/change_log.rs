//! The change feed, the trash and undo, as a client sees them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::change_stream::Events;
use crate::service::{Client, Database, Service, TASKS, eventually, path, run};
use crate::soak::rounds;

on_both_stores! {
    feed_replays_to_the_list_despite_concurrent_writers_and_kills
    deleted_task_is_restored_undone_and_purged
    replayed_write_repeats_its_number
    cursor_from_before_a_copy_expires
    imported_tasks_are_in_the_feed
}

const CHANGES: &str = "/api/v1/changes";
const TRASH: &str = "/api/v1/trash";

/// A client of the feed: what it knows of the tasks.
#[derive(Default)]
struct Follower {
    cursor: Option<String>,
    tasks: BTreeMap<String, Value>,
    changes: usize,
    started_over: usize,
}

impl Follower {
    /// Reads the feed to its end.
    async fn catch_up(&mut self, client: &Client) {
        loop {
            let cursor = self.cursor.as_ref();
            let cursor = cursor.map_or(String::new(), |cursor| format!("&cursor={cursor}"));
            let page = client.get(&format!("{CHANGES}?limit=7{cursor}")).await;
            if page.status == 410 {
                assert_eq!(page.body["error_code"], "CURSOR_EXPIRED");
                *self = Self {
                    started_over: self.started_over + 1,
                    changes: self.changes,
                    ..Self::default()
                };
                continue;
            }
            assert_eq!(page.status, 200, "{page:?}");
            for task in page.body["changed"].as_array().expect("tasks") {
                let id = task["id"].as_str().expect("an id").to_owned();
                let version = |task: &Value| {
                    let etag = task["etag"].as_str().expect("an etag");
                    let (version, _) = etag.trim_matches('"').split_once('-').expect("a version");
                    version.parse::<u64>().expect("a number")
                };
                if let Some(before) = self.tasks.get(&id) {
                    assert!(version(before) <= version(task), "{before} {task}");
                }
                self.tasks.insert(id, task.clone());
                self.changes += 1;
            }
            for id in page.body["removed"].as_array().expect("ids") {
                self.tasks.remove(id.as_str().expect("an id"));
                self.changes += 1;
            }
            self.cursor = page.body["cursor"].as_str().map(str::to_owned);
            if page.body["has_more"] == false {
                return;
            }
        }
    }

    /// Asserts that the client knows exactly the tasks that the list has.
    async fn assert_equals_the_list(&self, client: &Client) {
        let listed = client.tasks().await;
        let listed: BTreeMap<_, _> = listed
            .into_iter()
            .map(|task| (task["id"].as_str().expect("an id").to_owned(), task))
            .collect();
        assert_eq!(self.tasks, listed);
    }
}

/// Changes tasks until it is told to stop. A request that fails may or may not have been done.
async fn write(client: Client, seed: usize, stop: Arc<AtomicBool>) -> usize {
    let mut done = 0;
    let mut random = seed;
    while !stop.load(Ordering::Relaxed) {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let request = match random >> 60 {
            0..=5 => client
                .request(Method::POST, "/api/v1/tasks")
                .json(&json!({"title": format!("{seed} {done}")})),
            choice => {
                let list = if choice < 14 { TASKS } else { TRASH };
                let Ok(page) = client
                    .request(Method::GET, &format!("{list}?limit=20"))
                    .send()
                    .await
                else {
                    tokio::task::yield_now().await;
                    continue;
                };
                let Ok(page) = page.json::<Value>().await else {
                    continue;
                };
                let Some(task) = page["tasks"]
                    .as_array()
                    .and_then(|tasks| tasks.get(random % tasks.len().max(1)))
                else {
                    continue;
                };
                let path = path(task);
                let trashed = path.replace(TASKS, TRASH);
                match choice {
                    6..=9 => client.request(Method::PATCH, &format!("{path}/complete")),
                    10 | 11 => client
                        .request(Method::PATCH, &path)
                        .json(&json!({"description": format!("{done}")})),
                    12 => client.request(Method::DELETE, &path),
                    13 => client.request(Method::POST, &format!("{CHANGES}/{}/undo", random % 50)),
                    14 => client.request(Method::POST, &format!("{trashed}/restore")),
                    _ => client.request(Method::DELETE, &trashed),
                }
            }
        };
        if let Ok(response) = request.send().await {
            done += usize::from(response.status().is_success());
        } else {
            tokio::task::yield_now().await;
        }
    }
    done
}

/// Imports a task of this user.
fn import_one(database: &Database, user: &str, number: usize) {
    let file = database.folder.path().join("tasks.json");
    let rows = json!([
        {"id": number, "title": "imported", "description": "", "completed": false, "user_id": user,
         "created_at": "2026-01-02T03:04:05", "updated_at": "2026-01-02T03:04:05"},
    ]);
    std::fs::write(&file, rows.to_string()).expect("written");
    let file = file.display().to_string();
    let url = [("DATABASE_URL", database.url.as_str())];
    let imported = run(database.folder.path(), &url, &["import", &file]);
    assert!(imported.status.success(), "{imported:?}");
}

async fn feed_replays_to_the_list_despite_concurrent_writers_and_kills(database: Database) {
    let (mut follower, mut others) = (Follower::default(), Follower::default());
    let (mut written, kills, mut restores) = (0, rounds(4, 25), 0);
    for round in 0..kills {
        // SQLite has one instance at a time.
        let count = if database.url.starts_with("sqlite") {
            1
        } else {
            3
        };
        let mut instances = Vec::new();
        for _ in 0..count {
            instances.push(Service::start(&database).await);
        }
        // A restore ends the tokens of earlier seconds, and of its own.
        let anna = eventually("a new token counts", async || {
            let anna = instances[0].client("anna");
            (anna.get(CHANGES).await.status == 200).then_some(anna)
        })
        .await;
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..8)
            .map(|number| {
                let user = if number < 6 { "anna" } else { "bob" };
                let client = instances[number % count].client(user);
                tokio::spawn(write(client, round * 8 + number + 1, Arc::clone(&stop)))
            })
            .collect();
        let until = follower.changes + 60;
        while follower.changes < until {
            follower.catch_up(&anna).await;
        }
        for instance in instances {
            instance.kill();
        }
        stop.store(true, Ordering::Relaxed);
        for writer in join_all(writers).await {
            written += writer.expect("no panic");
        }
        import_one(&database, "anna", 1 + round);
        if round % 2 == 1 {
            // The next round begins in the past.
            let backup = database.backup();
            import_one(&database, "anna", 1 + kills + round);
            let service = Service::start(&database).await;
            follower.catch_up(&service.client("anna")).await;
            service.stop().await;
            database.restore_over(&backup).assert_success();
            restores += 1;
        }
    }
    let service = Service::start(&database).await;
    for (user, follower) in [("anna", &mut follower), ("bob", &mut others)] {
        let client = service.client(user);
        follower.catch_up(&client).await;
        follower.assert_equals_the_list(&client).await;
        let mut fresh = Follower::default();
        fresh.catch_up(&client).await;
        fresh.assert_equals_the_list(&client).await;
        let expected = if user == "anna" { restores } else { 0 };
        assert_eq!(
            follower.started_over, expected,
            "only a restore loses a log"
        );
    }
    println!(
        "clients: 8, changes written: {written}, read by one of two followers: {}, kills: {kills}, imports: {}, \
         restores: {restores}, missed: 0, out of order: 0",
        follower.changes,
        kills + restores
    );
}

/// While instances are replaced one by one, those of the version before write without the log.
#[tokio::test(flavor = "multi_thread")]
async fn writes_of_the_version_before_reach_clients_after_the_replacement() {
    let database = Database::postgres().await;
    let service = Service::start(&database).await;
    let client = service.client("anna");
    let upgraded_ago = async |hours: u32| {
        let sql = format!(
            "UPDATE seaql_migrations SET applied_at = extract(epoch FROM now()) - 3600 * \
             CASE WHEN version = 'm20261129_000007_change_log' THEN {hours} ELSE 48 END"
        );
        database.execute(&sql).await;
    };
    upgraded_ago(0).await;
    let mut tasks = Vec::new();
    for number in 0..4 {
        tasks.push(
            client
                .create(json!({"title": format!("task {number}")}))
                .await,
        );
    }
    let mut follower = Follower::default();
    follower.catch_up(&client).await;
    let mut events = Events::open(&client).await;
    let before = events.next().await;
    let id = |task: &Value| task["id"].as_str().expect("an id").to_owned();
    database
        .execute(&format!("DELETE FROM tasks WHERE id = '{}'", id(&tasks[0])))
        .await;
    database
        .execute(&format!(
            "UPDATE tasks SET is_completed = true, version = version + 1, updated_at = updated_at + 1 WHERE id = '{}'",
            id(&tasks[1])
        ))
        .await;
    // What they deleted is not in the trash.
    client
        .get(&path(&tasks[0]))
        .await
        .assert_problem(404, "NOT_FOUND");
    assert_eq!(client.get("/api/v1/trash").await.body["tasks"], json!([]));
    // Writes of this version are told meanwhile.
    client.create(json!({"title": "task 4"})).await;
    follower.catch_up(&client).await;
    assert_eq!((follower.started_over, follower.tasks.len()), (0, 5));

    upgraded_ago(2).await;
    while events.next().await == before {}
    follower.catch_up(&client).await;
    assert_eq!(follower.started_over, 1);
    follower.assert_equals_the_list(&client).await;
    assert_eq!(follower.tasks.len(), 4);
    // From now on nothing expires.
    client.send(Method::DELETE, &path(&tasks[2]), None).await;
    follower.catch_up(&client).await;
    assert_eq!(follower.started_over, 1);
    follower.assert_equals_the_list(&client).await;
    service.stop().await;
}

async fn deleted_task_is_restored_undone_and_purged(database: Database) {
    let service = Service::start(&database).await;
    let client = service.client("anna");
    let task = client
        .create(json!({"title": "Buy milk", "description": "2 litres"}))
        .await;
    let path = path(&task);
    let trashed = path.replace("/tasks/", "/trash/");
    let deleted = client.send(Method::DELETE, &path, None).await;
    assert_eq!((deleted.status, deleted.header("change-seq")), (204, "2"));
    client.get(&path).await.assert_problem(404, "NOT_FOUND");
    let again = client.send(Method::DELETE, &path, None).await;
    again.assert_problem(404, "NOT_FOUND");
    for list in ["/api/v1/tasks", "/api/v1/tasks?q=milk", "/api/v1/export"] {
        let found = client.get(list).await;
        let tasks = found.body.get("tasks").unwrap_or(&found.body);
        assert_eq!(tasks, &json!([]), "{list}: {found:?}");
    }
    let trash = client.get("/api/v1/trash").await.body;
    assert_eq!(trash["tasks"][0]["title"], "Buy milk");
    assert!(trash["tasks"][0]["deleted_at"].is_string());

    let restored = client
        .post(&format!("{trashed}/restore"), Value::Null)
        .await;
    assert_eq!((restored.status, restored.header("change-seq")), (200, "3"));
    for member in ["id", "title", "description", "completed", "created_at"] {
        assert_eq!(restored.body["task"][member], task[member], "{member}");
    }
    assert_eq!(restored.version(), 2);
    // An undo of the restoration deletes again; an undo of that is a redo.
    let undone = client.post(&format!("{CHANGES}/3/undo"), Value::Null).await;
    assert_eq!((undone.status, undone.header("change-seq")), (200, "4"));
    client.get(&path).await.assert_problem(404, "NOT_FOUND");
    let redone = client.post(&format!("{CHANGES}/4/undo"), Value::Null).await;
    assert_eq!((redone.status, redone.header("change-seq")), (200, "5"));

    client.send(Method::DELETE, &path, None).await;
    let purged = client.send(Method::DELETE, &trashed, None).await;
    assert_eq!((purged.status, purged.header("change-seq")), (204, "7"));
    let purged = client.send(Method::DELETE, &trashed, None).await;
    purged.assert_problem(404, "NOT_FOUND");
    for seq in 1..=7 {
        let undo = client
            .post(&format!("{CHANGES}/{seq}/undo"), Value::Null)
            .await;
        undo.assert_problem(404, "NOT_FOUND");
    }
    let emptied = client.send(Method::DELETE, "/api/v1/trash", None).await;
    assert_eq!((emptied.status, emptied.header("change-seq")), (204, ""));
    service.stop().await;
}

async fn replayed_write_repeats_its_number(database: Database) {
    let service = Service::start(&database).await;
    let client = service.client("anna");
    let body = json!({"title": "once"});
    for _ in 0..2 {
        let created = client
            .send_keyed("key", Method::POST, "/api/v1/tasks", Some(body.clone()))
            .await;
        assert_eq!((created.status, created.header("change-seq")), (201, "1"));
    }
    let task = client.tasks().await.remove(0);
    for _ in 0..2 {
        let deleted = client
            .send_keyed("gone", Method::DELETE, &path(&task), None)
            .await;
        assert_eq!((deleted.status, deleted.header("change-seq")), (204, "2"));
    }
    let page = client.get(CHANGES).await.body;
    assert_eq!(page["changed"], json!([]));
    service.stop().await;
}

async fn cursor_from_before_a_copy_expires(source: Database) {
    let service = Service::start(&source).await;
    let client = service.client("anna");
    let mut follower = Follower::default();
    let first = client.create(json!({"title": "first"})).await;
    client.create(json!({"title": "second"})).await;
    follower.catch_up(&client).await;
    client.send(Method::DELETE, &path(&first), None).await;
    let cursor = follower.cursor.clone().expect("a cursor");
    let strangers = service
        .client("bob")
        .get(&format!("{CHANGES}?cursor={cursor}"))
        .await;
    strangers.assert_problem(400, "MALFORMED_REQUEST");
    service.stop().await;

    let target = Database::sqlite();
    let urls = [
        ("DATABASE_URL", source.url.as_str()),
        ("TO_DATABASE_URL", target.url.as_str()),
    ];
    let copied = run(source.folder.path(), &urls, &["copy"]);
    assert!(copied.status.success(), "{copied:?}");
    let service = Service::start(&target).await;
    let client = service.client("anna");
    let expired = client.get(&format!("{CHANGES}?cursor={cursor}")).await;
    expired.assert_problem(410, "CURSOR_EXPIRED");
    follower.catch_up(&client).await;
    assert_eq!(follower.started_over, 1);
    follower.assert_equals_the_list(&client).await;
    // The trash and the log came along.
    let undone = client.post(&format!("{CHANGES}/3/undo"), Value::Null).await;
    assert_eq!((undone.status, undone.header("change-seq")), (200, "4"));
    follower.catch_up(&client).await;
    assert_eq!(follower.started_over, 1);
    follower.assert_equals_the_list(&client).await;
    service.stop().await;
}

async fn imported_tasks_are_in_the_feed(database: Database) {
    let service = Service::start(&database).await;
    let client = service.client("anna");
    client.create(json!({"title": "before"})).await;
    let mut follower = Follower::default();
    follower.catch_up(&client).await;
    let exported = client.get("/api/v1/export?format=ndjson").await;
    assert_eq!(exported.status, 200);
    service.stop().await;

    import_one(&database, "anna", 1);
    let service = Service::start(&database).await;
    let client = service.client("anna");
    follower.catch_up(&client).await;
    assert_eq!(follower.started_over, 0);
    assert_eq!(follower.tasks.len(), 2);
    follower.assert_equals_the_list(&client).await;
    service.stop().await;
}
