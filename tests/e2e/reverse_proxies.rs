//! The service under a path behind nginx and Caddy, with the configurations of the documentation.

use std::net::IpAddr;

use reqwest::Method;
use serde_json::{Value, json};
use taskhold_api::route::Access;
use taskhold_security::http_client;
use tempfile::TempDir;

use crate::docs_page::load_page;
use crate::proxies::running::{RunningProxy, adapt, block, reserved_port, wait_until_passed_on};
use crate::service::{Answer, Client, Database, Service, TASKS, endpoints, run};
use crate::web_page::serving::assert_page_is_served;

const PAGE: &str = include_str!("../../docs/operations/reverse-proxy.md");

/// The settings of the documentation.
const SETTINGS: [(&str, &str); 2] = [
    ("TASKHOLD__SERVER__BASE_PATH", "/todo"),
    ("TASKHOLD__SERVER__TRUSTED_PROXIES", "127.0.0.1"),
];

/// A running proxy in front of a service.
struct Proxy {
    /// The origin of the proxy.
    origin: String,
    _running: RunningProxy,
}

impl Proxy {
    /// Starts nginx with the documented server, changed by these replacements.
    async fn nginx(service: &Service, replacements: &[(&str, &str)]) -> Self {
        let listens = ("listen 80;", "listen 127.0.0.1:PORT;");
        let replacements = [&[listens], replacements].concat();
        Self::start("nginx", RunningProxy::nginx, service, &replacements).await
    }

    /// Starts Caddy with the documented site, changed by these replacements.
    async fn caddy(service: &Service, replacements: &[(&str, &str)]) -> Self {
        let start = |folder, site: &str| RunningProxy::caddy(folder, "auto_https off", site);
        let listens = ("example.org {", "http://127.0.0.1:PORT {");
        Self::start(
            "caddyfile",
            start,
            service,
            &[&[listens], replacements].concat(),
        )
        .await
    }

    async fn start(
        language: &str,
        start: impl FnOnce(TempDir, &str) -> RunningProxy,
        service: &Service,
        replacements: &[(&str, &str)],
    ) -> Self {
        let port = reserved_port().to_string();
        let upstream = service.url.trim_start_matches("http://");
        let configuration = adapt(block(PAGE, language), replacements)
            .replace("PORT", &port)
            .replace("127.0.0.1:8080", upstream);
        let folder = tempfile::tempdir().expect("a folder");
        let running = start(folder, &configuration);
        let origin = format!("http://127.0.0.1:{port}");
        wait_until_passed_on(&format!("{origin}/todo/health/live")).await;
        Self {
            origin,
            _running: running,
        }
    }

    fn client(&self, client: &Client) -> Client {
        client.clone().at(&self.origin)
    }
}

/// Asserts that every reference in an answer leads back to the service through the proxy.
async fn assert_references_lead_through(proxy: &Proxy, service: &Service) {
    let alice = proxy.client(&service.client("alice"));
    let mut created = Vec::new();
    for title in ["one", "two"] {
        let answer = alice
            .post("/todo/api/v1/tasks", json!({"title": title}))
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let location = answer.header("location").to_owned();
        assert!(location.starts_with("/todo/api/v1/tasks/"), "{location}");
        let read = alice.get(&location).await;
        assert_eq!(read.body, answer.body, "{location}");
        created.push(answer.body["task"].clone());
    }
    let page = alice.get("/todo/api/v1/tasks?limit=1").await;
    let next = page
        .header("link")
        .split(['<', '>'])
        .nth(1)
        .expect("a link");
    let next = alice.get(next).await;
    assert_eq!(next.body["tasks"], json!([created[0]]), "{next:?}");

    let account = json!({"email": "ben@example.org", "password": "tangled kelp orbits 7"});
    let anonymous = proxy.client(&service.client_with(None));
    let answer = anonymous.post("/todo/api/auth/register", account).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let cookie = answer.header("set-cookie");
    assert!(cookie.contains("; Path=/todo/api/auth;"), "{cookie}");

    let answer = anonymous.get("/todo/nowhere").await;
    answer.assert_problem(404, "NOT_FOUND");
    assert_eq!(answer.body["instance"], "/todo/nowhere");

    let document = anonymous.get("/todo/openapi.json").await.body;
    assert_eq!(document["servers"][0]["url"], "/todo");
    for endpoint in endpoints() {
        let is_read = endpoint.method.as_str() == "GET" && endpoint.access == Access::Public;
        if is_read {
            let path = endpoint.path.replace("{name}", "start.js");
            let answer = anonymous.get(&format!("/todo{path}")).await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
        }
    }
    assert_page_is_served(&anonymous, "/todo").await;
    // The service's own port takes both.
    let direct = service.client_with(None);
    for path in ["/health/live", "/todo/health/live"] {
        assert_eq!(direct.get(path).await.status, 200, "{path}");
    }
}

/// Asserts that the page of the documentation shows every operation and asks only the service.
async fn assert_docs_page_works(proxy: &Proxy) {
    let url = format!("{}/todo/docs", proxy.origin);
    let page = tokio::task::spawn_blocking(move || load_page(&url))
        .await
        .expect("shown");
    for endpoint in endpoints() {
        let path = format!("data-path=\"{}\"", endpoint.path);
        assert!(page.dom.contains(&path), "{path}: {}", page.dom);
    }
    let under = format!("{}/todo/", proxy.origin);
    for url in &page.requested {
        assert!(url.starts_with(&under) || url.starts_with("data:"), "{url}");
    }
    assert!(page.requested.contains(&format!("{under}openapi.json")));
}

#[tokio::test]
async fn references_lead_through_nginx() {
    let database = Database::sqlite();
    let service = Service::start_with(&database, &SETTINGS).await;
    let proxy = Proxy::nginx(&service, &[]).await;
    assert_references_lead_through(&proxy, &service).await;
    assert_docs_page_works(&proxy).await;
}

#[tokio::test]
async fn references_lead_through_nginx_that_keeps_the_path() {
    let database = Database::sqlite();
    let service = Service::start_with(&database, &SETTINGS).await;
    let proxy = Proxy::nginx(&service, &[(":8080/;", ":8080;")]).await;
    assert_references_lead_through(&proxy, &service).await;
}

#[tokio::test]
async fn references_lead_through_caddy() {
    let database = Database::sqlite();
    let service = Service::start_with(&database, &SETTINGS).await;
    let proxy = Proxy::caddy(&service, &[]).await;
    assert_references_lead_through(&proxy, &service).await;
    assert_docs_page_works(&proxy).await;
}

#[tokio::test]
async fn references_lead_through_caddy_that_keeps_the_path() {
    let database = Database::sqlite();
    let service = Service::start_with(&database, &SETTINGS).await;
    let proxy = Proxy::caddy(&service, &[("handle_path", "handle")]).await;
    assert_references_lead_through(&proxy, &service).await;
}

/// Reads a task compressed, and changes it with the tag that came: at first, and when that tag is stale.
async fn change_with_compressed_tag(proxy: &Proxy, service: &Service) -> (String, [u16; 2]) {
    let alice = service.client("alice");
    let task = alice
        .create(json!({"title": "x", "description": "y".repeat(500)}))
        .await;
    let path = format!("/todo{TASKS}/{}", task["id"].as_str().expect("an id"));
    let alice = proxy.client(&alice);
    let read = alice
        .request(Method::GET, &path)
        .header("accept-encoding", "gzip");
    let read = Answer::of(read).await;
    assert_eq!(read.header("content-encoding"), "gzip", "{read:?}");
    assert_eq!(read.body, Value::Null, "it is compressed");
    let tag = read.header("etag").to_owned();
    let put = async || {
        let request = alice.request(Method::PUT, &path).header("if-match", &tag);
        Answer::of(request.json(&json!({"title": "changed"})))
            .await
            .status
    };
    let statuses = [put().await, put().await];
    (tag, statuses)
}

#[tokio::test]
async fn weakened_tag_matches_only_if_accepted() {
    let gzip = (
        "server_name example.org;",
        "gzip on; gzip_proxied any; gzip_types application/json;",
    );
    for (accepts, expected) in [("false", [412, 412]), ("true", [200, 412])] {
        let weak = [("TASKHOLD__SERVER__ACCEPT_WEAK_ETAGS", accepts)];
        let settings = [&SETTINGS[..], &weak].concat();
        let database = Database::sqlite();
        let service = Service::start_with(&database, &settings).await;
        let proxy = Proxy::nginx(&service, &[gzip]).await;
        let (tag, statuses) = change_with_compressed_tag(&proxy, &service).await;
        assert!(tag.starts_with("W/\""), "{tag}");
        assert_eq!(statuses, expected, "{accepts}");

        let proxy = Proxy::caddy(&service, &[("handle_path", "encode gzip\nhandle_path")]).await;
        let (tag, statuses) = change_with_compressed_tag(&proxy, &service).await;
        let expected = if tag.starts_with("W/") {
            expected
        } else {
            [200, 412]
        };
        assert_eq!(statuses, expected, "{accepts}: {tag}");
    }
}

/// The client has another address than the proxy, which is trusted.
#[tokio::test]
async fn client_cannot_forge_its_address_through_a_proxy() {
    let database = Database::sqlite();
    let service = Service::start_with(&database, &SETTINGS).await;
    let client = http_client::builder().local_address(IpAddr::from([127, 0, 0, 2]));
    let client = client.build().expect("a client");
    for (user, proxy) in [
        ("anna", Proxy::nginx(&service, &[]).await),
        ("ben", Proxy::caddy(&service, &[]).await),
    ] {
        let email = format!("{user}@example.org");
        let credentials = json!({"email": email, "password": "not this one"});
        for (name, forged) in [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-for", "\""),
            ("forwarded", "for=203.0.113.9"),
        ] {
            let request = client.post(format!("{}/todo/api/auth/login", proxy.origin));
            let request = request.header(name, forged).json(&credentials);
            let answer = Answer::of(request).await;
            assert_eq!(answer.status, 401, "{user} {name}: {answer:?}");
        }
    }
    let log = service.log();
    assert_eq!(log.matches("client=127.0.0.2").count(), 6, "{log}");
}

/// A request could mean the service's own path or one under the base path.
#[test]
fn base_path_that_is_no_path_or_is_taken_is_refused() {
    for base_path in [
        "todo",
        "/a//b",
        "/../x",
        "/a b",
        "https://example.org/",
        "/api",
        "/api/v1/",
        "/docs",
        "/health",
        "/page",
        "/sw.js",
    ] {
        let database = Database::sqlite();
        let variables = [("TASKHOLD__SERVER__BASE_PATH", base_path)];
        let output = run(database.folder.path(), &variables, &["serve"]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{base_path}: {stderr}");
        assert!(stderr.contains("server.base_path"), "{base_path}: {stderr}");
    }
}
