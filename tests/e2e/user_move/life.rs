//! The state of a moved user at both stores.

use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};

use super::write;
use crate::backup::contents::{Contents, add_tasks, contents};
use crate::backup::life::{PASSWORD, Person, populate, post_login, send_keyed};
use crate::change_stream::Events;
use crate::service::{Answer, Database, Service, TASKS, eventually};

on_all_pairs! {
    moved_user_goes_on_at_the_target
    ten_thousand_tasks_are_moved
    user_moves_back
    restored_source_stays_without_the_user
}

const CHANGES: &str = "/api/v1/changes";

/// The tables that hold rows of users.
const TABLES: [&str; 9] = [
    "users",
    "tasks",
    "feeds",
    "changes",
    "trash",
    "imports",
    "idempotency_keys",
    "refresh_tokens",
    "personal_tokens",
];

/// Returns the rows of a user in these tables.
fn rows_of(contents: &Contents, user: &str) -> Contents {
    let rows = TABLES.map(|table| {
        let rows = contents[table].iter();
        let theirs = rows.filter(|row| row.iter().flatten().any(|value| value == user));
        (table.to_owned(), theirs.cloned().collect())
    });
    rows.into()
}

async fn refresh(service: &Service, person: &Person) -> Answer {
    let body = json!({"refresh_token": person.refresh});
    let client = service.client_with(None);
    client.post("/api/auth/refresh", body).await
}

async fn moved_user_goes_on_at_the_target(source: Database, target: Database) {
    let (first, second) = (Service::start(&source).await, Service::start(&target).await);
    let person = populate(&source, &first).await;
    let before = person.client(&first);
    let file = source.file(r#"[{"id": 7, "title": "imported", "user_id": "anybody"}]"#);
    let map = format!("anybody={}", person.email);
    assert_eq!(source.import(&file, &["--map", &map]).0, 0);
    let (secret, _) = person.issue_token(&first).await;
    let deleted = before.create(json!({"title": "deleted"})).await;
    let path = crate::service::path(&deleted);
    let deletion = before.send(Method::DELETE, &path, None).await;
    let seq = deletion.header("change-seq").to_owned();
    let cursor = before.get(CHANGES).await.body["cursor"].clone();
    let cursor = cursor.as_str().expect("a cursor").to_owned();
    let mut events = Events::open(&before).await;
    let last_event = events.next().await;
    let tasks = before.tasks().await;
    let user = before.get("/api/auth/me").await.body["user"]["id"].clone();
    let user = user.as_str().expect("an id");
    let rows = rows_of(&contents(&source).await, user);
    assert!(rows.values().all(|rows| !rows.is_empty()), "{rows:?}");

    let printed = source.move_to(&target, &person.email).assert_success();
    println!("{printed}");
    assert!(printed.contains("its writes waited for"), "{printed}");
    assert_eq!(rows_of(&contents(&target).await, user), rows);

    // The source takes no write from now on, whatever its instance remembers.
    write(&before, "too late")
        .await
        .assert_problem(421, "USER_MOVED");
    for (method, path) in [(Method::PATCH, "/complete"), (Method::DELETE, "")] {
        let path = format!("{}{path}", crate::service::path(&tasks[0]));
        let refused = before.send(method, &path, None).await;
        refused.assert_problem(421, "USER_MOVED");
    }
    refresh(&first, &person)
        .await
        .assert_problem(421, "USER_MOVED");
    post_login(&first, &person.email, PASSWORD)
        .await
        .assert_problem(421, "USER_MOVED");
    // Reads are refused by every instance that has read the note.
    eventually("the instance knows", async || {
        (before.get(TASKS).await.status == 421).then_some(())
    })
    .await;
    for path in [
        TASKS,
        "/api/v1/trash",
        CHANGES,
        "/api/auth/me",
        "/api/auth/tokens",
    ] {
        before.get(path).await.assert_problem(421, "USER_MOVED");
    }
    let program = first.client_with(Some(secret.clone()));
    program.get(TASKS).await.assert_problem(421, "USER_MOVED");
    let stranger = first.client("a stranger ☂");
    assert_eq!(write(&stranger, "theirs").await.status, 201);

    // At the target everything goes on, with the same credentials.
    let after = person.client(&second);
    assert_eq!(after.tasks().await, tasks);
    let program = second.client_with(Some(secret));
    assert_eq!(program.tasks().await.len(), tasks.len());
    let replayed = send_keyed(&after).await;
    assert_eq!(replayed.status, 201);
    assert_eq!(replayed.header("idempotent-replayed"), "true");
    let undone = after
        .send(Method::POST, &format!("{CHANGES}/{seq}/undo"), None)
        .await;
    assert_eq!(undone.status, 200, "{undone:?}");
    assert_eq!(undone.body["task"]["title"], "deleted");
    let number = |text: &str| text.parse::<u64>().expect("a number");
    assert_eq!(number(undone.header("change-seq")), number(&seq) + 1);
    let page = after.get(&format!("{CHANGES}?cursor={cursor}")).await;
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(titles(&page.body["changed"]), ["deleted"]);
    let mut events = Events::open_after(&after, Some(&last_event)).await;
    let told = events.next().await;
    assert_eq!(write(&after, "new").await.status, 201);
    let page = after.get(&format!("{CHANGES}?cursor={told}")).await;
    assert_eq!(titles(&page.body["changed"]), ["new"]);
    assert_eq!(refresh(&second, &person).await.status, 200);
    Person::log_in(&second, &person.email).await;

    // The rows that are left at the source can be deleted.
    let delete = ["user", "delete", user, "--yes"];
    source.run_command(&delete).assert_success();
    assert_eq!(after.tasks().await.len(), tasks.len() + 2);
}

fn titles(tasks: &Value) -> Vec<&str> {
    let tasks = tasks.as_array().expect("tasks").iter();
    tasks.filter_map(|task| task["title"].as_str()).collect()
}

async fn ten_thousand_tasks_are_moved(source: Database, target: Database) {
    for database in [&source, &target] {
        database.run_command(&["migrate", "up"]).assert_success();
    }
    add_tasks(&source, 10_000).await;
    let started = Instant::now();
    let printed = source.move_to(&target, "crowd").assert_success();
    println!("10,000 tasks in {:?}:\n{printed}", started.elapsed());
    assert!(printed.contains("10000 tasks"), "{printed}");
    let found = rows_of(&contents(&target).await, "crowd");
    assert_eq!(found["tasks"].len(), 10_000);
}

/// A backup from before the move does not bring the user back, if the store from after it can be read.
async fn restored_source_stays_without_the_user(source: Database, target: Database) {
    for database in [&source, &target] {
        database.run_command(&["migrate", "up"]).assert_success();
    }
    add_tasks(&source, 10).await;
    let backup = source.backup();
    source.move_to(&target, "crowd").assert_success();
    source.restore_over(&backup).assert_success();
    let service = Service::start(&source).await;
    let client = service.client("crowd");
    write(&client, "lost")
        .await
        .assert_problem(421, "USER_MOVED");
    client.get(TASKS).await.assert_problem(421, "USER_MOVED");
}

/// A user who moves away and back finds everything, once what was left there is deleted.
async fn user_moves_back(source: Database, target: Database) {
    for database in [&source, &target] {
        database.run_command(&["migrate", "up"]).assert_success();
    }
    add_tasks(&source, 10).await;
    source.move_to(&target, "crowd").assert_success();
    target
        .move_to(&source, "crowd")
        .assert_refused("has rows of the user crowd from a move before this one");
    let delete = ["user", "delete", "crowd", "--yes"];
    source.run_command(&delete).assert_success();
    target.move_to(&source, "crowd").assert_success();
    assert_eq!(
        rows_of(&contents(&source).await, "crowd")["tasks"].len(),
        10
    );
}
