//! The addresses of the page among those of the service.

use std::collections::BTreeSet;

use reqwest::Method;

use super::serving::{Got, assert_page_is_served, digest, paths};
use crate::service::{Answer, Database, Service};

#[tokio::test]
async fn other_method_returns_405_and_options_lists_those_there_are() {
    let service = Service::start(&Database::sqlite()).await;
    let client = service.client_with(None);
    for path in paths(&client).await {
        let options = client.send(Method::OPTIONS, &path, None).await;
        assert_eq!(options.status, 204, "{path}");
        assert_eq!(options.header("allow"), "GET, HEAD, OPTIONS", "{path}");
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let refused = client.send(method, &path, None).await;
            refused.assert_problem(405, "METHOD_NOT_ALLOWED");
            assert_eq!(refused.header("allow"), "GET, HEAD, OPTIONS", "{path}");
        }
    }
}

#[tokio::test]
async fn file_of_another_version_returns_404() {
    let service = Service::start(&Database::sqlite()).await;
    let client = service.client_with(None);
    let digest = digest(&client, "").await;
    let other = digest.chars().rev().collect::<String>();
    for path in [
        format!("/page/{other}/app.js"),
        format!("/page/{other}/files.json"),
        format!("/page/{digest}0/app.js"),
        format!("/page/{digest}/no-such-file.js"),
        format!("/page/{digest}"),
        "/page/@/app.js".to_owned(),
        "/page".to_owned(),
        "/app.js".to_owned(),
    ] {
        let answer = client.get(&path).await;
        answer.assert_problem(404, "NOT_FOUND");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
}

/// Launchers, links and other programs append parameters.
#[tokio::test]
async fn page_opens_with_any_query() {
    let service = Service::start(&Database::sqlite()).await;
    let client = service.client_with(None);
    for path in paths(&client).await {
        let plain = Got::get(&client, &path, &[]).await;
        for query in ["source=pwa", "fbclid=x&utm_source=y", "a=1&a=2", "%ff", "="] {
            let file = Got::get(&client, &format!("{path}?{query}"), &[]).await;
            assert_eq!(file.status, 200, "{path}?{query}");
            assert_eq!(file.bytes, plain.bytes, "{path}?{query}");
        }
    }
}

#[tokio::test]
async fn page_is_served_under_the_base_path() {
    let database = Database::sqlite();
    let variables = [("TASKHOLD__SERVER__BASE_PATH", "/todo")];
    let service = Service::start_with(&database, &variables).await;
    let client = service.client_with(None);
    assert_page_is_served(&client, "/todo").await;
    // A proxy may remove the base path from requests; the files name it in any case.
    let digest = digest(&client, "/todo").await;
    for path in ["/", "/sw.js", &format!("/page/{digest}/app.js")] {
        let removed = Got::get(&client, path, &[]).await;
        let kept = Got::get(&client, &format!("/todo{path}"), &[]).await;
        assert_eq!(removed.status, 200, "{path}");
        assert_eq!(removed.lasting(), kept.lasting(), "{path}");
        assert_eq!(removed.bytes, kept.bytes, "{path}");
    }
}

#[tokio::test]
async fn page_is_no_part_of_the_api() {
    let service = Service::start(&Database::sqlite()).await;
    let client = service.client_with(None);
    let document = client.get("/openapi.json").await.body;
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.contains_key("/docs"), "{:?}", paths.keys());
    for path in paths.keys() {
        let is_of_page = ["/", "/sw.js"].contains(&path.as_str()) || path.starts_with("/page");
        assert!(!is_of_page, "{path}");
    }
}

/// Whatever is asked for, the metrics have one series for the files.
#[tokio::test]
async fn files_share_one_label_in_the_metrics() {
    let service = Service::start(&Database::sqlite()).await;
    let client = service.client_with(None);
    for path in paths(&client).await {
        Got::get(&client, &path, &[]).await;
    }
    client.get("/page/no-such-digest/no-such-file").await;
    let metrics = Got::get(&client, "/metrics", &[]).await;
    let lines = metrics.text().lines();
    let counts =
        lines.filter(|line| line.starts_with("taskhold_http_request_duration_seconds_count"));
    let routes: BTreeSet<_> = counts
        .filter_map(|line| line.split("route=\"").nth(1)?.split('"').next())
        .collect();
    let expected = ["/", "/page/{digest}/{path:.*}", "/sw.js"];
    assert_eq!(routes, expected.into());
    let log = service.log();
    assert!(log.contains("/page/{digest}/{path:.*}"), "{log}");
}

#[tokio::test]
async fn without_the_page_the_root_leads_to_the_documentation() {
    for (base_path, location) in [("", "docs"), ("/todo", "/todo/docs")] {
        let database = Database::sqlite();
        let variables = [
            ("TASKHOLD__PAGE__ENABLED", "false"),
            ("TASKHOLD__SERVER__BASE_PATH", base_path),
        ];
        let service = Service::start_with(&database, &variables).await;
        let client = service.client_with(None);
        for method in [Method::GET, Method::HEAD] {
            for accept in [
                "text/html,application/xhtml+xml;q=0.9",
                "application/json",
                "*/*",
            ] {
                let request = client.request(method.clone(), "/").header("accept", accept);
                let answer = Answer::of(request).await;
                assert_eq!(answer.status, 303, "{method} {accept}: {answer:?}");
                // Relative at the root: below another path of a proxy, the browser stays below it.
                assert_eq!(answer.header("location"), location);
            }
        }
        let refused = client.send(Method::POST, "/", None).await;
        refused.assert_problem(405, "METHOD_NOT_ALLOWED");
        assert_eq!(client.send(Method::OPTIONS, "/", None).await.status, 204);
        let refused = client.get("/?source=pwa").await;
        refused.assert_problem(400, "MALFORMED_REQUEST");
        assert_eq!(client.get("/docs").await.status, 200);
        for path in ["/sw.js", "/page/x/app.js", "/page/x/files.json"] {
            client.get(path).await.assert_problem(404, "NOT_FOUND");
        }
        let document = client.get("/openapi.json").await.body;
        let start = &document["paths"]["/"]["get"]["responses"];
        assert!(start["303"].is_object(), "{start}");
    }
}
