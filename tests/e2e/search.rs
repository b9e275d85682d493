//! Searches for texts whose case and accents have more than one form.

use reqwest::Method;
use serde_json::json;

use crate::service::{Database, Service, path};

async fn search_ignores_case_and_encoding_in_every_script(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let texts = [
        ("Flug nach İstanbul", "istanbul"),
        ("istanbul", "İSTANBUL"),
        ("Hauptstraße 1", "STRASSE"),
        ("ZUSSERSTRASSE", "straße"),
        ("cafe\u{301} noir", "CAFÉ N"),
        ("Zoë", "zoe\u{308}"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
        ("한국", "\u{1112}\u{1161}\u{11ab}"),
    ];
    for (title, _) in texts {
        let task = alice.create(json!({"title": title})).await;
        assert_eq!(task["title"], title, "kept as given");
    }
    for (title, searched) in texts {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("q", searched);
        let found = alice
            .get(&format!("/api/v1/tasks?{}", query.finish()))
            .await;
        let found = found.body["tasks"].as_array().expect("a list").clone();
        assert!(
            found.iter().any(|task| task["title"] == title),
            "{searched}"
        );
    }
    let accent = alice.get("/api/v1/tasks?q=cafe%20noir").await;
    assert_eq!(accent.body["tasks"], json!([]), "an accent counts");
    let task = alice.create(json!({"title": "Buy milk"})).await;
    let changed = alice
        .send(
            Method::PATCH,
            &path(&task),
            Some(json!({"title": "Weiße Bohnen"})),
        )
        .await;
    assert_eq!(changed.status, 200);
    for (query, count) in [("milk", 0), ("WEISSE", 1)] {
        let found = alice.get(&format!("/api/v1/tasks?q={query}")).await;
        assert_eq!(found.body["tasks"].as_array().expect("a list").len(), count);
    }
}

on_both_stores! {
    search_ignores_case_and_encoding_in_every_script
}
