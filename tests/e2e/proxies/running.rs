//! HAProxy, nginx and Caddy, run with a configuration in a folder of their own.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;

use crate::service::{eventually, http};

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

/// Returns the only block of a language on a page.
pub fn block(page: &'static str, language: &str) -> &'static str {
    let fence = format!("```{language}\n");
    let (_, rest) = page.split_once(&fence).expect("a block");
    let (block, rest) = rest.split_once("```").expect("its end");
    assert!(!rest.contains(&fence), "two blocks of {language}");
    block
}

/// Replaces parts of a configuration, each of which is there once.
pub fn adapt(configuration: &str, replacements: &[(&str, &str)]) -> String {
    let mut adapted = configuration.to_owned();
    for (documented, here) in replacements {
        assert_eq!(adapted.matches(documented).count(), 1, "{documented}");
        adapted = adapted.replace(documented, here);
    }
    adapted
}

/// A running proxy. It is killed when dropped.
pub struct RunningProxy {
    child: Child,
    folder: TempDir,
}

impl RunningProxy {
    pub fn haproxy(folder: TempDir, configuration: &str) -> Self {
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, configuration).expect("written");
        let mut command = Command::new("haproxy");
        command.args(["-db", "-f"]).arg(file);
        Self::start(command, folder)
    }

    /// Starts nginx with these directives in its block `http`.
    pub fn nginx(folder: TempDir, directives: &str) -> Self {
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {name};\n"))
            .concat();
        let configuration = format!(
            "daemon off; master_process off; pid pid; error_log stderr; events {{}}\n\
             http {{\naccess_log off;\n{temporary}{directives}\n}}\n"
        );
        fs::write(folder.path().join("nginx.conf"), configuration).expect("written");
        let mut command = Command::new("nginx");
        command.args(["-e", "stderr", "-c", "nginx.conf", "-p"]);
        command.arg(folder.path());
        Self::start(command, folder)
    }

    /// Starts Caddy with these global options and sites.
    pub fn caddy(folder: TempDir, options: &str, sites: &str) -> Self {
        let file = folder.path().join("Caddyfile");
        fs::write(&file, format!("{{\nadmin off\n{options}\n}}\n{sites}")).expect("written");
        let mut command = Command::new("caddy");
        command.args(["run", "--adapter", "caddyfile", "--config"]);
        command.arg(file);
        for variable in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
            command.env(variable, folder.path());
        }
        Self::start(command, folder)
    }

    fn start(mut command: Command, folder: TempDir) -> Self {
        // Debian has HAProxy and nginx in a folder that is only on root's path.
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let log = File::create(folder.path().join("log")).expect("a file");
        let child = command
            .env("PATH", path)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the same file"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{command:?} runs; `make test` installs Debian's package: {error}")
            });
        Self { child, folder }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns what the proxy has printed.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }
}

impl Drop for RunningProxy {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// Waits until a proxy passes requests for this address on.
pub async fn wait_until_passed_on(url: &str) {
    eventually("the proxy passes requests on", async || {
        let answer = http().get(url).send().await.ok()?;
        (answer.status() == 200).then_some(())
    })
    .await;
}
