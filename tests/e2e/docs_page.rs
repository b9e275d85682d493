//! The API documentation page in a real browser.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::service::{Database, Service, endpoints};

/// The DOM of a loaded page, and every address that the page requested.
pub struct LoadedPage {
    pub dom: String,
    pub requested: BTreeSet<String>,
}

/// Loads a page in Chromium with a new profile and records its network log.
pub fn load_page(url: &str) -> LoadedPage {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("net.json");
    let output = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            // Blocks the browser's own requests.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            // Virtual time advances faster while the page is idle.
            "--virtual-time-budget=30000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", folder.path().display()))
        .arg(format!("--log-net-log={}", log.display()))
        .arg("--enable-logging=stderr")
        .arg(url)
        .env("HOME", folder.path())
        .output()
        .expect("chromium runs");
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}");
    assert!(!printed.contains("Content Security Policy"), "{printed}");
    let log = std::fs::read(log).expect("a log");
    LoadedPage {
        dom: String::from_utf8(output.stdout).expect("UTF-8"),
        requested: requests(&serde_json::from_slice(&log).expect("JSON")),
    }
}

/// Returns the addresses of all requests that the page started. The browser's own requests have no
/// origin.
fn requests(log: &Value) -> BTreeSet<String> {
    let began = &log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"];
    assert!(began.is_number(), "the log names its events");
    let events = log["events"].as_array().expect("events");
    let of_page = events.iter().filter_map(|event| {
        let (initiator, url) = (&event["params"]["initiator"], &event["params"]["url"]);
        let is_of_page = event["type"] == *began && initiator.as_str()? != "not an origin";
        is_of_page.then(|| url.as_str().map(str::to_owned))?
    });
    of_page.collect()
}

#[tokio::test]
async fn docs_page_shows_every_operation_without_external_requests() {
    let service = Service::start(&Database::sqlite()).await;
    let page = service.url.clone() + "/docs";
    let page = tokio::task::spawn_blocking(move || load_page(&page));
    let LoadedPage { dom, requested } = page.await.expect("shown");
    for endpoint in endpoints() {
        let path = format!("data-path=\"{}\"", endpoint.path);
        assert!(dom.contains(&path), "{path}: {dom}");
    }
    let operations = dom.matches("class=\"opblock-summary-method\"").count();
    assert_eq!(operations, endpoints().len());
    for part in [
        "/docs/swagger-ui.css",
        "/docs/swagger-ui-bundle.js",
        "/docs/start.js",
        "/openapi.json",
    ] {
        assert!(
            requested.contains(&format!("{}{part}", service.url)),
            "{part}: {requested:?}"
        );
    }
    let others: Vec<_> = requested
        .iter()
        .filter(|url| !url.starts_with(&service.url) && !url.starts_with("data:"))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

#[tokio::test]
async fn content_security_policy_allows_scripts_only_on_the_docs_page() {
    let service = Service::start(&Database::sqlite()).await;
    let client = service.client_with(None);
    for path in ["/docs", "/docs/", "/docs/start.js", "/docs/swagger-ui.css"] {
        let answer = client.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
    }
    for path in [
        "/openapi.json",
        "/health",
        "/docs/other.js",
        "/api/v1/tasks",
    ] {
        let answer = client.get(path).await;
        let strict = "default-src 'none'; frame-ancestors 'none'";
        assert_eq!(answer.header("content-security-policy"), strict, "{path}");
    }
    let document = client.get("/openapi.json").await;
    assert_eq!(document.header("content-type"), "application/json");
    assert_eq!(document.body["openapi"], "3.1.0");
}

#[tokio::test]
async fn committed_copy_equals_the_served_document() {
    let service = Service::start(&Database::sqlite()).await;
    let served = service.client_with(None).get("/openapi.json").await.body;
    let copy = crate::requirements::read("docs/openapi.json");
    let copy: serde_json::Value = serde_json::from_str(&copy).expect("JSON");
    assert!(copy == served, "renew it with `make openapi`");
}
