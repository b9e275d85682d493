//! Front ends that were written for another API, behind nginx and Caddy as `docs/clients.md` configures them.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::Method;
use serde_json::{Value, json};
use taskhold_testkit::issuer::{IssuerKey, JwksServer, key_set};
use tempfile::TempDir;

use crate::rolling::reserved_port;
use crate::service::{Answer, Client, Database, Service, eventually, http, tomorrow};

const PAGE: &str = include_str!("../../docs/clients.md");

/// Where the page says that the front end, Taskhold and the origin are.
const FRONT_END: &str = "127.0.0.1:3000";
const TASKHOLD: &str = "127.0.0.1:8080";
const ORIGIN: &str = "https://app.example";

fn block(language: &str) -> &'static str {
    let (_, rest) = PAGE
        .split_once(&format!("```{language}\n"))
        .expect("a block");
    rest.split_once("```").expect("its end").0
}

/// A front end with Better Auth, Taskhold with the settings of the page, and a proxy before both.
struct Origin {
    proxy: Child,
    url: String,
    front_end: JwksServer,
    key: IssuerKey,
    service: Service,
    _folder: TempDir,
    _database: Database,
}

impl Origin {
    /// Starts everything. `configure` writes the configuration of the proxy for this port into a folder, with the
    /// addresses of the front end and of Taskhold, and returns the command.
    async fn start(database: Database, configure: fn(&Path, u16, [&str; 2]) -> Command) -> Self {
        let key = IssuerKey::ed25519();
        // It answers every request with the keys.
        let front_end = JwksServer::start(&key_set(&[key.jwk_with_id("one")])).await;
        let jwks = front_end.url();
        let front_end_address = jwks.split('/').nth(2).expect("an address");
        let settings = block("dotenv").replace(FRONT_END, front_end_address);
        let settings: Vec<_> = settings
            .lines()
            .map(|line| line.split_once('=').expect("a variable"))
            .collect();
        let service = Service::start_with(&database, &settings).await;
        let (folder, port) = (tempfile::tempdir().expect("a folder"), reserved_port());
        let address = service.url.strip_prefix("http://").expect("an address");
        let mut command = configure(folder.path(), port, [front_end_address, address]);
        let proxy = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the proxy runs; `make test` installs Debian's packages nginx and caddy");
        let url = format!("http://127.0.0.1:{port}");
        eventually("the proxy listens", async || {
            http().get(&url).send().await.ok().map(drop)
        })
        .await;
        Self {
            proxy,
            url,
            front_end,
            key,
            service,
            _folder: folder,
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

impl Drop for Origin {
    fn drop(&mut self) {
        drop(self.proxy.kill());
        drop(self.proxy.wait());
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

fn nginx(folder: &Path, port: u16, addresses: [&str; 2]) -> Command {
    let server = adapted(block("nginx"), addresses);
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {name};\n"))
        .concat();
    let configuration = format!(
        "daemon off;\nmaster_process off;\npid pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}\
         server {{\nlisten 127.0.0.1:{port};\n{server}}}\n}}\n"
    );
    fs::write(folder.join("nginx.conf"), configuration).expect("written");
    // This folder is only on root's path.
    let installed = Path::new("/usr/sbin/nginx");
    let program = if installed.exists() {
        installed
    } else {
        Path::new("nginx")
    };
    let mut command = Command::new(program);
    command.arg("-p").arg(folder).args(["-c", "nginx.conf"]);
    command
}

fn caddy(folder: &Path, port: u16, addresses: [&str; 2]) -> Command {
    let documented = adapted(block("caddyfile"), addresses);
    let site = documented.replace("app.example {", &format!("http://127.0.0.1:{port} {{"));
    assert_ne!(site, documented);
    let configuration = format!("{{\n\tadmin off\n\tauto_https off\n}}\n{site}");
    fs::write(folder.join("Caddyfile"), configuration).expect("written");
    let mut command = Command::new("caddy");
    command
        .args(["run", "--config"])
        .arg(folder.join("Caddyfile"))
        .env("HOME", folder);
    command
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

mod nginx {
    use super::{Database, Origin, front_end_of_another_api_works, nginx};

    #[tokio::test]
    async fn front_end_of_another_api_works_on_sqlite() {
        front_end_of_another_api_works(Origin::start(Database::sqlite(), nginx).await).await;
    }

    #[tokio::test]
    async fn front_end_of_another_api_works_on_postgres() {
        front_end_of_another_api_works(Origin::start(Database::postgres().await, nginx).await)
            .await;
    }
}

mod caddy {
    use super::{Database, Origin, caddy, front_end_of_another_api_works};

    #[tokio::test]
    async fn front_end_of_another_api_works_on_sqlite() {
        front_end_of_another_api_works(Origin::start(Database::sqlite(), caddy).await).await;
    }

    #[tokio::test]
    async fn front_end_of_another_api_works_on_postgres() {
        front_end_of_another_api_works(Origin::start(Database::postgres().await, caddy).await)
            .await;
    }
}
