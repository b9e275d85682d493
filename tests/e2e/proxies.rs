//! HAProxy, nginx and Caddy with the configurations of the documentation, in front of two instances.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::service::{Database, Service, eventually, token};

/// The host of the configurations and of the certificates.
const HOST: &str = "tasks.example.org";

const HAPROXY: &str = include_str!("../../docs/operations/proxies/haproxy.cfg");
const NGINX: &str = include_str!("../../docs/operations/proxies/nginx.conf");
const CADDY: &str = include_str!("../../docs/operations/proxies/Caddyfile");

/// Returns a free port that stays free while its service restarts: it is below the ports of outgoing
/// connections, and different for each test and process.
pub fn reserved_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let process = u16::try_from(std::process::id() % 500).expect("small") * 20;
    let mut ports =
        std::iter::repeat_with(|| 20_000 + process + TAKEN.fetch_add(1, Ordering::Relaxed));
    ports
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    HaProxy,
    Nginx,
    Caddy,
}

/// A running proxy.
pub struct Proxy {
    program: Program,
    instances: [u16; 2],
    child: Child,
    /// A listener without TLS that a configuration does not have, for clients of one connection.
    pub url: String,
    http: u16,
    https: u16,
    folder: TempDir,
}

/// Replaces parts of a configuration, each of which is there once.
fn adapt(configuration: &str, replacements: &[(&str, String)]) -> String {
    let mut adapted = configuration.to_owned();
    for (documented, here) in replacements {
        assert_eq!(adapted.matches(documented).count(), 1, "{documented}");
        adapted = adapted.replace(documented, here);
    }
    adapted
}

/// Where a proxy and the instances behind it listen, and the folder of its files.
struct Places<'a> {
    http: u16,
    https: u16,
    plain: u16,
    instances: [String; 2],
    /// Whether the service is published at `/todo` only.
    under_path: bool,
    folder: &'a Path,
}

impl Places<'_> {
    fn write(&self, name: &str, content: &str) -> String {
        let file = self.folder.join(name);
        fs::write(&file, content).expect("written");
        file.display().to_string()
    }
}

fn haproxy(places: &Places<'_>) -> Command {
    let Places {
        http, https, plain, ..
    } = places;
    let (path, [one, two]) = (places.folder.display(), places.instances.clone());
    let listeners =
        format!("bind 127.0.0.1:{plain}\n    bind 127.0.0.1:{https} ssl crt {path}/both.pem");
    let adapted = adapt(
        HAPROXY,
        &[
            ("bind :80\n", format!("bind 127.0.0.1:{http}\n")),
            ("bind :443 ssl crt /etc/haproxy/taskhold.pem", listeners),
            ("10.0.0.1:8080", one),
            ("10.0.0.2:8080", two),
            ("inter 1s", "inter 100ms".to_owned()),
        ],
    );
    let adapted = if places.under_path {
        let lines = [
            ("    default_backend taskhold\n", String::new()),
            ("# use_backend taskhold", "use_backend taskhold".to_owned()),
        ];
        adapt(&adapted, &lines)
    } else {
        adapted
    };
    let watched = format!("\nglobal\n    stats socket {path}/stats mode 600\n");
    let file = places.write("haproxy.cfg", &(adapted + &watched));
    let mut command = Command::new("haproxy");
    command.args(["-db", "-f", &file]);
    command
}

fn nginx(places: &Places<'_>) -> Command {
    let Places {
        http, https, plain, ..
    } = places;
    let (path, [one, two]) = (places.folder.display(), places.instances.clone());
    let listeners = format!("listen 127.0.0.1:{https} ssl http2;\n    listen 127.0.0.1:{plain};");
    let site = adapt(
        NGINX,
        &[
            ("listen 80;", format!("listen 127.0.0.1:{http};")),
            ("listen [::]:80;", String::new()),
            ("listen 443 ssl http2;", listeners),
            ("listen [::]:443 ssl http2;", String::new()),
            ("/etc/nginx/taskhold.pem", format!("{path}/cert.pem")),
            ("/etc/nginx/taskhold.key", format!("{path}/key.pem")),
            ("10.0.0.1:8080", one),
            ("10.0.0.2:8080", two),
        ],
    );
    let site = if places.under_path {
        adapt(&site, &[("location / {", "location /todo/ {".to_owned())])
    } else {
        site
    };
    let site = places.write("taskhold.conf", &site);
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {path}/{name};"))
        .concat();
    // The clients of the tests keep their connection for longer than nginx does by itself.
    let main = format!(
        "daemon off; master_process off; pid {path}/pid; error_log {path}/error.log; events {{}}
         http {{ access_log off; keepalive_requests 1000000; {temporary} include {site}; }}"
    );
    let main = places.write("nginx.conf", &main);
    let mut command = Command::new(on_path("nginx"));
    command.args(["-e", &format!("{path}/error.log"), "-c", &main]);
    command
}

fn caddy(places: &Places<'_>) -> Command {
    let Places {
        http, https, plain, ..
    } = places;
    let [one, two] = places.instances.clone();
    let names = format!("\ntasks.example.org, http://:{plain} {{");
    let site = adapt(
        CADDY,
        &[
            ("\ntasks.example.org {", names),
            ("10.0.0.1:8080", one),
            ("10.0.0.2:8080", two),
            ("health_interval 1s", "health_interval 100ms".to_owned()),
        ],
    );
    let site = if places.under_path {
        let matched = "\treverse_proxy /todo/* 127.0.0.1".to_owned();
        adapt(&site, &[("\treverse_proxy 127.0.0.1", matched)])
    } else {
        site
    };
    let main = format!(
        "{{\nadmin off\nlocal_certs\nskip_install_trust\nhttp_port {http}\nhttps_port {https}\n}}\n"
    );
    let file = places.write("Caddyfile", &(main + &site));
    let mut command = Command::new("caddy");
    command
        .args(["run", "--adapter", "caddyfile", "--config", &file])
        .env("XDG_DATA_HOME", places.folder)
        .env("XDG_CONFIG_HOME", places.folder);
    command
}

impl Proxy {
    /// Starts a proxy with the documented configuration. Only addresses and certificates differ, and the interval
    /// of the checks: these instances drain for one second.
    pub async fn start(program: Program, instances: [u16; 2]) -> Self {
        let proxy = Self::spawn(program, instances, false);
        eventually("the proxy serves", async || {
            let answer = crate::service::http().get(format!("{}/health", proxy.url));
            let answer = answer.send().await.ok();
            answer.filter(|answer| answer.status() == 200)
        })
        .await;
        for instance in ["one", "two"] {
            proxy.wait_until_up(instance).await;
        }
        proxy
    }

    fn spawn(program: Program, instances: [u16; 2], under_path: bool) -> Self {
        let [http, https, plain] = [reserved_port(), reserved_port(), reserved_port()];
        let folder = tempfile::tempdir().expect("a folder");
        let places = Places {
            http,
            https,
            plain,
            instances: instances.map(|port| format!("127.0.0.1:{port}")),
            under_path,
            folder: folder.path(),
        };
        let mut command = match program {
            Program::HaProxy => haproxy(&places),
            Program::Nginx => nginx(&places),
            Program::Caddy => caddy(&places),
        };
        if program != Program::Caddy {
            make_certificate(folder.path());
        }
        let log = fs::File::create(folder.path().join("log")).expect("a file");
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{program:?} runs; `make test` installs Debian's package: {error}")
            });
        Self {
            program,
            instances,
            child,
            url: format!("http://127.0.0.1:{plain}"),
            http,
            https,
            folder,
        }
    }

    /// Waits until the proxy has checked this instance and sends requests to it. nginx finds out by requests.
    pub async fn wait_until_up(&self, instance: &str) {
        match self.program {
            Program::HaProxy => self.wait_until_haproxy_sees(instance).await,
            Program::Nginx => {}
            Program::Caddy => {
                let port = if instance == "one" {
                    self.instances[0]
                } else {
                    self.instances[1]
                };
                let host = format!(r#""host":"127.0.0.1:{port}""#);
                eventually("Caddy sees the instance", async || {
                    let log = fs::read_to_string(self.folder.path().join("log")).ok()?;
                    let last = log.lines().rfind(|line| line.contains(&host));
                    let is_up = last.is_none_or(|line| line.contains("host is up"));
                    is_up.then_some(())
                })
                .await;
            }
        }
    }

    async fn wait_until_haproxy_sees(&self, instance: &str) {
        eventually("HAProxy sees the instance", async || {
            let mut socket = UnixStream::connect(self.folder.path().join("stats"))
                .await
                .ok()?;
            socket.write_all(b"show stat\n").await.ok()?;
            let mut table = String::new();
            socket.read_to_string(&mut table).await.ok()?;
            let mut rows = table.lines().map(|row| row.split(',').collect::<Vec<_>>());
            let names = rows.next()?;
            let column = |name| names.iter().position(|found| *found == name);
            let (status, check) = (column("status")?, column("check_status")?);
            let row = rows.find(|row| row.get(1) == Some(&instance))?;
            (row[status] == "UP" && row[check] == "L7OK").then_some(())
        })
        .await;
    }

    /// Sends a request over TLS with curl, which verifies the certificate. Returns the status, the headers in lower
    /// case, and the body.
    fn curl(&self, scheme: &str, path: &str, arguments: &[&str]) -> (u16, String, Value) {
        let port = if scheme == "https" {
            self.https
        } else {
            self.http
        };
        let authority = match self.program {
            Program::Caddy => "caddy/pki/authorities/local/root.crt",
            Program::HaProxy | Program::Nginx => "cert.pem",
        };
        let output = Command::new("curl")
            .args([
                "-sS",
                "-i",
                "--noproxy",
                "*",
                "--max-time",
                "30",
                "--cacert",
            ])
            .arg(self.folder.path().join(authority))
            .args(["--resolve", &format!("{HOST}:{port}:127.0.0.1")])
            .args(arguments)
            .arg(format!("{scheme}://{HOST}:{port}{path}"))
            .output()
            .expect("curl runs");
        assert!(output.status.success(), "{output:?}");
        let answer = String::from_utf8(output.stdout).expect("UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        (
            status.expect("a status"),
            head.to_lowercase(),
            serde_json::from_str(body).unwrap_or(Value::Null),
        )
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            for file in ["log", "error.log"] {
                let log = fs::read_to_string(self.folder.path().join(file));
                eprintln!("{file}: {}", log.unwrap_or_default());
            }
        }
    }
}

/// Debian keeps nginx in a folder that is only on root's path.
fn on_path(program: &str) -> String {
    let elsewhere = format!("/usr/sbin/{program}");
    if Path::new(&elsewhere).exists() {
        elsewhere
    } else {
        program.to_owned()
    }
}

/// Makes a certificate that signs itself, with its key.
fn make_certificate(folder: &Path) {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ])
        .args(["-days", "2", "-subj", &format!("/CN={HOST}")])
        .args(["-addext", &format!("subjectAltName=DNS:{HOST}")])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(folder)
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{made:?}");
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("a file");
    fs::write(folder.join("both.pem"), read("cert.pem") + &read("key.pem")).expect("written");
}

/// The proxy ends TLS, a client does not choose its address, and a key of a client stays.
async fn tls_and_forged_headers(program: Program) {
    let database = Database::postgres().await;
    let variables = [
        ("TASKHOLD__SERVER__TRUSTED_PROXIES", "127.0.0.1"),
        ("TASKHOLD__LOG__FORMAT", "json"),
    ];
    let services = [
        Service::start_with(&database, &variables).await,
        Service::start_with(&database, &variables).await,
    ];
    let port = |service: &Service| {
        let port = service.url.rsplit(':').next().expect("a port");
        port.parse().expect("a number")
    };
    let proxy = Proxy::start(program, [port(&services[0]), port(&services[1])]).await;

    let (status, head, _) = proxy.curl("http", "/docs?a=b", &[]);
    assert!([301, 308].contains(&status), "{head}");
    assert!(
        head.contains(&format!("location: https://{HOST}")),
        "{head}"
    );
    let (status, head, _) = proxy.curl("https", "/health/ready", &[]);
    assert_eq!(status, 200, "{head}");
    assert!(
        head.contains("\r\nstrict-transport-security: max-age=31536000"),
        "{head}"
    );

    let credentials = json!({"email": "anna@example.org", "password": "correct horse"}).to_string();
    let json = ["-H", "content-type: application/json"];
    let register = [&json[..], &["--data", &credentials]].concat();
    let (status, ..) = proxy.curl("https", "/api/auth/register", &register);
    assert_eq!(status, 201);
    let guess = credentials.replace("correct", "wrong");
    let mut statuses = Vec::new();
    for round in 0..8 {
        let listed = format!("X-Forwarded-For: 203.0.113.{round}");
        let forwarded = format!("Forwarded: for=203.0.113.{round}");
        let forged: &[&str] = match round % 4 {
            0 => &["-H", &listed],
            1 => &["-H", &forwarded],
            2 => &["-H", &listed, "-H", &forwarded],
            _ => &[
                "-H",
                &listed,
                "-H",
                "X-Forwarded-For: 203.0.113.99, 127.0.0.1",
            ],
        };
        let login = [&json[..], forged, &["--data", &guess]].concat();
        statuses.push(proxy.curl("https", "/api/auth/login", &login).0);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429, 429]);
    for service in &services {
        assert!(!service.log().contains("203.0.113"), "{}", service.log());
    }

    let authorization = format!("authorization: Bearer {}", token("anna"));
    let create = [
        &json[..],
        &["-H", &authorization, "--data", r#"{"title": "once"}"#],
    ]
    .concat();
    let keyed = [&create[..], &["-H", "idempotency-key: mine"]].concat();
    for (arguments, is_replay) in [
        (&keyed, false),
        (&keyed, true),
        (&create, false),
        (&create, false),
    ] {
        let (status, head, _) = proxy.curl("https", "/api/v1/tasks", arguments);
        assert_eq!(status, 201, "{head}");
        let has_replayed = head.contains("idempotent-replayed: true");
        assert_eq!(has_replayed, is_replay, "{head}");
    }
}

/// The service answers at its path, with that path in what it says of itself, and nowhere else.
async fn under_a_path(program: Program) {
    let database = Database::sqlite();
    let service = Service::start_with(&database, &[("TASKHOLD__SERVER__BASE_PATH", "/todo")]).await;
    let port = service.url.rsplit(':').next().expect("a port");
    let port = port.parse().expect("a number");
    let proxy = Proxy::spawn(program, [port, port], true);
    eventually("the proxy serves", async || {
        let answer = crate::service::http().get(format!("{}/todo/health/ready", proxy.url));
        let answer = answer.send().await.ok();
        answer.filter(|answer| answer.status() == 200)
    })
    .await;
    let authorization = format!("authorization: Bearer {}", token("anna"));
    let create = [
        "-H",
        "content-type: application/json",
        "-H",
        &authorization,
        "--data",
        r#"{"title": "once"}"#,
    ];
    let (status, head, _) = proxy.curl("https", "/todo/api/v1/tasks", &create);
    assert_eq!(status, 201, "{head}");
    assert!(head.contains("\r\nlocation: /todo/api/v1/tasks/"), "{head}");
    let (status, _, body) = proxy.curl("https", "/another/health/ready", &[]);
    assert!(status != 200 || body.is_null(), "{status} {body}");
    assert!(service.log().contains("/api/v1/tasks"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn haproxy_publishes_the_service_under_a_path() {
    under_a_path(Program::HaProxy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nginx_publishes_the_service_under_a_path() {
    under_a_path(Program::Nginx).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn caddy_publishes_the_service_under_a_path() {
    under_a_path(Program::Caddy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn haproxy_ends_tls_and_lets_nobody_forge_an_address() {
    tls_and_forged_headers(Program::HaProxy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nginx_ends_tls_and_lets_nobody_forge_an_address() {
    tls_and_forged_headers(Program::Nginx).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn caddy_ends_tls_and_lets_nobody_forge_an_address() {
    tls_and_forged_headers(Program::Caddy).await;
}
