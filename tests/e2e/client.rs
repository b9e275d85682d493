//! The crate `taskhold-client`, against the running service.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use futures_util::future::join_all;
use serde_json::json;
use taskhold_client::credentials::{Credentials, MemorySession, Tokens};
use taskhold_client::tasks::{Filter, NewTask, TaskPatch};
use taskhold_client::{Client, Error, IdempotencyKey};
use taskhold_domain::task::Priority;
use taskhold_testkit::proxy::FaultProxy;

use crate::service::{Database, Service, token};

on_both_stores! {
    tasks_are_written_read_and_taken_back
    errors_have_types_with_the_facts
    every_page_of_a_list_and_of_the_feed_is_read
    concurrent_requests_refresh_a_login_once
}

fn client(service: &Service, user: &str) -> Client {
    let builder = Client::builder(&service.url).expect("an address");
    let credentials = Credentials::token(token(user));
    builder.credentials(credentials).build().expect("a client")
}

fn key() -> IdempotencyKey {
    IdempotencyKey::random()
}

async fn tasks_are_written_read_and_taken_back(database: Database) {
    let service = Service::start(&database).await;
    let anna = client(&service, "anna");
    let milk = NewTask {
        due: Some("2026-12-01".to_owned()),
        priority: Some(Priority::High),
        tags: vec!["home".to_owned()],
        repeat: Some("FREQ=DAILY".to_owned()),
        ..NewTask::titled("Buy milk")
    };
    let create = key();
    let created = anna.create(&milk, &create).await.expect("created");
    let again = anna
        .create(&milk, &create)
        .await
        .expect("the first answer again");
    assert_eq!(created, again, "once under one key");
    let task = created.value;
    assert_eq!(anna.task(task.id).await.expect("read"), task);

    let patch = TaskPatch {
        title: Some("Buy oat milk".to_owned()),
        due: None,
        tags: Some(Vec::new()),
        ..TaskPatch::default()
    };
    let patched = anna
        .patch(task.id, &patch, Some(&task.etag), &key())
        .await
        .expect("changed");
    assert_eq!(patched.value.task.title, "Buy oat milk");
    assert_eq!(patched.value.task.due, task.due, "left as it was");
    let completed = anna
        .complete(task.id, Some(true), "UTC", &key())
        .await
        .expect("completed");
    let next = completed.value.next.expect("a follow-up");
    assert_eq!(next.due.as_deref(), Some("2026-12-02"));

    let seq = completed.seq.expect("a number");
    let reopened = anna.undo(seq, &key()).await.expect("undone").value;
    assert!(!reopened.completed);
    let history: Vec<_> = anna
        .history(task.id)
        .try_collect()
        .await
        .expect("a history");
    let kinds: Vec<_> = history
        .iter()
        .rev()
        .map(|change| change.kind.as_str())
        .collect();
    // The undo also gives the rule back.
    assert_eq!(kinds, ["created", "updated", "completed", "updated"]);

    anna.delete(task.id, &key()).await.expect("deleted");
    let trash: Vec<_> = anna.trash().try_collect().await.expect("the trash");
    assert!(trash.iter().any(|deleted| deleted.task.id == task.id));
    anna.restore(task.id, &key()).await.expect("restored");
    anna.delete(task.id, &key()).await.expect("deleted");
    anna.purge(task.id).await.expect("for good");
    let restored = anna.restore(task.id, &key()).await;
    assert!(matches!(restored, Err(Error::NotFound(_))), "{restored:?}");
}

async fn errors_have_types_with_the_facts(database: Database) {
    let service = Service::start(&database).await;
    let anna = client(&service, "anna");
    let refused = anna.create(&NewTask::titled(""), &key()).await;
    let Err(Error::Invalid(problem)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(problem.errors[0].field, "title");
    assert_eq!(
        problem.errors[0].message,
        "Task title must be a non-empty string"
    );

    let task = anna
        .create(&NewTask::titled("Buy milk"), &key())
        .await
        .expect("created")
        .value;
    let changed = anna
        .update(task.id, "Call mum", "", &key())
        .await
        .expect("updated")
        .value;
    let patch = TaskPatch {
        completed: Some(true),
        ..TaskPatch::default()
    };
    let stale = anna.patch(task.id, &patch, Some(&task.etag), &key()).await;
    let Err(Error::Changed(_, present)) = stale else {
        panic!("{stale:?}");
    };
    assert_eq!(*present, changed);

    let ben = client(&service, "ben");
    let foreign = ben.delete(task.id, &key()).await;
    assert!(matches!(foreign, Err(Error::Forbidden(_))), "{foreign:?}");
    let foreign = ben.task(task.id).await;
    assert!(matches!(foreign, Err(Error::NotFound(_))), "{foreign:?}");
    let nobody = Client::builder(&service.url)
        .expect("an address")
        .build()
        .expect("a client");
    let refused = nobody.task(task.id).await;
    assert!(
        matches!(refused, Err(Error::Unauthorized(_))),
        "{refused:?}"
    );
    let unknown = anna.changes(Some("unknown")).await;
    assert!(matches!(unknown, Err(Error::Invalid(_))), "{unknown:?}");

    let away = anna.with_patience(Duration::ZERO);
    service.kill();
    let unreachable = away.task(task.id).await;
    assert!(
        matches!(unreachable, Err(Error::Unreachable { .. })),
        "{unreachable:?}"
    );
}

async fn every_page_of_a_list_and_of_the_feed_is_read(database: Database) {
    let service = Service::start(&database).await;
    let anna = client(&service, "anna");
    let rows: Vec<_> = (1..=2_500)
        .map(|number| json!({"id": number, "title": format!("Task {number}")}))
        .collect();
    let report = anna
        .import(json!(rows).to_string().into_bytes(), "UTC", false)
        .await;
    assert_eq!(report.expect("imported").imported, 2_500);
    let found: Vec<_> = anna
        .tasks(&Filter::open())
        .try_collect()
        .await
        .expect("all tasks");
    assert_eq!(found.len(), 2_500);
    let filter = Filter {
        search: Some("TASK 77".to_owned()),
        ..Filter::default()
    };
    let found: Vec<_> = anna.tasks(&filter).try_collect().await.expect("tasks");
    assert_eq!(found.len(), 11, "77 and 770 to 779");

    let pages: Vec<_> = anna
        .all_changes(None)
        .try_collect()
        .await
        .expect("the feed");
    let ids: std::collections::BTreeSet<_> = pages
        .iter()
        .flat_map(|page| &page.changed)
        .map(|task| task.id)
        .collect();
    assert_eq!(ids.len(), 2_500);
    let last = pages.last().expect("a page");
    let created = anna
        .create(&NewTask::titled("Another"), &key())
        .await
        .expect("created");
    let since = anna.changes(Some(&last.cursor)).await.expect("a page");
    assert_eq!(since.changed, [created.value]);
    assert_eq!(since.last, created.seq);
}

async fn concurrent_requests_refresh_a_login_once(database: Database) {
    let service = Service::start(&database).await;
    let body = json!({"email": "anna@example.org", "password": "correct horse battery"});
    service
        .client_with(None)
        .post("/api/auth/register", body)
        .await;
    let nobody = Client::builder(&service.url)
        .expect("an address")
        .build()
        .expect("a client");
    let login = nobody
        .log_in("anna@example.org", "correct horse battery", None)
        .await
        .expect("logged in");
    let session = MemorySession::new(Tokens {
        access_token: "expired".to_owned(),
        ..login.tokens
    });
    let anna = Client::builder(&service.url)
        .expect("an address")
        .credentials(Credentials::session(session))
        .build()
        .expect("a client");
    // A second exchange of the same refresh token would end the login.
    let users = join_all((0..8).map(|_| anna.me())).await;
    for user in users {
        assert_eq!(
            user.expect("let in").email.as_deref(),
            Some("anna@example.org")
        );
    }
    anna.create(&NewTask::titled("Buy milk"), &key())
        .await
        .expect("still logged in");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answers_are_asked_for_again_and_writes_take_effect_once() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let proxy = FaultProxy::start(&service.url).await;
    let anna = Client::builder(&proxy.url(&service.url))
        .expect("an address")
        .credentials(Credentials::token(token("anna")))
        .build()
        .expect("a client");
    for number in 0..5 {
        proxy.cut_next_reply();
        let task = NewTask::titled(format!("Task {number}"));
        anna.create(&task, &key()).await.expect("created");
        proxy.cut_next_reply();
        let tasks: Vec<_> = anna
            .tasks(&Filter::default())
            .try_collect()
            .await
            .expect("tasks");
        assert_eq!(tasks.len(), number + 1);
    }
}
