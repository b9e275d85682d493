//! Arguments that tools refuse.

use serde_json::json;

use crate::service::{Service, newer, older};

#[actix_web::test]
async fn unknown_tool_and_malformed_params_are_errors_of_the_protocol() {
    let service = Service::new();
    for params in [
        json!({"name": "drop_tables"}),
        json!({"name": "List_Tasks"}),
        json!({}),
        json!({"name": 7}),
        json!({"name": "list_tasks", "arguments": []}),
        json!({"name": "list_tasks", "arguments": "x"}),
    ] {
        let answer = service.send(newer("tools/call", params.clone())).await;
        let code = (answer.status, answer.code());
        assert_eq!(code, (400, -32602), "{params}");
        let answer = service.send(older("tools/call", &params)).await;
        assert_eq!((answer.status, answer.code()), (200, -32602), "{params}");
    }
    let params = json!({"name": "drop_tables"});
    let answer = service.send(newer("tools/call", params)).await;
    assert!(answer.message().contains("drop_tables"), "{answer:?}");
    assert!(answer.message().contains("list_tasks"), "{answer:?}");
}

#[actix_web::test]
async fn unknown_missing_and_ill_typed_arguments_are_all_named() {
    let service = Service::new();
    for (tool, arguments, named) in [
        ("list_tasks", json!({"status": "open"}), &["status"][..]),
        ("list_tasks", json!({"offset": 1}), &["offset"]),
        (
            "list_tasks",
            json!({"limit": "many", "completed": 1}),
            &["completed", "limit"],
        ),
        ("list_tasks", json!({"tag": "home"}), &["tag"]),
        ("list_tasks", json!({"tag": [1]}), &["tag"]),
        ("get_task", json!({}), &["id"]),
        ("get_task", json!({"id": 7}), &["id"]),
        (
            "add_task",
            json!({"titel": "x", "due": 1}),
            &["due", "titel"],
        ),
        (
            "add_task",
            json!({"title": null, "due": null}),
            &["due", "title"],
        ),
        (
            "add_task",
            json!({"title": "x", "user_id": "bob"}),
            &["user_id"],
        ),
        ("update_task", json!({"title": "x"}), &["id"]),
        ("complete_tasks", json!({"id": "x"}), &["ids", "id"]),
        ("delete_tasks", json!({}), &["ids"]),
        ("delete_tasks", json!({"ids": "all"}), &["ids"]),
        (
            "delete_tasks",
            json!({"completed": true}),
            &["ids", "completed"],
        ),
        ("undo", json!({"seq": "1"}), &["seq"]),
        ("undo", json!({"seq": 1.5}), &["seq"]),
        ("undo", json!({}), &["seq"]),
        ("undo", json!({"seq": 1, "key": 7}), &["key"]),
        ("changes_since", json!({"since": 0}), &["since"]),
    ] {
        let (failure, text) = service.fail(tool, arguments.clone()).await;
        assert_eq!(failure["code"], "VALIDATION_ERROR", "{tool} {arguments}");
        let errors = failure["errors"].as_array().expect("a list");
        let fields: Vec<_> = errors.iter().map(|error| &error["field"]).collect();
        assert_eq!(fields, named, "{tool} {arguments}: {failure}");
        assert!(text.contains(&format!("`{}`", named[0])), "{text}");
        let reads = ["list_tasks", "get_task", "changes_since"].contains(&tool);
        assert_ne!(text.contains("Nothing was changed"), reads, "{text}");
    }
    assert!(service.tasks().await.is_empty());
}

#[actix_web::test]
async fn broken_rules_have_the_texts_of_the_api() {
    let service = Service::new();
    let id = service.add(json!({"title": "Buy milk"})).await["id"].clone();
    for (tool, arguments, detail) in [
        (
            "add_task",
            json!({}),
            "Task title must be a non-empty string",
        ),
        (
            "add_task",
            json!({"title": ""}),
            "Task title must be a non-empty string",
        ),
        (
            "update_task",
            json!({"id": id, "title": "x".repeat(101)}),
            "Task title must not exceed 100 characters",
        ),
    ] {
        let (failure, text) = service.fail(tool, arguments).await;
        assert_eq!(failure["code"], "VALIDATION_ERROR");
        assert_eq!(failure["detail"], detail);
        assert!(text.contains(detail), "{text}");
    }
    for arguments in [
        json!({"sort": "created"}),
        json!({"due": "soon"}),
        json!({"limit": 0}),
        json!({"limit": 1001}),
        json!({"cursor": "x"}),
        json!({"timezone": "Berlin"}),
    ] {
        let (failure, _) = service.fail("list_tasks", arguments.clone()).await;
        assert_eq!(failure["code"], "MALFORMED_REQUEST", "{arguments}");
    }
}

#[actix_web::test]
async fn text_and_fields_exclude_each_other() {
    let service = Service::new();
    for (arguments, named) in [
        (json!({"text": "Buy milk", "title": "Buy milk"}), "title"),
        (json!({"text": "Buy milk", "priority": "high"}), "priority"),
        (
            json!({"title": "Buy milk", "timezone": "Europe/Berlin"}),
            "timezone",
        ),
        (json!({"title": "Buy milk", "except": ["due"]}), "except"),
    ] {
        let (failure, _) = service.fail("add_task", arguments).await;
        assert_eq!(failure["errors"][0]["field"], named, "{failure}");
    }
    assert!(service.tasks().await.is_empty());
}

#[actix_web::test]
async fn writes_without_ids_or_fields_change_nothing() {
    let service = Service::new();
    let task = service.add(json!({"title": "Buy milk"})).await;
    for tool in ["complete_tasks", "delete_tasks"] {
        for arguments in [
            json!({}),
            json!({"ids": []}),
            json!({"ids": null}),
            json!({"ids": {}}),
            json!({"ids": [null]}),
            json!({"ids": "*"}),
            json!({"q": ""}),
        ] {
            let (failure, _) = service.fail(tool, arguments).await;
            assert_eq!(failure["code"], "VALIDATION_ERROR");
        }
        for ids in [json!([""]), json!(["*"])] {
            let (failure, _) = service.fail(tool, json!({"ids": ids})).await;
            assert_eq!(failure["code"], "NOT_FOUND");
        }
        let many: Vec<_> = (0..101)
            .map(|number| format!("00000000-0000-7000-8000-{number:012}"))
            .collect();
        let (failure, text) = service.fail(tool, json!({"ids": many})).await;
        assert_eq!(failure["code"], "VALIDATION_ERROR");
        assert!(text.contains("100"), "{text}");
    }
    let (failure, _) = service.fail("update_task", json!({"id": task["id"]})).await;
    assert_eq!(failure["code"], "VALIDATION_ERROR");
    assert_eq!(service.tasks().await, [task]);
}
