//! Front ends that were written for another API, behind nginx and Caddy as `docs/clients.md` configures them.

use reqwest::Method;
use serde_json::{Value, json};
use taskhold_testkit::issuer::{IssuerKey, JwksServer, key_set};

use crate::proxies::running::{RunningProxy, adapt, block, reserved_port, wait_until_passed_on};
use crate::service::{Answer, Client, Database, Service, tomorrow};

const PAGE: &str = include_str!("../../docs/clients.md");

/// Where the page says that the front end, Taskhold and the origin are.
const FRONT_END: &str = "127.0.0.1:3000";
const TASKHOLD: &str = "127.0.0.1:8080";
const ORIGIN: &str = "https://app.example";

/// A front end with Better Auth, Taskhold with the settings of the page, and a proxy before both.
struct Origin {
    url: String,
    front_end: JwksServer,
    key: IssuerKey,
    service: Service,
    _proxy: RunningProxy,
    _database: Database,
}

impl Origin {
    /// Starts everything. `start_proxy` starts the proxy on a port, for the addresses of the front end and of Taskhold.
    async fn start(database: Database, start_proxy: fn(u16, [&str; 2]) -> RunningProxy) -> Self {
        let key = IssuerKey::ed25519();
        // It answers every request with the keys.
        let front_end = JwksServer::start(&key_set(&[key.jwk_with_id("one")])).await;
        let jwks = front_end.url();
        let front_end_address = jwks.split('/').nth(2).expect("an address");
        let settings = block(PAGE, "dotenv").replace(FRONT_END, front_end_address);
        let settings: Vec<_> = settings
            .lines()
            .map(|line| line.split_once('=').expect("a variable"))
            .collect();
        let service = Service::start_with(&database, &settings).await;
        let address = service.url.trim_start_matches("http://");
        let port = reserved_port();
        let proxy = start_proxy(port, [front_end_address, address]);
        let url = format!("http://127.0.0.1:{port}");
        wait_until_passed_on(&url).await;
        Self {
            url,
            front_end,
            key,
            service,
            _proxy: proxy,
            _database: database,
        }
    }

    /// Returns a client of the proxy with a token of Better Auth for this user.
    fn client(&self, user: &str) -> Client {
        let claims = json!({
            "sub": user, "iat": tomorrow() - 86_400, "exp": tomorrow(), "iss": ORIGIN, "aud": ORIGIN,
        });
        let token = self.key.token("one", &claims);
        self.service.client_with(Some(token)).at(&self.url)
    }
}

/// Replaces the addresses of the page.
fn adapted(configuration: &str, [front_end, taskhold]: [&str; 2]) -> String {
    for address in [FRONT_END, TASKHOLD] {
        assert!(configuration.contains(address), "{address}");
    }
    configuration
        .replace(FRONT_END, front_end)
        .replace(TASKHOLD, taskhold)
}

fn nginx(port: u16, addresses: [&str; 2]) -> RunningProxy {
    let folder = tempfile::tempdir().expect("a folder");
    let locations = adapted(block(PAGE, "nginx"), addresses);
    let server = format!("server {{\nlisten 127.0.0.1:{port};\n{locations}}}");
    RunningProxy::nginx(folder, &server)
}

fn caddy(port: u16, addresses: [&str; 2]) -> RunningProxy {
    let folder = tempfile::tempdir().expect("a folder");
    let here = format!("http://127.0.0.1:{port} {{");
    let site = adapt(block(PAGE, "caddyfile"), &[("app.example {", &here)]);
    RunningProxy::caddy(folder, "auto_https off", &adapted(&site, addresses))
}

fn ids(list: &Answer) -> Vec<&Value> {
    assert_eq!(list.status, 200, "{list:?}");
    let tasks = list.body["tasks"].as_array().expect("a list");
    tasks.iter().map(|task| &task["id"]).collect()
}

async fn front_end_of_another_api_works(origin: Origin) {
    let anna = origin.client("anna");
    let mut tasks = Vec::new();
    for path in ["/api/anna/tasks", "/tasks"] {
        let body = json!({"title": "Buy milk", "description": "2 litres", "completed": false});
        let created = anna.post(path, body).await;
        assert_eq!(created.status, 201, "{created:?}");
        assert_eq!(created.body["task"]["user_id"], "anna");
        let there = anna.get(created.header("location")).await;
        assert_eq!(there.body, created.body, "{path}");
        tasks.insert(0, created.body["task"]["id"].clone());
    }
    for path in [
        "/tasks",
        "/tasks/",
        "/api/anna/tasks",
        // The token decides, not the path.
        "/api/bert/tasks?q=Buy%20milk&completed=false",
        "/api/v1/tasks",
    ] {
        assert_eq!(
            ids(&anna.get(path).await),
            tasks.iter().collect::<Vec<_>>(),
            "{path}"
        );
    }
    assert!(ids(&origin.client("bert").get("/api/anna/tasks").await).is_empty());
    let page = anna.get("/api/anna/tasks?limit=1").await;
    let next = page.header("link").trim_start_matches('<');
    let next = anna.get(next.split('>').next().expect("a path")).await;
    assert_eq!(ids(&next), [&tasks[1]]);

    for (prefix, id) in [("/tasks", &tasks[0]), ("/api/anna/tasks", &tasks[1])] {
        let path = format!("{prefix}/{}", id.as_str().expect("an id"));
        let read = anna.get(&path).await;
        let toggled = json!({"completed": true});
        let toggled = anna
            .send(Method::PATCH, &format!("{path}/complete"), Some(toggled))
            .await;
        assert_eq!(toggled.body["task"]["completed"], true, "{toggled:?}");
        let renamed = json!({"title": "Buy oat milk", "description": "1 litre"});
        let renamed = anna.send(Method::PUT, &path, Some(renamed)).await;
        assert_eq!(renamed.body["task"]["completed"], true, "{renamed:?}");
        let stale = anna
            .request(Method::PATCH, &path)
            .header("if-match", read.header("etag"))
            .json(&json!({"title": "x"}));
        Answer::of(stale)
            .await
            .assert_problem(412, "PRECONDITION_FAILED");
        let fresh = anna
            .request(Method::PATCH, &path)
            .header("if-match", renamed.header("etag"));
        let patched = Answer::of(fresh.json(&json!({"title": "Call mum"}))).await;
        assert_eq!(
            patched.body["task"]["description"], "1 litre",
            "{patched:?}"
        );
        assert_eq!(anna.send(Method::DELETE, &path, None).await.status, 204);
        anna.get(&path).await.assert_problem(404, "NOT_FOUND");
    }

    let anyone = origin.service.client_with(None).at(&origin.url);
    anyone
        .get("/api/anna/tasks")
        .await
        .assert_problem(401, "UNAUTHORIZED");
    for path in [
        "/",
        "/tasksy",
        "/api/auth/jwks",
        "/api/auth/token",
        "/login/tasks/x/y",
    ] {
        let before = origin.front_end.request_count();
        let answer = anyone.get(path).await;
        let is_of_front_end = origin.front_end.request_count() > before;
        assert!(
            is_of_front_end && answer.body["keys"].is_array(),
            "{path}: {answer:?}"
        );
    }
}

async fn front_end_of_another_api_works_behind_nginx(database: Database) {
    front_end_of_another_api_works(Origin::start(database, nginx).await).await;
}

async fn front_end_of_another_api_works_behind_caddy(database: Database) {
    front_end_of_another_api_works(Origin::start(database, caddy).await).await;
}

on_both_stores! {
    front_end_of_another_api_works_behind_nginx
    front_end_of_another_api_works_behind_caddy
}
