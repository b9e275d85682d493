//! The procedures of `docs/operations`, from an empty machine to the first request after a disaster. Every command and
//! statement is a line of the documents; only the address of the database server and the path of the built program are
//! replaced. systemd is played by a script that reads the installed units.

use std::io::{BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use taskhold_testkit::postgres::PostgresServer;

use crate::proxies::running::reserved_port;
use crate::service::{TASKS, WAIT_TIMEOUT, eventually, http};

const INSTALL: &str = include_str!("../../../docs/operations/install.md");
const ROLES: &str = include_str!("../../../docs/operations/postgresql.md");
const UPGRADE: &str = include_str!("../../../docs/operations/upgrade.md");
const BACKUP: &str = include_str!("../../../docs/operations/backup.md");

const PASSWORD: &str = "correct horse battery";

/// The machine's own folders, and the programs that stand in for systemd.
const EMPTY_MACHINE: &str = r#"
set -e
mount -t tmpfs tmpfs /mnt
cp -a /etc /mnt/etc 2>/dev/null || true
mount --bind /mnt/etc /etc
for folder in /usr/local /var/lib /var/log; do mount -t tmpfs -o mode=755 tmpfs $folder; done
mkdir -p /usr/local/bin /usr/local/sbin /mnt/programs /etc/systemd/system
for name in systemctl systemd-run; do
    { echo '#!/bin/bash'; cat "$SYSTEMD"; } >/mnt/programs/$name
    chmod 755 /mnt/programs/$name
done
# Where nobody else's numbers exist, as in a user namespace, everything runs as one user.
chown 1 /mnt/programs 2>/dev/null || { echo 'exit 0' >/mnt/programs/useradd; chmod 755 /mnt/programs/useradd; }
export PATH=/mnt/programs:/usr/local/sbin:/usr/local/bin:$PATH
set +e
"#;

/// A machine on which nothing of Taskhold is installed, with a shell of its administrator.
struct Machine {
    shell: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// What the documents call the database server.
    server: String,
    url: String,
    metrics: String,
}

/// What a block printed, on standard output and error, and the exit status of its last command.
#[derive(Debug)]
struct Pasted {
    printed: String,
    status: i32,
}

impl Machine {
    fn new(server: Option<&PostgresServer>) -> Self {
        let [port, metrics] = [reserved_port(), reserved_port()];
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut command = Command::new("unshare");
        if taskhold_testkit::postgres::server_user().is_none() {
            command.args(["--user", "--map-root-user"]);
        }
        let mut shell = command
            .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["bash", "--noprofile", "--norc"])
            .current_dir(&repository)
            .env_clear()
            .env("PATH", std::env::var("PATH").expect("a path"))
            .env("SYSTEMD", repository.join("tests/e2e/runbook/systemd.sh"))
            .env("PLAYED_PORT", port.to_string())
            .env("PLAYED_METRICS_PORT", metrics.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut machine = Self {
            input: shell.stdin.take().expect("a pipe"),
            output: BufReader::new(shell.stdout.take().expect("a pipe")),
            shell,
            server: server.map_or_else(String::new, |server| {
                let url = server.url("");
                let (_, address) = url.split_once('@').expect("a user");
                address.trim_end_matches('/').to_owned()
            }),
            url: format!("http://127.0.0.1:{port}"),
            metrics: format!("http://127.0.0.1:{metrics}/metrics"),
        };
        machine.run(EMPTY_MACHINE);
        machine
    }

    /// Types these lines, whatever their last command answers.
    fn paste(&mut self, lines: &str) -> Pasted {
        let program = env!("CARGO_BIN_EXE_taskhold");
        let lines = lines
            .replace("db.example.org", &self.server)
            .replace("target/dist/taskhold", program);
        // What a command reads from its input is nothing, as when nobody types.
        let typed = format!("{{\n{lines}\n}} 2>&1 </dev/null; printf '\\036%s\\036' $?\n");
        self.input.write_all(typed.as_bytes()).expect("it reads");
        self.input.flush().expect("it reads");
        let [printed, status] = [(), ()].map(|()| {
            let mut text = Vec::new();
            for byte in self.output.by_ref().bytes() {
                match byte.expect("it answers") {
                    0x1e => break,
                    byte => text.push(byte),
                }
            }
            String::from_utf8(text).expect("UTF-8")
        });
        let status = status
            .parse()
            .unwrap_or_else(|_| panic!("{lines}: {printed}"));
        Pasted { printed, status }
    }

    /// Types these lines one by one; each has to succeed.
    #[track_caller]
    fn run(&mut self, lines: &str) -> String {
        let Pasted { printed, status } = self.paste(&format!("set -e\n{lines}\nset +e"));
        assert_eq!(status, 0, "{lines}\n{printed}");
        printed
    }

    /// Runs statements in a database.
    #[track_caller]
    fn sql(&mut self, role: &str, database: &str, statements: &str) {
        let psql = format!(
            "psql --quiet --no-psqlrc -v ON_ERROR_STOP=1 'postgres://{role}@db.example.org/{database}' <<'END'\n{statements}\nEND"
        );
        self.run(&psql);
    }

    /// Installs the program as the documents say.
    fn install(&mut self) {
        self.run(&block(INSTALL, "The program", "bash", 0));
        self.run("[ $(stat -c %a /etc/taskhold) = 700 ] && [ -x /usr/local/sbin/taskhold-admin ]");
    }

    /// Makes the roles and the database, which take a superuser or not.
    fn make_roles(&mut self) {
        self.sql("postgres", "postgres", &block(ROLES, "Two roles", "sql", 0));
        self.close_database();
    }

    fn close_database(&mut self) {
        let rights = block(ROLES, "Two roles", "sql", 1);
        self.sql("taskhold_owner", "taskhold", &rights);
    }

    /// Adds what the documents say to the files of settings.
    fn name_database(&mut self) {
        for (index, file) in ["environment", "owner"].into_iter().enumerate() {
            let settings = block(INSTALL, "With PostgreSQL", "dotenv", index);
            self.run(&format!(
                "cat >> /etc/taskhold/{file} <<'END'\n{settings}\nEND"
            ));
        }
        self.run(&block(INSTALL, "With PostgreSQL", "bash", 0));
        let read_only = block(ROLES, "Two roles", "sql", 2);
        self.sql("taskhold_owner", "taskhold", &read_only);
    }

    /// Starts the installed service for the first time as the documents say.
    fn start_first(&mut self) {
        let started = self.run(&block(INSTALL, "First start", "bash", 0));
        assert!(
            started.contains("was restored and is what it says"),
            "{started}"
        );
        self.assert_healthy(&block(INSTALL, "The doctor", "bash", 0));
    }

    /// Asserts that the doctor finds nothing to do, but for the disk of a test and its server, which does not sync.
    #[track_caller]
    fn assert_healthy(&mut self, doctor: &str) {
        let Pasted { printed, .. } = self.paste(doctor);
        let (_, report) = printed
            .split_once("ok           settings")
            .expect("a report");
        let problems: Vec<_> = report
            .lines()
            .filter(|line| line.starts_with("problem ") && !line.contains(" durability "))
            .collect();
        assert!(problems.is_empty(), "{printed}");
        for state in ["ok           backup ", "ok           verified "] {
            assert!(report.contains(state), "{state}: {printed}");
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Value,
    ) -> (u16, Value) {
        let request = http()
            .request(method, format!("{}{path}", self.url))
            .json(&body);
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    /// Registers or logs in, and returns a token that is taken.
    async fn token(&self, way: &str) -> String {
        eventually("a token is taken", async || {
            let account = json!({"email": "anna@example.org", "password": PASSWORD});
            let (status, body) = self
                .send(Method::POST, &format!("/api/auth/{way}"), None, account)
                .await;
            assert!(status < 300, "{status} {body}");
            let token = body["access_token"].as_str().expect("a token").to_owned();
            let (status, _) = self
                .send(Method::GET, TASKS, Some(&token), Value::Null)
                .await;
            (status == 200).then_some(token)
        })
        .await
    }

    /// Returns the sorted titles of all tasks.
    async fn titles(&self, token: &str) -> Vec<String> {
        let (status, body) = self
            .send(Method::GET, TASKS, Some(token), Value::Null)
            .await;
        assert_eq!(status, 200, "{body}");
        let tasks = body["tasks"].as_array().expect("tasks").iter();
        let mut titles: Vec<_> = tasks
            .map(|task| task["title"].as_str().expect("a title").to_owned())
            .collect();
        titles.sort();
        titles
    }

    async fn create(&self, token: &str, title: &str) {
        let (status, body) = self
            .send(Method::POST, TASKS, Some(token), json!({"title": title}))
            .await;
        assert_eq!(status, 201, "{body}");
    }

    /// Waits for the metrics of backups.
    async fn backup_metrics(&self) {
        for of in ["success", "verification"] {
            let name = format!("\ntaskhold_backup_last_{of}_timestamp_seconds ");
            eventually("the backup is told of", async || {
                let metrics = http().get(&self.metrics).send().await.ok()?;
                metrics.text().await.ok()?.contains(&name).then_some(())
            })
            .await;
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Every process of the namespace ends with its first one.
        drop(self.shell.kill());
        drop(self.shell.wait());
    }
}

/// Returns a block of a language under a heading.
fn block(page: &str, heading: &str, language: &str, index: usize) -> String {
    let (_, section) = page
        .split_once(&format!("# {heading}\n"))
        .unwrap_or_else(|| panic!("no section {heading}"));
    let section = section.split("\n## ").next().expect("its text");
    let block = section.split(&format!("```{language}\n")).nth(index + 1);
    let block = block.unwrap_or_else(|| panic!("no block {index} of {language} under {heading}"));
    block.split("\n```").next().expect("its end").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documented_machine_serves_upgrades_and_survives_disasters() {
    let server = PostgresServer::start().expect("a server");
    let mut machine = Machine::new(Some(&server));

    // Install.
    machine.install();
    machine.make_roles();
    machine.name_database();
    machine.start_first();
    let token = machine.token("register").await;

    // Upgrade under load.
    let machine_url = machine.url.clone();
    let done = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (done, token) = (Arc::clone(&done), token.clone());
        async move { write_until(&machine_url, &token, &done).await }
    });
    let upgraded = machine.paste(&block(UPGRADE, "Upgrade", "bash", 0));
    done.store(true, Ordering::Relaxed);
    let mut expected = writer.await.expect("it wrote");
    expected.sort();
    assert!(
        upgraded.printed.contains(" 0 migrations applied"),
        "{upgraded:?}"
    );
    assert_eq!(machine.titles(&token).await, expected);
    machine.assert_healthy("taskhold-admin doctor");
    // The service reads the folder when it starts, and then every minute.
    machine.backup_metrics().await;

    // Backup and verification, as the timers start them.
    machine.create(&token, "of the last hour").await;
    expected.push("of the last hour".to_owned());
    expected.sort();
    let printed = machine.run("systemctl start taskhold-backup.service taskhold-verify.service");
    assert!(
        printed.contains("was restored and is what it says"),
        "{printed}"
    );

    // The database is lost, while it is served.
    machine.sql(
        "postgres",
        "postgres",
        "DROP DATABASE taskhold WITH (FORCE);",
    );
    let create = block(BACKUP, "Restore on PostgreSQL", "sql", 0);
    machine.sql("postgres", "postgres", &create);
    let close = block(BACKUP, "Restore on PostgreSQL", "sql", 1);
    machine.sql("taskhold_owner", "taskhold", &close);
    let restore = block(BACKUP, "Restore on PostgreSQL", "bash", 0);
    machine.assert_healthy(&restore);
    assert_eq!(
        machine.titles(&machine.token("login").await).await,
        expected
    );
    machine
        .create(&machine.token("login").await, "after the disaster")
        .await;
    expected.push("after the disaster".to_owned());
    expected.sort();
    machine.run("systemctl start taskhold-backup.service");

    // The machine is lost, and the server with it. What was copied elsewhere is put back.
    let elsewhere = tempfile::tempdir().expect("a folder");
    let copies = elsewhere.path().join("copies.tar");
    let copies = copies.display();
    machine.run(&format!(
        "tar -cf {copies} /etc/taskhold /var/lib/taskhold/backups 2>/dev/null"
    ));
    machine.run("systemctl stop taskhold.service");
    let roles = "DROP DATABASE taskhold; DROP ROLE taskhold; DROP ROLE taskhold_owner;";
    machine.sql("postgres", "postgres", roles);
    drop(machine);
    let mut machine = Machine::new(Some(&server));
    machine.install();
    machine.make_roles();
    machine.run(&format!("tar -xf {copies} -C /"));
    machine.run("! id taskhold || chown -R taskhold: /var/lib/taskhold");
    machine.assert_healthy(&restore);
    assert_eq!(
        machine.titles(&machine.token("login").await).await,
        expected
    );
    machine
        .create(&machine.token("login").await, "the first request")
        .await;
}

/// Creates tasks one after the other until told to stop, each until it is acknowledged. Returns their titles.
async fn write_until(url: &str, token: &str, done: &AtomicBool) -> Vec<String> {
    let mut titles = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let title = format!("task {}", titles.len());
        let deadline = Instant::now() + WAIT_TIMEOUT;
        loop {
            let request = http()
                .post(format!("{url}{TASKS}"))
                .bearer_auth(token)
                .header("Idempotency-Key", title.replace(' ', "-"))
                .json(&json!({"title": title}));
            if request
                .send()
                .await
                .is_ok_and(|answer| answer.status() == 201)
            {
                break;
            }
            assert!(Instant::now() < deadline, "{title} is not acknowledged");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        titles.push(title);
    }
    titles
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documented_machine_with_sqlite_survives_the_loss_of_its_file() {
    let mut machine = Machine::new(None);
    machine.install();
    machine.start_first();
    let token = machine.token("register").await;
    machine.create(&token, "Stays").await;
    machine.run("systemctl start taskhold-backup.service taskhold-verify.service");
    machine.run("systemctl stop taskhold; mv /var/lib/taskhold/data /var/lib/taskhold/lost");
    machine.run("taskhold-admin restore backups; systemctl start taskhold");
    machine.assert_healthy("taskhold-admin doctor");
    // The service reads the folder when it starts, and then every minute.
    machine.backup_metrics().await;
    assert_eq!(
        machine.titles(&machine.token("login").await).await,
        ["Stays"]
    );
}
