//! What remains of a deleted account.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::rows::{Rows, rows};
use super::{
    ME, PASSWORD, REVOCATION_DEADLINE, TASKS, delete_account, log_in, me_status, post_login,
    post_refresh, register, token_issued_ago,
};
use crate::service::{Answer, Client, Database, Service, path, within};

/// Creates a task with an idempotency key.
async fn create_keyed(client: &Client) -> Answer {
    let task = json!({"title": "under a key"});
    client
        .send_keyed("a-key", Method::POST, TASKS, Some(task))
        .await
}

/// Returns the tables that differ, with the number of added and removed rows.
fn difference(before: &Rows, after: &Rows) -> Vec<(String, usize, usize)> {
    let mut difference = Vec::new();
    for (table, rows) in after {
        let added = rows.difference(&before[table]).count();
        let removed = before[table].difference(rows).count();
        if added + removed > 0 {
            difference.push((table.clone(), added, removed));
        }
    }
    difference
}

async fn deleted_account_leaves_only_a_digest(database: Database) {
    let service = Service::start(&database).await;
    // This registration creates the counter of the requests' address.
    let bob = register(&service, "bob@example.org").await;
    bob.client(&service).create(json!({"title": "his"})).await;
    let before = rows(&database).await;

    let anna = register(&service, "Anna@Example.org").await;
    let token = log_in(&service, "anna@example.org").await.refresh;
    assert_eq!(post_refresh(&service, &token).await.status, 200);
    let wrong = post_login(&service, "anna@example.org", "wrong horse battery").await;
    assert_eq!(wrong.status, 401);
    let client = anna.client(&service);
    client.create(json!({"title": "hers"})).await;
    let deleted = client.create(json!({"title": "in her trash"})).await;
    let deleted = client.send(Method::DELETE, &path(&deleted), None).await;
    assert_eq!(deleted.status, 204);
    assert_eq!(create_keyed(&client).await.status, 201);
    let during = rows(&database).await;
    assert_eq!(difference(&before, &during).len(), 8, "{during:?}");

    assert_eq!(delete_account(&client, Some(PASSWORD)).await.status, 204);
    let after = rows(&database).await;
    let left = difference(&before, &after);
    let left: Vec<_> = left
        .iter()
        .map(|(table, added, _)| (&**table, *added))
        .collect();
    // What was counted is under digests.
    assert!(
        matches!(left[..], [("attempts", _), ("revocations", 1)]),
        "{left:?}"
    );
    let after = format!("{after:?}").to_lowercase();
    let hexadecimal = anna.id().bytes().map(|byte| format!("{byte:02x}"));
    let hexadecimal = hexadecimal.collect::<Vec<_>>().concat();
    for absent in ["anna", anna.id(), &hexadecimal] {
        assert!(!after.contains(absent), "{absent}: {after}");
    }
    let again = register(&service, "anna@example.org").await;
    assert_ne!(again.id(), anna.id());
}

on_both_stores! {
    deleted_account_leaves_only_a_digest
}

/// The first requests reach the other instance before it knows of the deletion.
#[tokio::test]
async fn deleted_account_is_not_recreated_by_another_instance() {
    let database = Database::postgres().await;
    let (first, second) = tokio::join!(Service::start(&database), Service::start(&database));
    let anna = register(&first, "anna@example.org").await;
    let stranger = token_issued_ago("stranger", Duration::from_secs(1));
    for token in [&anna.access, &stranger] {
        let other_client = second.client_with(Some(token.clone()));
        other_client.create(json!({"title": "before"})).await;
        let password = (token == &anna.access).then_some(PASSWORD);
        let client = first.client_with(Some(token.clone()));
        assert_eq!(delete_account(&client, password).await.status, 204);
        assert_eq!(
            me_status(&second, token).await,
            200,
            "it has not heard of it"
        );

        let writes = (0..4).map(|_| other_client.post(TASKS, json!({"title": "back"})));
        for answer in join_all(writes).await {
            answer.assert_problem(401, "UNAUTHORIZED");
        }
        create_keyed(&other_client)
            .await
            .assert_problem(401, "UNAUTHORIZED");
        let imported = other_client.post("/api/v1/import", json!([{"id": 1, "title": "back"}]));
        imported.await.assert_problem(401, "UNAUTHORIZED");
        let left = rows(&database).await;
        assert!(
            left["users"].is_empty() && left["tasks"].is_empty(),
            "{left:?}"
        );

        within(
            REVOCATION_DEADLINE,
            "the other instance refuses the token",
            async || (other_client.get(ME).await.status == 401).then_some(()),
        )
        .await;
        let late = other_client.post(TASKS, json!({"title": "late"})).await;
        late.assert_problem(401, "UNAUTHORIZED");
        assert!(rows(&database).await["users"].is_empty());
    }
    register(&second, "anna@example.org").await;
}
