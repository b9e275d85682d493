//! A SQLite file on a small disk that is full, and then is not.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{Answer, Client, Database, PATIENCE, SECRET, Service, taskhold};

/// Room for SQLite's log (4 MB), and for some thousand tasks in the database.
const SIZE: &str = "8m";
/// What is removed to make room again.
const BALLAST: &str = "1m";

/// A file system of a fixed size, in a mount namespace of its own. Gone when dropped.
struct SmallDisk {
    database: Database,
    /// Holds the namespace for as long as it has an input.
    holder: Child,
    /// Whether the namespace belongs to a user namespace, which needs no privileges.
    for_anyone: bool,
}

impl SmallDisk {
    fn mount() -> Self {
        let database = Database::sqlite();
        let folder = database.folder.path().join("data");
        std::fs::create_dir(&folder).expect("a folder");
        let mounted = [true, false]
            .into_iter()
            .find_map(|for_anyone| Some((mount(&folder, for_anyone)?, for_anyone)));
        let Some((holder, for_anyone)) = mounted else {
            panic!(
                "no small disk can be made: it needs a tmpfs, which this system lets neither this \
                 user mount nor anyone in a user namespace (unshare --user --map-root-user --mount)"
            );
        };
        Self {
            database,
            holder,
            for_anyone,
        }
    }

    /// The command, in its folder, where it sees the disk.
    fn inside(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        if self.for_anyone {
            inside.args(["--user", "--preserve-credentials"]);
        }
        inside
            .args(["--mount", "--target", &self.holder.id().to_string(), "--"])
            // To enter leads out of the folder that one was in.
            .args(["sh", "-c", "cd \"$0\" && exec \"$@\""])
            .arg(self.database.folder.path())
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(arguments);
        let output = self.inside(&command).output().expect("nsenter runs");
        assert!(output.status.success(), "{program}: {output:?}");
        output
    }

    async fn serve(&self) -> Service {
        let variables = [
            ("DATABASE_URL", self.database.url.as_str()),
            ("JWT_SECRET", SECRET),
        ];
        let command = taskhold(self.database.folder.path(), &variables, &["serve"]);
        Service::spawn(self.inside(&command)).listening().await
    }

    /// What SQLite's own shell says of the file.
    fn integrity(&self) -> String {
        let check = ["data/taskhold.db", "PRAGMA integrity_check"];
        let output = self.run("sqlite3", &check);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // It ends with its input, and the namespace with the last process in it.
        drop(self.holder.stdin.take());
        drop(self.holder.wait());
    }
}

/// Nothing where that is not allowed.
fn mount(folder: &Path, for_anyone: bool) -> Option<Child> {
    let mut unshare = Command::new("unshare");
    if for_anyone {
        unshare.args(["--user", "--map-root-user"]);
    }
    let script =
        format!("mount -t tmpfs -o size={SIZE},mode=700 tmpfs \"$0\" && echo mounted && exec cat");
    let mut holder = unshare
        .args(["--mount", "sh", "-c", &script])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut line = String::new();
    let said = BufReader::new(holder.stdout.take()?).read_line(&mut line);
    if said.is_ok() && line == "mounted\n" {
        return Some(holder);
    }
    drop(holder.stdin.take());
    drop(holder.wait());
    None
}

/// As large as a task can be.
fn large(number: usize) -> Value {
    json!({"title": format!("task {number}"), "description": "\u{10ffff}".repeat(500)})
}

/// Creates tasks until one is refused; the refusal, and those that were acknowledged.
async fn fill(client: &Client) -> (Answer, Vec<Value>) {
    let started = Instant::now();
    let mut created = Vec::new();
    loop {
        let answer = client.post("/api/v1/tasks", large(created.len())).await;
        if answer.status != 201 {
            return (answer, created);
        }
        created.push(answer.body["task"].clone());
        assert!(started.elapsed() < PATIENCE * 4, "the disk never fills");
    }
}

#[track_caller]
fn assert_refused(answer: &Answer) {
    answer.assert_problem(503, "SERVICE_UNAVAILABLE");
    assert_eq!(answer.header("retry-after"), "5");
}

#[tokio::test]
async fn a_full_disk_is_told_as_such_and_loses_nothing() {
    let disk = SmallDisk::mount();
    disk.run("fallocate", &["--length", BALLAST, "data/ballast"]);
    let service = disk.serve().await;
    let alice = service.client("alice");

    let (refusal, mut expected) = fill(&alice).await;
    assert_refused(&refusal);
    expected.reverse();
    println!("{} tasks fill the disk", expected.len());
    let item = format!(
        "/api/v1/tasks/{}",
        expected[0]["id"].as_str().expect("an id")
    );

    // Writers neither wait for room that does not come, nor keep readers from being served.
    let asked = Instant::now();
    let (written, read) = tokio::join!(
        join_all((0..100).map(|number| alice.post("/api/v1/tasks", large(number)))),
        join_all((0..100).map(|_| alice.get(&item))),
    );
    written.iter().for_each(assert_refused);
    assert!(read.iter().all(|answer| answer.status == 200), "reads work");
    for (method, path, body) in [
        (Method::PUT, item.clone(), Some(large(0))),
        (Method::PATCH, format!("{item}/complete"), None),
        (Method::DELETE, item.clone(), None),
    ] {
        assert_refused(&alice.send(method, &path, body).await);
    }
    assert!(alice.tasks().await == expected, "nothing changed");
    println!("told after {:?}", asked.elapsed());
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "{:?}",
        asked.elapsed()
    );

    // Also a service that starts, or was killed, on the full disk.
    service.kill();
    let service = disk.serve().await;
    let alice = service.client("alice");
    assert!(alice.tasks().await == expected, "nothing was lost");

    disk.run("rm", &["data/ballast"]);
    let created = alice.created(json!({"title": "there is room"})).await;
    expected.insert(0, created);
    assert!(alice.tasks().await == expected, "as if nothing had been");

    assert!(service.stop().await.success());
    assert_eq!(disk.integrity(), "ok");
    let service = disk.serve().await;
    assert!(
        service.client("alice").tasks().await == expected,
        "nothing was lost"
    );
}

#[tokio::test]
async fn an_import_that_does_not_fit_is_told_and_leaves_nothing() {
    let disk = SmallDisk::mount();
    let file = crate::import::fixture("90-ten-thousand");
    let variables = [("DATABASE_URL", disk.database.url.as_str())];
    let import = |file: &str| {
        let command = taskhold(disk.database.folder.path(), &variables, &["import", file]);
        disk.inside(&command).output().expect("it runs")
    };
    let small = disk
        .database
        .file(r#"[{"id": 1, "title": "fits", "user_id": "alice"}]"#);
    assert!(import(&small).status.success());
    disk.run("fallocate", &["--length", "5m", "data/ballast"]);
    let output = import(&file);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("nothing was imported"), "{told}");
    assert!(told.contains("disk is full"), "{told}");
    assert_eq!(disk.integrity(), "ok");
    let service = disk.serve().await;
    assert_eq!(service.client("alice").tasks().await.len(), 1);
    assert_eq!(service.client("bob").tasks().await.len(), 0);
}
