//! `taskhold doctor` on real faults: each fault is detected and explained with advice.

mod files;
mod server;
mod setup;
mod surroundings;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, PgConnection};

use crate::service::{Database, Service, run};

/// A random secret.
const RANDOM: &str = "5f0c7de1b8a94326d07e1b5a9c3f8e24";
const HOUR: i64 = 3_600 * 1_000_000;

/// The exit status and findings of a run.
struct Report {
    code: Option<i32>,
    findings: BTreeMap<String, Value>,
}

impl Report {
    fn of(database: &Database, variables: &[(&str, &str)]) -> Self {
        let common = [
            ("DATABASE_URL", database.url.as_str()),
            ("JWT_SECRET", RANDOM),
            // Tests run beside each other.
            ("TASKHOLD__METRICS__ADDRESS", "127.0.0.1:0"),
        ];
        let variables = [&common, variables].concat();
        let output = run(database.folder.path(), &variables, &["doctor", "--json"]);
        let printed = String::from_utf8_lossy(&output.stderr);
        for (name, secret) in &variables {
            let is_secret = name.starts_with("JWT_SECRET") && secret.len() > 3;
            let printed = format!("{printed}{}", String::from_utf8_lossy(&output.stdout));
            assert!(!is_secret || !printed.contains(secret), "{printed}");
            assert!(!printed.contains("hunter2"), "{printed}");
        }
        Self::printed(&output)
    }

    /// Reads what `doctor --json` has printed.
    fn printed(output: &Output) -> Self {
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {output:?}"));
        let findings = report["findings"].as_array().expect("findings").iter();
        let findings = findings.map(|finding| {
            let check = finding["check"].as_str().expect("a name");
            (check.to_owned(), finding.clone())
        });
        Self {
            code: output.status.code(),
            findings: findings.collect(),
        }
    }

    fn state(&self, check: &str) -> &str {
        let finding = self.findings.get(check);
        let finding = finding.unwrap_or_else(|| panic!("no {check} in {:#?}", self.findings));
        finding["state"].as_str().expect("a state")
    }

    /// Asserts the state and text of a finding, and that it has advice exactly if it needs some.
    #[track_caller]
    fn assert_finding(&self, check: &str, state: &str, text: &str) -> &Self {
        assert_eq!(self.state(check), state, "{:#?}", self.findings[check]);
        let finding = self.findings[check].to_string();
        assert!(finding.contains(text), "not {text:?} in {finding}");
        let needs_advice = ["warning", "problem"].contains(&state);
        assert_eq!(
            self.findings[check]["advice"].is_string(),
            needs_advice,
            "{finding}"
        );
        self
    }

    /// Asserts that exactly these checks are problems, and the exit status that follows. In production that the server
    /// of the tests does not sync is another.
    #[track_caller]
    fn assert_problems(&self, expected: &[&str]) -> &Self {
        let found: Vec<_> = self
            .findings
            .keys()
            .filter(|check| self.state(check) == "problem")
            .collect();
        assert_eq!(self.code, Some(i32::from(!found.is_empty())));
        let found: Vec<_> = found
            .into_iter()
            .filter(|check| *check != "durability")
            .collect();
        assert_eq!(found, expected, "{:#?}", self.findings);
        self
    }
}

fn migrate(database: &Database) {
    run_to_success(database, &["migrate", "up"]);
}

fn run_to_success(database: &Database, arguments: &[&str]) -> String {
    let output = run(
        database.folder.path(),
        &[("DATABASE_URL", &database.url)],
        arguments,
    );
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

async fn admin(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("connected")
}

async fn healthy_store_has_no_problem(database: Database) {
    migrate(&database);
    run_to_success(&database, &["backup"]);
    run_to_success(&database, &["backup", "verify"]);
    let report = Report::of(&database, &[]);
    report.assert_problems(&[]);
    for check in [
        "settings", "secret", "listener", "store", "schema", "backup", "verified",
    ] {
        assert_eq!(report.state(check), "ok", "{:#?}", report.findings);
    }
    if database.url.starts_with("postgres") {
        report.assert_finding("clock", "ok", "agree");
    }
    assert!(
        report
            .findings
            .values()
            .all(|finding| finding["state"] != "not_checked")
    );
}

async fn pending_migrations_are_reported(database: Database) {
    migrate(&database);
    run_to_success(&database, &["migrate", "down", "--yes"]);
    let known = taskhold_infrastructure::db::migrations::known();
    let last = known.last().expect("a migration");
    Report::of(&database, &[])
        .assert_problems(&[])
        .assert_finding("schema", "warning", last);
    Report::of(&database, &[("TASKHOLD__DATABASE__AUTO_MIGRATE", "false")])
        .assert_problems(&["schema"])
        .assert_finding("schema", "problem", "taskhold migrate up");
}

async fn missing_old_or_unverified_backup_is_reported(database: Database) {
    migrate(&database);
    let production = [
        ("TASKHOLD_PROFILE", "production"),
        ("TASKHOLD__AUTH__AUDIENCE", "taskhold"),
        ("TASKHOLD__SERVER__PORT", "0"),
    ];
    Report::of(&database, &[])
        .assert_problems(&[])
        .assert_finding("backup", "warning", "there is none");
    Report::of(&database, &production)
        .assert_problems(&["backup"])
        .assert_finding("backup", "problem", "taskhold backup");
    let printed = run_to_success(&database, &["backup"]);
    let backup = database
        .folder
        .path()
        .join(printed.lines().next().expect("a path"));
    Report::of(&database, &production)
        .assert_problems(&[])
        .assert_finding("backup", "ok", "the newest is of 20")
        .assert_finding("verified", "warning", "ever verified");
    run_to_success(&database, &["backup", "verify"]);
    Report::of(&database, &production).assert_finding("verified", "ok", "restored and compared");

    age_backup(&backup, 25);
    Report::of(&database, &[])
        .assert_problems(&[])
        .assert_finding("backup", "warning", "24 h would be lost");
    Report::of(&database, &production)
        .assert_problems(&["backup"])
        .assert_finding("verified", "ok", "restored");
    age_backup(&backup, 100);
    Report::of(&database, &production).assert_finding(
        "verified",
        "warning",
        "taskhold backup verify",
    );

    fs::write(backup.join("manifest.json"), "{").expect("written");
    Report::of(&database, &production)
        .assert_finding("damaged", "warning", "1 backup in")
        .assert_finding("backup", "problem", "there is none");
}

/// Makes a backup `hours` hours older.
fn age_backup(backup: &Path, hours: i64) {
    crate::backup::rewrite(backup, |manifest| manifest.taken_at -= hours * HOUR);
}

async fn doctor_changes_nothing(database: Database) {
    migrate(&database);
    let stopped = {
        let service = Service::start(&database).await;
        let alice = service.client("alice");
        alice.create(json!({"title": "stays"})).await;
        let while_served = file_snapshot(database.folder.path());
        Report::of(&database, &[]).assert_problems(&[]);
        let files = |all: &BTreeMap<String, String>| all.keys().cloned().collect::<Vec<_>>();
        assert_eq!(
            files(&while_served),
            files(&file_snapshot(database.folder.path()))
        );
        alice.create(json!({"title": "goes on"})).await;
        service.stop().await
    };
    assert!(stopped.success());
    let before = file_snapshot(database.folder.path());
    let rows = row_snapshot(&database).await;
    Report::of(&database, &[]).assert_problems(&[]);
    assert_eq!(file_snapshot(database.folder.path()), before);
    assert_eq!(self::row_snapshot(&database).await, rows);

    // The command creates nothing where there is no store yet.
    let new = database.another().await;
    let report = Report::of(
        &new,
        &[("JWT_SECRET", if new.is_sqlite() { "" } else { RANDOM })],
    );
    report.assert_problems(&[]);
    assert_eq!(file_snapshot(new.folder.path()), BTreeMap::new());
    if new.is_sqlite() {
        report
            .assert_finding("store", "ok", "is not there yet")
            .assert_finding("schema", "not_checked", "no store yet")
            .assert_finding("secret", "ok", "the first start makes one");
    } else {
        report.assert_finding("schema", "warning", "pending");
        assert_eq!(self::row_snapshot(&new).await, "0");
    }
}

/// Returns the modification time, mode and digest of every file.
fn file_snapshot(folder: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let metadata = fs::metadata(&path).expect("it is there");
        let changed = metadata
            .modified()
            .expect("a time")
            .duration_since(UNIX_EPOCH);
        let mut holds = format!(
            "{:?} {:o}",
            changed.expect("a time"),
            metadata.permissions().mode()
        );
        if metadata.is_dir() {
            all.extend(file_snapshot(&path));
        } else {
            holds += &hex::encode(Sha256::digest(fs::read(&path).expect("a file")));
        }
        all.insert(path.display().to_string(), holds);
    }
    all
}

/// Returns the PostgreSQL tables with their rows and rights.
async fn row_snapshot(database: &Database) -> String {
    if database.is_sqlite() {
        return String::new();
    }
    let mut admin = admin(&database.url).await;
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            .fetch_one(&mut admin)
            .await
            .expect("a number");
    if tables == 0 {
        return "0".to_owned();
    }
    sqlx::query_scalar(
        "SELECT (SELECT string_agg(t::text, '') FROM tasks t) || (SELECT string_agg(u::text, '') FROM users u)
             || (SELECT string_agg(relname || coalesce(relacl::text, '') || relpages, '' ORDER BY relname)
                 FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r')",
    )
    .fetch_one(&mut admin)
    .await
    .expect("rows")
}

on_both_stores! {
    healthy_store_has_no_problem
    pending_migrations_are_reported
    missing_old_or_unverified_backup_is_reported
    doctor_changes_nothing
}

#[test]
fn text_output_has_a_line_per_finding_and_its_advice() {
    let database = Database::sqlite();
    let url = [("DATABASE_URL", database.url.as_str())];
    let output = run(database.folder.path(), &url, &["doctor"]);
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(
        printed.contains("\nok           store        SQLite file "),
        "{printed}"
    );
    assert!(
        printed.contains("\nwarning      backup       there is none in backups\n"),
        "{printed}"
    );
    assert!(
        printed.contains("\n                          -> run `taskhold backup`"),
        "{printed}"
    );
    let last = printed.lines().last().expect("a line");
    assert!(last.ends_with(", 0 problems, 2 not checked"), "{last}");
}

/// The documented example must list the same checks in the same order and state.
#[test]
fn documented_example_matches_the_output() {
    const GUIDE: &str = include_str!("../../docs/operations/install.md");
    let (_, example) = GUIDE.split_once("```text\nok  ").expect("an example");
    let example = format!("ok  {}", example.split("```").next().expect("its end"));
    let database = Database::sqlite();
    migrate(&database);
    let production = [
        ("DATABASE_URL", database.url.as_str()),
        ("JWT_SECRET", RANDOM),
        ("TASKHOLD_PROFILE", "production"),
        ("TASKHOLD__AUTH__AUDIENCE", "taskhold"),
        ("TASKHOLD__SERVER__PORT", "0"),
        ("TASKHOLD__METRICS__ADDRESS", "127.0.0.1:0"),
    ];
    let output = run(database.folder.path(), &production, &["doctor"]);
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    let begin = |text: &str| {
        let lines = text
            .lines()
            .map(|line| line.chars().take(26).collect::<String>());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(begin(&printed), begin(&example), "{printed}");
    assert_eq!(printed.lines().last(), example.lines().last());
}
