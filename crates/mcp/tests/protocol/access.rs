//! Access to the endpoint: tokens, origins, and the metadata that name the authorization server.

use actix_web::http::Method;
use serde_json::json;
use taskhold_mcp::settings::{McpSettings, PublicUrl};

use crate::service::{Request, Service, newer, raw};

const METADATA: &str = "/.well-known/oauth-protected-resource";

fn get(path: &str) -> Request {
    let mut request = raw("").with("authorization", "");
    request.method = Method::GET;
    path.clone_into(&mut request.path);
    request.with("host", "todo.example:8080")
}

#[actix_web::test]
async fn missing_or_invalid_token_returns_401_with_the_metadata() {
    let service = Service::new();
    for authorization in ["", "Bearer no-token", "Basic YTpi"] {
        let request = newer("tools/list", json!({}))
            .with("authorization", authorization)
            .with("host", "todo.example:8080");
        let answer = service.send(request).await;
        assert_eq!(answer.status, 401, "{authorization}");
        assert_eq!(answer.body["error_code"], "UNAUTHORIZED");
        let challenge = answer.header("www-authenticate");
        assert!(challenge.starts_with("Bearer realm="), "{challenge}");
        let url = "http://todo.example:8080/.well-known/oauth-protected-resource/mcp";
        let parameter = format!("resource_metadata=\"{url}\"");
        assert!(challenge.contains(&parameter), "{challenge}");
    }
}

#[actix_web::test]
async fn metadata_is_public_and_names_the_issuer() {
    let settings = McpSettings {
        url: Some(PublicUrl::parse("https://todo.example/todo/mcp").expect("a URL")),
        authorization_server: Some("https://app.example".to_owned()),
        ..McpSettings::default()
    };
    let service = Service::with_settings(&settings).under("/todo");
    for path in [METADATA, &format!("{METADATA}/mcp")] {
        let answer = service.send(get(path)).await;
        assert_eq!(answer.status, 200, "{path}");
        let document = json!({
            "resource": "https://todo.example/todo/mcp",
            "resource_name": "Taskhold",
            "bearer_methods_supported": ["header"],
            "authorization_servers": ["https://app.example"],
        });
        assert_eq!(answer.body, document);
    }
    let request = newer("tools/list", json!({})).with("authorization", "");
    let answer = service.send(request).await;
    let challenge = answer.header("www-authenticate");
    let url = "https://todo.example/todo/.well-known/oauth-protected-resource/mcp";
    assert!(challenge.contains(url), "{challenge}");
}

#[actix_web::test]
async fn metadata_without_settings_is_that_of_the_request() {
    let service = Service::new().under("/todo");
    let answer = service.send(get(METADATA)).await;
    assert_eq!(answer.body["resource"], "http://todo.example:8080/todo/mcp");
    assert!(answer.body.get("authorization_servers").is_none());
}

#[actix_web::test]
async fn foreign_origin_returns_403_and_changes_nothing() {
    let settings = McpSettings {
        origins: vec!["https://app.example".to_owned()],
        ..McpSettings::default()
    };
    let service = Service::with_settings(&settings);
    let call = newer(
        "tools/call",
        json!({"name": "add_task", "arguments": {"title": "x"}}),
    );
    for origin in [
        "https://evil.example",
        "null",
        "http://app.example",
        // The host of a page that was resolved to this service.
        "http://localhost:8080",
    ] {
        let request = call.clone().with("origin", origin);
        let answer = service.send(request.with("host", "localhost:8080")).await;
        assert_eq!(answer.status, 403, "{origin}");
        assert!(answer.body.get("id").is_none(), "{answer:?}");
        assert!(answer.message().contains("cors.origins"), "{answer:?}");
    }
    assert!(service.tasks().await.is_empty());
    let answer = service
        .send(call.with("origin", "https://app.example"))
        .await;
    assert_eq!(answer.status, 200);
}

#[actix_web::test]
async fn another_users_tasks_are_not_reached() {
    let service = Service::new();
    let task = service.add(json!({"title": "hers alone"})).await;
    let id = &task["id"];
    for (tool, arguments, code) in [
        ("get_task", json!({"id": id}), "NOT_FOUND"),
        (
            "update_task",
            json!({"id": id, "title": "his"}),
            "FORBIDDEN",
        ),
        ("complete_tasks", json!({"ids": [id]}), "FORBIDDEN"),
        ("delete_tasks", json!({"ids": [id]}), "FORBIDDEN"),
        ("undo", json!({"seq": 1}), "NOT_FOUND"),
    ] {
        let (failure, text) = service.fail_as("bob", tool, arguments).await;
        assert_eq!(failure["code"], code, "{tool}: {text}");
        assert!(!failure.to_string().contains("alice"), "{failure}");
    }
    for tool in ["list_tasks", "changes_since"] {
        let seen = service.call_as("bob", tool, json!({})).await;
        assert!(!seen.to_string().contains("hers alone"), "{seen}");
    }
    assert_eq!(service.tasks().await, [task]);
}
