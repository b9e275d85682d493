//! Failures that are not the arguments' fault.

use serde_json::json;
use taskhold_domain::user::UserId;

use crate::service::{Service, newer};

#[actix_web::test]
async fn used_up_keys_are_told_with_the_time_to_wait() {
    let service = Service::limited(u64::MAX, 1);
    service
        .call("add_task", json!({"title": "x", "key": "k1"}))
        .await;
    let (failure, text) = service
        .fail("add_task", json!({"title": "z", "key": "k2"}))
        .await;
    assert_eq!(failure["code"], "RATE_LIMITED");
    assert_eq!(failure["retry_after"], 3600);
    assert!(text.contains("Wait 3600 s"), "{text}");
}

#[actix_web::test]
async fn used_up_quota_is_told() {
    let service = Service::limited(1, u64::MAX);
    let id = service.add(json!({"title": "x"})).await["id"].clone();
    for arguments in [json!({"title": "y"}), json!({"text": "y"})] {
        let (failure, text) = service.fail("add_task", arguments).await;
        assert_eq!(failure["code"], "QUOTA_EXCEEDED");
        assert!(text.contains("Ask the user"), "{text}");
    }
    service.call("delete_tasks", json!({"ids": [id]})).await;
    service.add(json!({"title": "z"})).await;
}

#[actix_web::test]
async fn conflicting_undo_returns_the_task() {
    let service = Service::new();
    let task = service.add(json!({"title": "one"})).await;
    let id = &task["id"];
    let second = service
        .call("update_task", json!({"id": id, "title": "two"}))
        .await;
    service
        .call("update_task", json!({"id": id, "title": "three"}))
        .await;
    let (failure, text) = service.fail("undo", json!({"seq": second["seq"]})).await;
    assert_eq!(failure["code"], "UNDO_CONFLICT");
    assert_eq!(failure["task"]["title"], "three");
    assert!(text.contains("update_task"), "{text}");
    for seq in [0, 99] {
        let (failure, _) = service.fail("undo", json!({"seq": seq})).await;
        assert_eq!(failure["code"], "NOT_FOUND");
    }
}

#[actix_web::test]
async fn request_beyond_those_in_progress_returns_429_with_retry_after() {
    let service = Service::new().one_at_a_time();
    let alice = UserId::parse("alice").expect("a user");
    let held = service.services().user_limit.begin(&alice).await;
    let held = held.expect("the first");
    tokio::time::pause();
    let answer = service.send(newer("tools/list", json!({}))).await;
    tokio::time::resume();
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(answer.body["error_code"], "RATE_LIMITED");
    drop(held);
    assert_eq!(
        service.send(newer("tools/list", json!({}))).await.status,
        200
    );
}
