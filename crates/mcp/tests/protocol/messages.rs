//! Messages as such.

use actix_web::http::Method;
use serde_json::json;

use crate::service::{Service, newer, older, raw};

#[actix_web::test]
async fn malformed_json_returns_an_error_without_id() {
    let service = Service::new();
    for body in ["", "{", "{\"jsonrpc\": \"2.0\", \"id\": 1", "\u{0}"] {
        let answer = service.send(raw(body)).await;
        assert_eq!((answer.status, answer.code()), (400, -32700), "{body}");
        assert!(answer.body.get("id").is_none(), "{answer:?}");
        assert_eq!(answer.header("content-type"), "application/json");
    }
}

#[actix_web::test]
async fn batch_is_refused_and_changes_nothing() {
    let service = Service::new();
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "add_task", "arguments": {"title": "x"}},
    });
    let request = raw(json!([call, call]).to_string());
    let answer = service
        .send(request.with("mcp-protocol-version", "2025-11-25"))
        .await;
    assert_eq!((answer.status, answer.code()), (400, -32600));
    assert!(answer.message().contains("Batches"), "{answer:?}");
    assert!(service.tasks().await.is_empty());
}

#[actix_web::test]
async fn large_body_returns_413() {
    let service = Service::new();
    let answer = service.send(raw(vec![b' '; 10 << 20])).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.body["error_code"], "PAYLOAD_TOO_LARGE");
}

#[actix_web::test]
async fn another_media_type_returns_415() {
    let service = Service::new();
    let request = newer("tools/list", json!({})).with("content-type", "text/plain");
    let answer = service.send(request).await;
    assert_eq!(answer.status, 415);
}

#[actix_web::test]
async fn get_and_delete_return_405() {
    let service = Service::new();
    for method in [Method::GET, Method::DELETE, Method::PUT] {
        let mut request = raw("");
        request.method = method.clone();
        let answer = service.send(request).await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), "POST, OPTIONS");
    }
}

#[actix_web::test]
async fn notification_returns_202_without_a_body() {
    let service = Service::new();
    for (method, version) in [
        ("notifications/initialized", "2025-11-25"),
        ("notifications/initialized", ""),
        ("notifications/cancelled", "2026-07-28"),
        ("notifications/unheard", "2026-07-28"),
    ] {
        let body = json!({"jsonrpc": "2.0", "method": method}).to_string();
        let request = raw(body).with("mcp-protocol-version", version);
        let answer = service.send(request).await;
        assert_eq!(answer.status, 202, "{method} {version}");
        assert!(answer.body.is_null(), "{answer:?}");
    }
    let body = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
    let request = raw(body).with("mcp-protocol-version", "1999-12-31");
    let answer = service.send(request).await;
    assert_eq!((answer.status, answer.code()), (400, -32022));
}

#[actix_web::test]
async fn call_without_an_id_changes_nothing() {
    let service = Service::new();
    let body = json!({
        "jsonrpc": "2.0", "method": "tools/call",
        "params": {"name": "add_task", "arguments": {"title": "x"}},
    });
    let request = raw(body.to_string()).with("mcp-protocol-version", "2025-11-25");
    let answer = service.send(request).await;
    assert_eq!((answer.status, answer.code()), (400, -32600));
    assert!(service.tasks().await.is_empty());
}

#[actix_web::test]
async fn id_of_a_request_is_that_of_its_answer() {
    let service = Service::new();
    for id in [json!(7), json!("seven"), json!(-1), json!("")] {
        for method in ["ping", "no/such"] {
            let body = json!({"jsonrpc": "2.0", "id": id, "method": method});
            let request = raw(body.to_string()).with("mcp-protocol-version", "2025-11-25");
            let answer = service.send(request).await;
            assert_eq!(answer.body["id"], id, "{answer:?}");
            assert_eq!(answer.body["jsonrpc"], "2.0");
        }
    }
}

#[actix_web::test]
async fn unknown_method_is_404_where_it_is_not_taken_for_a_lost_session() {
    let service = Service::new();
    for method in [
        "no/such",
        "initialize",
        "ping",
        "resources/list",
        "subscriptions/listen",
    ] {
        let answer = service.send(newer(method, json!({}))).await;
        assert_eq!((answer.status, answer.code()), (404, -32601), "{method}");
    }
    for method in ["no/such", "server/discover", "prompts/list"] {
        let answer = service.send(older(method, &json!({}))).await;
        assert_eq!((answer.status, answer.code()), (200, -32601), "{method}");
    }
}
