//! What is left of somebody who has left.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::rows::{Rows, rows};
use super::{
    ME, PASSWORD, PROMISED, TASKS, deleting, issued_before, logged_in, logging_in, refreshing,
    registered, welcome,
};
use crate::service::{Answer, Client, Database, Service, within};

/// A task under a key.
async fn keyed(client: &Client) -> Answer {
    let task = json!({"title": "under a key"});
    client
        .send_keyed("a-key", Method::POST, TASKS, Some(task))
        .await
}

/// What came and went between two looks.
fn difference(before: &Rows, after: &Rows) -> Vec<(String, usize, usize)> {
    let mut difference = Vec::new();
    for (table, rows) in after {
        let came = rows.difference(&before[table]).count();
        let went = before[table].difference(rows).count();
        if came + went > 0 {
            difference.push((table.clone(), came, went));
        }
    }
    difference
}

async fn nothing_is_left_but_a_digest(database: Database) {
    let service = Service::start(&database).await;
    // The address that all requests come from is counted from here on.
    let bob = registered(&service, "bob@example.org").await;
    bob.client(&service).create(json!({"title": "his"})).await;
    let before = rows(&database).await;

    let anna = registered(&service, "Anna@Example.org").await;
    let token = logged_in(&service, "anna@example.org").await.refresh;
    assert_eq!(refreshing(&service, &token).await.status, 200);
    let wrong = logging_in(&service, "anna@example.org", "wrong horse battery").await;
    assert_eq!(wrong.status, 401);
    let client = anna.client(&service);
    client.create(json!({"title": "hers"})).await;
    assert_eq!(keyed(&client).await.status, 201);
    let during = rows(&database).await;
    assert_eq!(difference(&before, &during).len(), 5, "{during:?}");

    assert_eq!(deleting(&client, Some(PASSWORD)).await.status, 204);
    let after = rows(&database).await;
    assert_eq!(
        difference(&before, &after),
        [
            ("attempts".to_owned(), 1, 1),
            ("revocations".to_owned(), 1, 0)
        ],
        "the requests of the address were counted, and a digest is new"
    );
    let after = format!("{after:?}").to_lowercase();
    let hexadecimal = anna.id().bytes().map(|byte| format!("{byte:02x}"));
    let hexadecimal = hexadecimal.collect::<Vec<_>>().concat();
    for gone in ["anna", anna.id(), &hexadecimal] {
        assert!(!after.contains(gone), "{gone}: {after}");
    }
    let again = registered(&service, "anna@example.org").await;
    assert_ne!(again.id(), anna.id());
}

on_both_stores! {
    nothing_is_left_but_a_digest
}

/// The other instance has not heard of it when the first requests come.
#[tokio::test]
async fn what_is_deleted_at_one_instance_does_not_come_back_at_another() {
    let database = Database::postgres().await;
    let (one, other) = tokio::join!(Service::start(&database), Service::start(&database));
    let anna = registered(&one, "anna@example.org").await;
    let stranger = issued_before("stranger", Duration::from_secs(1));
    for token in [&anna.access, &stranger] {
        let there = other.client_with(Some(token.clone()));
        there.create(json!({"title": "before"})).await;
        let password = (token == &anna.access).then_some(PASSWORD);
        let here = one.client_with(Some(token.clone()));
        assert_eq!(deleting(&here, password).await.status, 204);
        assert_eq!(welcome(&other, token).await, 200, "it has not heard of it");

        let writes = (0..4).map(|_| there.post(TASKS, json!({"title": "back"})));
        for answer in join_all(writes).await {
            answer.assert_problem(401, "UNAUTHORIZED");
        }
        keyed(&there).await.assert_problem(401, "UNAUTHORIZED");
        let left = rows(&database).await;
        assert!(
            left["users"].is_empty() && left["tasks"].is_empty(),
            "{left:?}"
        );

        within(
            PROMISED,
            "the other instance refuses the token",
            async || (there.get(ME).await.status == 401).then_some(()),
        )
        .await;
        let late = there.post(TASKS, json!({"title": "late"})).await;
        late.assert_problem(401, "UNAUTHORIZED");
        assert!(rows(&database).await["users"].is_empty());
    }
    registered(&other, "anna@example.org").await;
}
