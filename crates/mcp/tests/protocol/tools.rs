//! The effects of the tools.

use serde_json::{Value, json};

use crate::service::{Service, newer};

fn titles(list: &Value) -> Vec<&str> {
    let tasks = list.as_array().expect("a list").iter();
    tasks
        .map(|task| task["title"].as_str().expect("a title"))
        .collect()
}

#[actix_web::test]
async fn list_of_tools_is_at_most_6_kilobytes() {
    let service = Service::new();
    let answer = service.send(newer("tools/list", json!({}))).await;
    let list = answer.body["result"]["tools"].to_string();
    assert!(list.len() <= 6 * 1024, "{} bytes", list.len());
}

#[actix_web::test]
async fn line_of_text_becomes_a_task() {
    let service = Service::new();
    let text = "Pay rent 2030-05-01 9am every month #home !high";
    let added = service
        .call(
            "add_task",
            json!({"text": text, "timezone": "Europe/Berlin"}),
        )
        .await;
    let task = &added["task"];
    assert_eq!(task["title"], "Pay rent");
    assert_eq!(task["due"], "2030-05-01T09:00:00+02:00[Europe/Berlin]");
    assert_eq!(task["repeat"], "FREQ=MONTHLY");
    assert_eq!(
        (&task["tags"], &task["priority"]),
        (&json!(["home"]), &json!("high"))
    );
    assert_eq!(added["understood"][0]["field"], "due");
    assert_eq!(added["seq"], 1);
    let added = service
        .call(
            "add_task",
            json!({"text": "Read Tomorrow's paper", "except": ["due"]}),
        )
        .await;
    assert_eq!(added["task"]["title"], "Read Tomorrow's paper");
}

#[actix_web::test]
async fn update_of_one_field_leaves_the_others() {
    let service = Service::new();
    let task = service
        .add(json!({
            "title": "Buy milk", "description": "2 litres", "due": "2030-05-01",
            "priority": "low", "tags": ["home"], "repeat": "FREQ=DAILY",
        }))
        .await;
    let changed = service
        .call("update_task", json!({"id": task["id"], "priority": "high"}))
        .await;
    let mut expected = task.clone();
    for member in ["priority", "updated_at", "etag"] {
        expected[member] = changed["task"][member].clone();
    }
    assert_eq!(changed["task"], expected);
    assert_eq!(changed["task"]["priority"], "high");
    assert_eq!(changed["seq"], 2);
    let cleared = service
        .call(
            "update_task",
            json!({"id": task["id"], "description": "", "due": null, "repeat": null}),
        )
        .await;
    assert_eq!(cleared["task"]["description"], "");
    assert_eq!(
        (&cleared["task"]["due"], &cleared["task"]["repeat"]),
        (&Value::Null, &Value::Null)
    );
}

#[actix_web::test]
async fn tasks_are_listed_by_pages_and_filters() {
    let service = Service::new();
    for number in 0..60 {
        let fields = json!({"title": format!("Task {number:02}"), "completed": number % 2 == 0});
        service.add(fields).await;
    }
    let page = service.call("list_tasks", json!({})).await;
    assert_eq!(titles(&page["tasks"]).len(), 50);
    assert_eq!(titles(&page["tasks"])[0], "Task 59");
    let cursor = &page["next_cursor"];
    let rest = service.call("list_tasks", json!({"cursor": cursor})).await;
    assert_eq!(titles(&rest["tasks"]).len(), 10);
    assert_eq!(rest["next_cursor"], Value::Null);
    let found = service
        .call(
            "list_tasks",
            json!({"q": "task 1", "completed": true, "sort": "title", "limit": 3}),
        )
        .await;
    assert_eq!(titles(&found["tasks"]), ["Task 10", "Task 12", "Task 14"]);
}

#[actix_web::test]
async fn filters_by_tags_and_dates_are_those_of_the_api() {
    let service = Service::new();
    let tagged = json!({"title": "Tagged", "tags": ["home", "urgent"], "due": "2030-05-01"});
    service.add(tagged).await;
    service
        .add(json!({"title": "Other", "tags": ["home"]}))
        .await;
    for arguments in [
        json!({"tag": ["HOME", "urgent"]}),
        json!({"due": "any"}),
        json!({"due_from": "2030-05-01", "due_to": "2030-05-01"}),
    ] {
        let found = service.call("list_tasks", arguments.clone()).await;
        assert_eq!(titles(&found["tasks"]), ["Tagged"], "{arguments}");
    }
}

#[actix_web::test]
async fn task_is_completed_deleted_and_brought_back() {
    let service = Service::new();
    let id = service.add(json!({"title": "Buy milk"})).await["id"].clone();
    let completed = service.call("complete_tasks", json!({"ids": [id]})).await;
    assert_eq!(completed["tasks"][0]["completed"], true);
    assert_eq!(completed["seq"], 2);
    let deleted = service.call("delete_tasks", json!({"ids": [id]})).await;
    assert_eq!(deleted, json!({"removed": [id], "seq": 3}));
    assert!(service.tasks().await.is_empty());
    let restored = service.call("undo", json!({"seq": 3})).await;
    assert_eq!(restored["task"]["title"], "Buy milk");
    assert_eq!(restored["seq"], 4);
    let reopened = service.call("undo", json!({"seq": 2})).await;
    assert_eq!(reopened["task"]["completed"], false);
}

#[actix_web::test]
async fn several_tasks_are_written_and_undone_at_once() {
    let service = Service::new();
    let mut ids = Vec::new();
    for title in ["one", "two", "three"] {
        let task = service.add(json!({"title": title})).await;
        ids.push(task["id"].clone());
    }
    let before = service.tasks().await;
    let first_two = json!([ids[1], ids[0], ids[1]]);
    let completed = service
        .call("complete_tasks", json!({"ids": first_two}))
        .await;
    assert_eq!(titles(&completed["tasks"]), ["two", "one"]);
    let deleted = service
        .call("delete_tasks", json!({"ids": first_two}))
        .await;
    assert_eq!(deleted["removed"], json!([ids[1], ids[0]]));
    assert_eq!(service.tasks().await.len(), 1);
    for result in [deleted, completed] {
        service.call("undo", json!({"seq": result["seq"]})).await;
    }
    let open: Vec<_> = service.tasks().await;
    assert_eq!(titles(&json!(open)), titles(&json!(before)));
    assert!(open.iter().all(|task| task["completed"] == false));
}

#[actix_web::test]
async fn one_bad_id_changes_nothing_and_is_named() {
    let service = Service::new();
    let task = service.add(json!({"title": "one"})).await;
    let theirs = service
        .call_as("bob", "add_task", json!({"title": "his"}))
        .await;
    for (bad, code) in [
        (theirs["task"]["id"].as_str().expect("an id"), "FORBIDDEN"),
        ("00000000-0000-7000-8000-000000000999", "NOT_FOUND"),
        ("first", "NOT_FOUND"),
    ] {
        for tool in ["complete_tasks", "delete_tasks"] {
            let ids = json!([task["id"], bad]);
            let (failure, text) = service.fail(tool, json!({"ids": ids})).await;
            assert_eq!(failure["code"], code, "{tool}");
            assert!(
                text.contains(bad) && text.contains("none was changed"),
                "{text}"
            );
        }
    }
    assert_eq!(service.tasks().await, [task]);
}

#[actix_web::test]
async fn task_in_the_trash_is_not_found() {
    let service = Service::new();
    let id = service.add(json!({"title": "Buy milk"})).await["id"].clone();
    service.call("delete_tasks", json!({"ids": [id]})).await;
    for (tool, arguments) in [
        ("get_task", json!({"id": id})),
        ("update_task", json!({"id": id, "title": "x"})),
        ("complete_tasks", json!({"ids": [id]})),
        ("delete_tasks", json!({"ids": [id]})),
    ] {
        let (failure, text) = service.fail(tool, arguments).await;
        assert_eq!(failure["code"], "NOT_FOUND", "{tool}");
        assert!(text.contains("undo"), "{text}");
    }
}

#[actix_web::test]
async fn completion_of_a_repeating_task_returns_its_follow_up() {
    let service = Service::new();
    let daily = json!({"title": "Water", "due": "2030-05-01", "repeat": "FREQ=DAILY"});
    let id = service.add(daily.clone()).await["id"].clone();
    let completed = service.call("complete_tasks", json!({"ids": [id]})).await;
    assert_eq!(completed["next"][0]["due"], "2030-05-02");
    let id = service.add(daily).await["id"].clone();
    let updated = service
        .call("update_task", json!({"id": id, "completed": true}))
        .await;
    assert_eq!(updated["next"]["due"], "2030-05-02");
}

#[actix_web::test]
async fn changes_follow_from_cursor_to_cursor() {
    let service = Service::new();
    let id = service.add(json!({"title": "Buy milk"})).await["id"].clone();
    let all = service.call("changes_since", json!({})).await;
    assert_eq!(titles(&all["changed"]), ["Buy milk"]);
    let none = service
        .call("changes_since", json!({"cursor": all["cursor"]}))
        .await;
    assert_eq!(
        (&none["changed"], &none["removed"]),
        (&json!([]), &json!([]))
    );
    service.call("delete_tasks", json!({"ids": [id]})).await;
    let removed = service
        .call(
            "changes_since",
            json!({"cursor": none["cursor"], "limit": 1}),
        )
        .await;
    assert_eq!(removed["removed"], json!([id]));
    let (failure, _) = service.fail("changes_since", json!({"cursor": "x"})).await;
    assert_eq!(failure["code"], "MALFORMED_REQUEST");
}

#[actix_web::test]
async fn repeated_call_with_the_same_key_is_done_once() {
    let service = Service::new();
    let call = json!({"title": "Buy milk", "tags": ["home"], "key": "k1"});
    let first = service.call("add_task", call.clone()).await;
    let second = service.call("add_task", call).await;
    assert_eq!(first, second);
    assert_eq!(service.tasks().await.len(), 1);
    let id = &first["task"]["id"];
    for (tool, arguments) in [
        ("add_task", json!({"title": "Buy tea", "key": "k1"})),
        ("add_task", json!({"text": "Buy milk #home", "key": "k1"})),
        ("delete_tasks", json!({"ids": [id], "key": "k1"})),
        ("undo", json!({"seq": 1, "key": "k1"})),
    ] {
        let (failure, text) = service.fail(tool, arguments).await;
        assert_eq!(failure["code"], "VALIDATION_ERROR", "{tool}: {text}");
    }
    for key in ["", "with space", "ü"] {
        let (failure, _) = service
            .fail("add_task", json!({"title": "x", "key": key}))
            .await;
        assert_eq!(failure["errors"][0]["field"], "key", "{key}");
    }
    let deletion = json!({"ids": [id], "key": "k2"});
    let deleted = service.call("delete_tasks", deletion.clone()).await;
    assert_eq!(service.call("delete_tasks", deletion).await, deleted);
    let undo = json!({"seq": deleted["seq"], "key": "k3"});
    let undone = service.call("undo", undo.clone()).await;
    assert_eq!(service.call("undo", undo).await, undone);
    assert_eq!(service.tasks().await.len(), 1);
}

#[actix_web::test]
async fn hints_tell_reading_writing_and_destroying_apart() {
    let service = Service::new();
    for tool in service.tools().await {
        let name = tool["name"].as_str().expect("a name");
        let hints = &tool["annotations"];
        let reads = ["list_tasks", "get_task", "changes_since"].contains(&name);
        assert_eq!(hints["readOnlyHint"], reads, "{name}");
        let has_key = tool["inputSchema"]["properties"].get("key").is_some();
        assert_ne!(has_key, reads, "{name}");
        if !reads {
            let is_destructive = ["update_task", "delete_tasks", "undo"].contains(&name);
            assert_eq!(hints["destructiveHint"], is_destructive, "{name}");
            let is_idempotent = !["add_task", "undo"].contains(&name);
            assert_eq!(hints["idempotentHint"], is_idempotent, "{name}");
        }
    }
}
