//! The two revisions: what is sent and what is answered.

use serde_json::{Value, json};

use crate::service::{Answer, NEWER, OLDER, Service, newer, older, raw};

#[actix_web::test]
async fn discovery_names_revisions_and_capabilities() {
    let service = Service::new();
    let answer = service.send(newer("server/discover", json!({}))).await;
    assert_eq!(answer.status, 200);
    let result = &answer.body["result"];
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["supportedVersions"], json!([NEWER, OLDER]));
    assert_eq!(result["capabilities"], json!({"tools": {}}));
    assert!(result["ttlMs"].as_u64() > Some(0), "{result}");
    assert_eq!(result["cacheScope"], "public");
    let info = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
    assert_eq!(info["name"], "taskhold");
}

#[actix_web::test]
async fn initialization_offers_the_older_revision() {
    let service = Service::new();
    for version in [OLDER, "2025-06-18", "2024-11-05", NEWER, "1999-12-31"] {
        let params = json!({
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": {"name": "tests", "version": "1"},
        });
        let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let answer = service.send(raw(body.to_string())).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let result = &answer.body["result"];
        assert_eq!(result["protocolVersion"], OLDER);
        assert_eq!(result["serverInfo"]["name"], "taskhold");
        assert_eq!(result["capabilities"], json!({"tools": {}}));
        assert_eq!(answer.header("mcp-session-id"), "");
    }
    let answer = service.send(older("ping", &json!({}))).await;
    assert_eq!(answer.body["result"], json!({}));
}

#[actix_web::test]
async fn both_revisions_list_the_same_tools_in_the_same_order() {
    let service = Service::new();
    let list = service.send(newer("tools/list", json!({}))).await;
    let again = service.send(newer("tools/list", json!({}))).await;
    assert_eq!(list.body, again.body);
    let result = &list.body["result"];
    assert_eq!(result["resultType"], "complete");
    assert!(result["ttlMs"].as_u64() > Some(0), "{result}");
    assert_eq!(result["cacheScope"], "private");
    let names: Vec<_> = result["tools"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|tool| tool["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(
        names,
        [
            "list_tasks",
            "get_task",
            "add_task",
            "update_task",
            "complete_tasks",
            "delete_tasks",
            "undo",
            "changes_since"
        ]
    );
    let of_older = service.send(older("tools/list", &json!({}))).await;
    assert_eq!(of_older.body["result"], json!({"tools": result["tools"]}));
}

#[actix_web::test]
async fn both_revisions_call_tools() {
    let service = Service::new();
    let params = json!({"name": "add_task", "arguments": {"title": "Buy milk"}});
    let answer = service.send(older("tools/call", &params)).await;
    assert_eq!(answer.status, 200);
    let result = &answer.body["result"];
    assert_eq!(result["structuredContent"]["task"]["title"], "Buy milk");
    let text = result["content"][0]["text"].as_str().expect("text");
    let text: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(text, result["structuredContent"]);
    assert!(result.get("resultType").is_none(), "{result}");
    assert_eq!(service.tasks().await[0]["title"], "Buy milk");
}

#[actix_web::test]
async fn unsupported_revision_is_refused_with_those_that_are_supported() {
    let service = Service::new();
    let assert_refused = |answer: &Answer, version: &str| {
        assert_eq!((answer.status, answer.code()), (400, -32022), "{answer:?}");
        let data = json!({"supported": [NEWER, OLDER], "requested": version});
        assert_eq!(answer.body["error"]["data"], data);
        assert!(answer.message().contains(NEWER), "{answer:?}");
        assert_eq!(answer.body["id"], 1);
    };
    for version in ["2025-06-18", "2099-01-01"] {
        let request = older("tools/list", &json!({}));
        let answer = service
            .send(request.with("mcp-protocol-version", version))
            .await;
        assert_refused(&answer, version);
        let mut request = newer("tools/list", json!({})).with("mcp-protocol-version", version);
        let body = String::from_utf8(request.body).expect("text");
        request.body = body.replace(NEWER, version).into();
        assert_refused(&service.send(request).await, version);
    }
}

#[actix_web::test]
async fn headers_that_contradict_the_body_are_refused() {
    let service = Service::new();
    let call = newer(
        "tools/call",
        json!({"name": "add_task", "arguments": {"title": "x"}}),
    );
    for (header, value) in [
        ("mcp-protocol-version", ""),
        ("mcp-protocol-version", OLDER),
        ("mcp-method", ""),
        ("mcp-method", "tools/list"),
        ("mcp-method", "Tools/call"),
        ("mcp-name", ""),
        ("mcp-name", "delete_tasks"),
        ("mcp-name", "ADD_TASK"),
    ] {
        let answer = service.send(call.clone().with(header, value)).await;
        let code = (answer.status, answer.code());
        assert_eq!(code, (400, -32020), "{header}: {value}");
        assert!(answer.message().contains(header), "{answer:?}");
    }
    assert!(service.tasks().await.is_empty());
    let encoded = call.with("mcp-name", "=?base64?YWRkX3Rhc2s=?=");
    assert_eq!(service.send(encoded).await.status, 200);
}

#[actix_web::test]
async fn request_without_meta_is_refused() {
    let service = Service::new();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let request = raw(body.to_string())
        .with("mcp-protocol-version", NEWER)
        .with("mcp-method", "tools/list");
    let answer = service.send(request).await;
    assert_eq!((answer.status, answer.code()), (400, -32602));
}

#[actix_web::test]
async fn cursor_of_no_list_of_tools_is_refused() {
    let service = Service::new();
    let params = json!({"cursor": "x"});
    let answer = service.send(newer("tools/list", params.clone())).await;
    assert_eq!((answer.status, answer.code()), (400, -32602));
    let answer = service.send(older("tools/list", &params)).await;
    assert_eq!((answer.status, answer.code()), (200, -32602));
}
