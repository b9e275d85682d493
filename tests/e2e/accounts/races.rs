//! Concurrent requests for the same resource.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{NO_LIMITS, REFRESH, log_in, me_status, post_refresh, post_register, register, rows};
use crate::service::{Answer, Database, Service};

const AT_ONCE: usize = 10;

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    statuses
}

async fn concurrent_registrations_create_one_account(database: Database) {
    let service = Service::start_with(&database, &NO_LIMITS).await;
    let emails = (0..AT_ONCE).map(|letter| {
        let mut email = "annaivanova@example.org".to_owned();
        email[letter..=letter].make_ascii_uppercase();
        email
    });
    let answers = join_all(emails.map(|email| {
        let service = &service;
        async move { post_register(service, &email).await }
    }))
    .await;
    let mut expected = vec![409; AT_ONCE];
    expected[0] = 201;
    assert_eq!(statuses(&answers), expected);
    let rows = rows::rows(&database).await;
    assert_eq!((rows["users"].len(), rows["refresh_tokens"].len()), (1, 1));
    log_in(&service, "annaivanova@example.org").await;
}

/// Regression test for fault 6 of the predecessor: half of these writes failed.
async fn concurrent_first_writes_create_one_user(database: Database) {
    let service = Service::start(&database).await;
    let keyed = |index: usize| index.is_multiple_of(2);
    let writes = (0..AT_ONCE).map(|index| {
        let stranger = service.client("stranger");
        let mut request = stranger
            .request(reqwest::Method::POST, super::TASKS)
            .json(&json!({"title": "first"}));
        if keyed(index) {
            request = request.header("idempotency-key", index.to_string());
        }
        Answer::of(request)
    });
    let answers = join_all(writes).await;
    assert_eq!(statuses(&answers), [201; AT_ONCE]);
    let rows = rows::rows(&database).await;
    assert_eq!((rows["users"].len(), rows["tasks"].len()), (1, AT_ONCE));
}

async fn concurrent_refreshes_have_one_winner(database: Database) {
    let service = Service::start_with(&database, &NO_LIMITS).await;
    let bystander = register(&service, "bob@example.org").await;
    for round in 0..AT_ONCE {
        let anna = register(&service, &format!("anna{round}@example.org")).await;
        let elsewhere = log_in(&service, &format!("anna{round}@example.org")).await;
        let clients = [service.client_with(None), service.client_with(None)];
        let body = json!({"refresh_token": anna.refresh});
        let answers = join_all(
            clients
                .each_ref()
                .map(|client| client.post(REFRESH, body.clone())),
        )
        .await;
        assert_eq!(statuses(&answers), [200, 401]);
        // A thief cannot be distinguished from the owner, so the winner's token is revoked too.
        let won = answers.iter().find(|answer| answer.status == 200);
        let won = &won.expect("a winner").body["refresh_token"];
        let answer = post_refresh(&service, won.as_str().expect("a token")).await;
        assert_eq!(answer.status, 401, "the family is revoked");
        assert_eq!(
            post_refresh(&service, &elsewhere.refresh).await.status,
            200,
            "another login is not concerned"
        );
    }
    assert_eq!(post_refresh(&service, &bystander.refresh).await.status, 200);
}

async fn second_refresh_revokes_the_family(database: Database) {
    let service = Service::start(&database).await;
    let first = register(&service, "anna@example.org").await;
    let mut tokens = vec![first.refresh.clone()];
    for _ in 0..3 {
        let answer = post_refresh(&service, tokens.last().expect("one")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let next: &Value = &answer.body["refresh_token"];
        tokens.push(next.as_str().expect("a token").to_owned());
    }
    assert_eq!(post_refresh(&service, &tokens[1]).await.status, 401);
    for token in &tokens {
        assert_eq!(post_refresh(&service, token).await.status, 401);
    }
    assert!(rows::rows(&database).await["refresh_tokens"].is_empty());
    assert_eq!(me_status(&service, &first.access).await, 401);
    assert!(service.log().contains("refresh_token_reuse"));
}

on_both_stores! {
    concurrent_registrations_create_one_account
    concurrent_first_writes_create_one_user
    concurrent_refreshes_have_one_winner
    second_refresh_revokes_the_family
}
