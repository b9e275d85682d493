//! HAProxy, nginx and Caddy with the configurations of the documentation, in front of two instances.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::running::{RunningProxy, adapt, reserved_port, wait_until_passed_on};
use crate::service::eventually;

/// The host of the configurations and of the certificates.
pub const HOST: &str = "tasks.example.org";

const HAPROXY: &str = include_str!("../../../docs/operations/proxies/haproxy.cfg");
const NGINX: &str = include_str!("../../../docs/operations/proxies/nginx.conf");
const CADDY: &str = include_str!("../../../docs/operations/proxies/Caddyfile");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    HaProxy,
    Nginx,
    Caddy,
}

/// A proxy with the documented configuration. Only addresses and certificates differ, and the interval of the
/// checks: these instances drain for one second.
pub struct Proxy {
    program: Program,
    instances: [u16; 2],
    running: RunningProxy,
    /// A listener without TLS that a configuration does not have, for clients of one connection.
    pub url: String,
    http: u16,
    https: u16,
}

/// The addresses at which a proxy and the instances behind it listen.
struct Addresses {
    http: u16,
    https: u16,
    plain: u16,
    instances: [String; 2],
}

fn haproxy(folder: TempDir, addresses: &Addresses, under_path: bool) -> RunningProxy {
    let Addresses {
        http, https, plain, ..
    } = addresses;
    let path = folder.path().display();
    let redirect = format!("bind 127.0.0.1:{http}\n");
    let listeners =
        format!("bind 127.0.0.1:{plain}\n    bind 127.0.0.1:{https} ssl crt {path}/both.pem");
    let mut replacements = vec![
        ("bind :80\n", redirect.as_str()),
        ("bind :443 ssl crt /etc/haproxy/taskhold.pem", &listeners),
        ("10.0.0.1:8080", &addresses.instances[0]),
        ("10.0.0.2:8080", &addresses.instances[1]),
        ("inter 1s", "inter 100ms"),
    ];
    if under_path {
        replacements.push(("    default_backend taskhold\n", ""));
        replacements.push(("# use_backend taskhold", "use_backend taskhold"));
    }
    let adapted = adapt(HAPROXY, &replacements);
    let watched = format!("{adapted}\nglobal\n    stats socket {path}/stats mode 600\n");
    RunningProxy::haproxy(folder, &watched)
}

fn nginx(folder: TempDir, addresses: &Addresses, under_path: bool) -> RunningProxy {
    let Addresses {
        http, https, plain, ..
    } = addresses;
    let redirect = format!("listen 127.0.0.1:{http};");
    let listeners = format!("listen 127.0.0.1:{https} ssl http2;\n    listen 127.0.0.1:{plain};");
    let [certificate, key] =
        ["cert.pem", "key.pem"].map(|name| folder.path().join(name).display().to_string());
    let mut replacements = vec![
        ("listen 80;", redirect.as_str()),
        ("listen [::]:80;", ""),
        ("listen 443 ssl http2;", &listeners),
        ("listen [::]:443 ssl http2;", ""),
        ("/etc/nginx/taskhold.pem", &certificate),
        ("/etc/nginx/taskhold.key", &key),
        ("10.0.0.1:8080", &addresses.instances[0]),
        ("10.0.0.2:8080", &addresses.instances[1]),
    ];
    if under_path {
        replacements.push(("location / {", "location /todo/ {"));
    }
    // The clients of the tests keep their connection for longer than nginx does by itself.
    let site = adapt(NGINX, &replacements);
    RunningProxy::nginx(folder, &format!("keepalive_requests 1000000;\n{site}"))
}

fn caddy(folder: TempDir, addresses: &Addresses, under_path: bool) -> RunningProxy {
    let Addresses {
        http, https, plain, ..
    } = addresses;
    let names = format!("\n{HOST}, http://:{plain} {{");
    let mut replacements = vec![
        ("\ntasks.example.org {", names.as_str()),
        ("10.0.0.1:8080", &addresses.instances[0]),
        ("10.0.0.2:8080", &addresses.instances[1]),
        ("health_interval 1s", "health_interval 100ms"),
    ];
    if under_path {
        replacements.push(("\treverse_proxy ", "\treverse_proxy /todo/* "));
    }
    let options = format!("local_certs\nskip_install_trust\nhttp_port {http}\nhttps_port {https}");
    RunningProxy::caddy(folder, &options, &adapt(CADDY, &replacements))
}

impl Proxy {
    /// Starts a proxy that publishes the service at the root of the host.
    pub async fn start(program: Program, instances: [u16; 2]) -> Self {
        let proxy = Self::spawn(program, instances, false);
        wait_until_passed_on(&format!("{}/health", proxy.url)).await;
        for instance in ["one", "two"] {
            proxy.wait_until_up(instance).await;
        }
        proxy
    }

    /// Starts a proxy that publishes the service at `/todo` only.
    pub async fn start_under_path(program: Program, instance: u16) -> Self {
        let proxy = Self::spawn(program, [instance; 2], true);
        wait_until_passed_on(&format!("{}/todo/health/ready", proxy.url)).await;
        proxy
    }

    fn spawn(program: Program, instances: [u16; 2], under_path: bool) -> Self {
        let [http, https, plain] = [reserved_port(), reserved_port(), reserved_port()];
        let addresses = Addresses {
            http,
            https,
            plain,
            instances: instances.map(|port| format!("127.0.0.1:{port}")),
        };
        let folder = tempfile::tempdir().expect("a folder");
        if program != Program::Caddy {
            make_certificate(folder.path());
        }
        let run = match program {
            Program::HaProxy => haproxy,
            Program::Nginx => nginx,
            Program::Caddy => caddy,
        };
        Self {
            program,
            instances,
            running: run(folder, &addresses, under_path),
            url: format!("http://127.0.0.1:{plain}"),
            http,
            https,
        }
    }

    /// Waits until the proxy has checked this instance and sends requests to it. nginx finds out by requests.
    pub async fn wait_until_up(&self, instance: &str) {
        match self.program {
            Program::HaProxy => self.wait_until_haproxy_sees(instance).await,
            Program::Nginx => {}
            Program::Caddy => {
                let port = self.instances[usize::from(instance == "two")];
                let host = format!(r#""host":"127.0.0.1:{port}""#);
                eventually("Caddy sees the instance", async || {
                    let log = self.running.log();
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
            let socket = self.running.folder().join("stats");
            let mut socket = UnixStream::connect(socket).await.ok()?;
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
    pub fn curl(&self, scheme: &str, path: &str, arguments: &[&str]) -> (u16, String, Value) {
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
            .arg(self.running.folder().join(authority))
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
