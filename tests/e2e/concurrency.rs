//! A hundred concurrent clients: no write is lost or applied twice.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::service::{Answer, Database, Service, path};

const CLIENTS: usize = 100;

async fn hundred_concurrent_clients_lose_no_write(database: Database) {
    let service = Service::start(&database).await;
    let work = (0..CLIENTS).map(|number| {
        // Each of ten users has ten clients.
        let client = service.client(&format!("user {}", number % 10));
        async move {
            for round in 0..5 {
                let title = format!("{number}/{round}");
                let task = client.create(json!({"title": title})).await;
                let path = path(&task);
                let toggled = client
                    .send(Method::PATCH, &(path.clone() + "/complete"), None)
                    .await;
                assert_eq!(
                    (toggled.status, &toggled.body["task"]["completed"]),
                    (200, &json!(true))
                );
                if round == 4 {
                    assert_eq!(client.send(Method::DELETE, &path, None).await.status, 204);
                }
            }
        }
    });
    join_all(work).await;
    for user in 0..10 {
        let tasks = service.client(&format!("user {user}")).tasks().await;
        let titles: BTreeSet<_> = tasks
            .iter()
            .map(|task| task["title"].as_str().expect("a title").to_owned())
            .collect();
        assert_eq!(
            (tasks.len(), titles.len()),
            (40, 40),
            "no write lost, none twice"
        );
        assert!(tasks.iter().all(|task| task["completed"] == true));
    }
}

async fn concurrent_writers_with_one_etag_have_one_winner(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let task = alice.create(json!({"title": "before"})).await;
    let path = path(&task);
    let mut tag = task["etag"].as_str().expect("a tag").to_owned();
    for round in 0..5 {
        let writers = (0..CLIENTS).map(|number| {
            let request = alice
                .request(Method::PUT, &path)
                .header("if-match", &tag)
                .json(&json!({"title": format!("{round}/{number}")}));
            Answer::of(request)
        });
        let answers = join_all(writers).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!((won.len(), lost.len()), (1, CLIENTS - 1));
        for answer in lost {
            answer.assert_problem(412, "PRECONDITION_FAILED");
            assert_eq!(
                answer.body["task"], won[0].body["task"],
                "the loser is shown what won"
            );
            assert_eq!(answer.header("etag"), won[0].header("etag"));
        }
        assert_eq!(alice.get(&path).await.body, won[0].body);
        tag = won[0].header("etag").to_owned();
    }
}

async fn create_beyond_the_quota_returns_409(database: Database) {
    let service = Service::start_with(&database, &[("TASKHOLD__TASKS__MAX_PER_USER", "5")]).await;
    let alice = service.client("alice");
    for number in 0..5 {
        alice.create(json!({"title": number.to_string()})).await;
    }
    let refused = alice
        .post("/api/v1/tasks", json!({"title": "one too many"}))
        .await;
    refused.assert_problem(409, "QUOTA_EXCEEDED");
    assert_eq!(alice.tasks().await.len(), 5);
    service
        .client("bob")
        .create(json!({"title": "another's quota is another's"}))
        .await;
    let path = path(&alice.tasks().await[0]);
    assert_eq!(alice.send(Method::DELETE, &path, None).await.status, 204);
    alice
        .create(json!({"title": "there is room at once"}))
        .await;
}

on_both_stores! {
    hundred_concurrent_clients_lose_no_write
    concurrent_writers_with_one_etag_have_one_winner
    create_beyond_the_quota_returns_409
}
