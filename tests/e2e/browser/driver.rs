//! A chromedriver, and how it starts its browsers.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::service::eventually;

/// Limits the tests with browsers that run at the same time: each browser keeps a core busy.
static RUNNING: Semaphore = Semaphore::const_new(2);

/// A running chromedriver. It is killed with its browsers when dropped.
pub struct Driver {
    process: Child,
    pub url: String,
    folder: TempDir,
    profiles: AtomicUsize,
    _permit: SemaphorePermit<'static>,
}

impl Driver {
    /// Starts a chromedriver on a free port of the loopback interface.
    pub async fn start() -> Self {
        let permit = RUNNING.acquire().await.expect("a permit");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = folder.path().join("chromedriver.log");
        let process = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(fs::File::create(&log).expect("a file"))
            .stderr(Stdio::null())
            .env("HOME", folder.path())
            .env("TZ", "Europe/Berlin")
            // Its browsers are in the same group of processes, and can be killed with it.
            .process_group(0)
            .spawn()
            .expect("chromedriver runs; `make test-programs` installs it");
        let mut driver = Self {
            process,
            url: String::new(),
            folder,
            profiles: AtomicUsize::new(0),
            _permit: permit,
        };
        let port = eventually("chromedriver listens", async || {
            let log = fs::read_to_string(&log).expect("a log");
            let (_, after) = log.split_once("started successfully on port ")?;
            let (port, _) = after.split_once('.')?;
            Some(port.to_owned())
        });
        driver.url = format!("http://127.0.0.1:{}", port.await);
        driver
    }

    /// Returns the capabilities of a browser with a new profile.
    pub fn capabilities(&self) -> Value {
        let number = self.profiles.fetch_add(1, Ordering::Relaxed);
        let profile = self.folder.path().join(format!("profile-{number}"));
        let profile = format!("--user-data-dir={}", profile.display());
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-crash-reporter",
            "--no-first-run",
            "--lang=en-US",
            // Blocks the browser's own requests.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            &profile,
        ];
        json!({
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A negative id is that of a group of processes.
        signal_group(self.process.id());
        drop(self.process.wait());
    }
}

fn signal_group(id: u32) {
    let script = format!("kill -KILL -{id}");
    drop(Command::new("sh").args(["-c", &script]).status());
}
