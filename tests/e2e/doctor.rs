//! `taskhold doctor` on real faults: each is made, found, and named with what to do.

mod files;
mod server;
mod surroundings;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, PgConnection};

use crate::service::{Database, Service, run};

/// Random, as the program has it.
const RANDOM: &str = "5f0c7de1b8a94326d07e1b5a9c3f8e24";
const HOUR: i64 = 3_600 * 1_000_000;

/// What the program says of each check.
struct Report {
    code: Option<i32>,
    findings: BTreeMap<String, Value>,
}

impl Report {
    fn of(database: &Database, variables: &[(&str, &str)]) -> Self {
        let common = [
            ("DATABASE_URL", database.url.as_str()),
            ("JWT_SECRET", RANDOM),
        ];
        let variables = [&common, variables].concat();
        let output = run(database.folder.path(), &variables, &["doctor", "--json"]);
        let said = String::from_utf8_lossy(&output.stderr);
        for (name, secret) in &variables {
            let is_secret = name.starts_with("JWT_SECRET") && secret.len() > 3;
            let said = format!("{said}{}", String::from_utf8_lossy(&output.stdout));
            assert!(!is_secret || !said.contains(secret), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
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

    /// This check has this state, tells this, and what to do about it.
    #[track_caller]
    fn tells(&self, check: &str, state: &str, text: &str) -> &Self {
        assert_eq!(self.state(check), state, "{:#?}", self.findings[check]);
        let told = self.findings[check].to_string();
        assert!(told.contains(text), "not {text:?} in {told}");
        let needs_advice = ["warning", "problem"].contains(&state);
        assert_eq!(
            self.findings[check]["advice"].is_string(),
            needs_advice,
            "{told}"
        );
        self
    }

    /// No check has a problem but these, and the exit status says whether there are any.
    #[track_caller]
    fn problems(&self, expected: &[&str]) -> &Self {
        let found: Vec<_> = self
            .findings
            .keys()
            .filter(|check| self.state(check) == "problem")
            .collect();
        assert_eq!(found, expected, "{:#?}", self.findings);
        assert_eq!(self.code, Some(i32::from(!expected.is_empty())));
        self
    }
}

fn migrated(database: &Database) {
    done(database, &["migrate", "up"]);
}

fn done(database: &Database, arguments: &[&str]) -> String {
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

async fn a_store_in_order_has_no_problem(database: Database) {
    migrated(&database);
    done(&database, &["backup"]);
    done(&database, &["backup", "verify"]);
    let report = Report::of(&database, &[]);
    report.problems(&[]);
    for check in [
        "settings", "secret", "listener", "store", "schema", "backup", "verified",
    ] {
        assert_eq!(report.state(check), "ok", "{:#?}", report.findings);
    }
    if database.url.starts_with("postgres") {
        report.tells("clock", "ok", "agree");
    }
    assert!(
        report
            .findings
            .values()
            .all(|finding| finding["state"] != "not_checked")
    );
}

async fn pending_migrations(database: Database) {
    migrated(&database);
    done(&database, &["migrate", "down", "--yes"]);
    Report::of(&database, &[])
        .problems(&[])
        .tells("schema", "warning", "000004_imports");
    Report::of(&database, &[("TASKHOLD__DATABASE__AUTO_MIGRATE", "false")])
        .problems(&["schema"])
        .tells("schema", "problem", "taskhold migrate up");
}

async fn no_backup_an_old_one_and_one_that_nobody_verified(database: Database) {
    migrated(&database);
    let production = [
        ("TASKHOLD_PROFILE", "production"),
        ("TASKHOLD__SERVER__PORT", "0"),
    ];
    Report::of(&database, &[])
        .problems(&[])
        .tells("backup", "warning", "there is none");
    Report::of(&database, &production)
        .problems(&["backup"])
        .tells("backup", "problem", "taskhold backup");
    let said = done(&database, &["backup"]);
    let backup = database
        .folder
        .path()
        .join(said.lines().next().expect("a path"));
    Report::of(&database, &production)
        .problems(&[])
        .tells("backup", "ok", "the newest is of 20")
        .tells("verified", "warning", "ever verified");
    done(&database, &["backup", "verify"]);
    Report::of(&database, &production).tells("verified", "ok", "restored and compared");

    aged(&backup, 25);
    Report::of(&database, &[])
        .problems(&[])
        .tells("backup", "warning", "24 h would be lost");
    Report::of(&database, &production)
        .problems(&["backup"])
        .tells("verified", "ok", "restored");
    aged(&backup, 100);
    Report::of(&database, &production).tells("verified", "warning", "taskhold backup verify");

    fs::write(backup.join("manifest.json"), "{").expect("written");
    Report::of(&database, &production)
        .tells("damaged", "warning", "1 backups")
        .tells("backup", "problem", "there is none");
}

/// Has a backup be so many hours older than it is.
fn aged(backup: &Path, hours: i64) {
    crate::backup::rewrite(backup, |manifest| manifest.taken_at -= hours * HOUR);
}

async fn doctor_changes_nothing(database: Database) {
    migrated(&database);
    let client_made = {
        let service = Service::start(&database).await;
        let alice = service.client("alice");
        alice.created(json!({"title": "stays"})).await;
        let while_served = everything(database.folder.path());
        Report::of(&database, &[]).problems(&[]);
        let files = |all: &BTreeMap<String, String>| all.keys().cloned().collect::<Vec<_>>();
        assert_eq!(
            files(&while_served),
            files(&everything(database.folder.path()))
        );
        alice.created(json!({"title": "goes on"})).await;
        service.stop().await
    };
    assert!(client_made.success());
    let before = everything(database.folder.path());
    let rows = rows(&database).await;
    Report::of(&database, &[]).problems(&[]);
    assert_eq!(everything(database.folder.path()), before);
    assert_eq!(self::rows(&database).await, rows);

    // Nothing is made either where there is nothing yet.
    let new = if database.url.starts_with("sqlite") {
        Database::sqlite()
    } else {
        Database::postgres().await
    };
    let report = Report::of(
        &new,
        &[(
            "JWT_SECRET",
            if new.url.starts_with("sqlite") {
                ""
            } else {
                RANDOM
            },
        )],
    );
    report.problems(&[]);
    assert_eq!(everything(new.folder.path()), BTreeMap::new());
    if new.url.starts_with("sqlite") {
        report
            .tells("store", "ok", "is not there yet")
            .tells("schema", "not_checked", "no store yet")
            .tells("secret", "ok", "the first start makes one");
    } else {
        report.tells("schema", "warning", "pending");
        assert_eq!(self::rows(&new).await, "0");
    }
}

/// Every file with when it was changed and what it holds.
fn everything(folder: &Path) -> BTreeMap<String, String> {
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
            all.extend(everything(&path));
        } else {
            holds += &hex::encode(Sha256::digest(fs::read(&path).expect("a file")));
        }
        all.insert(path.display().to_string(), holds);
    }
    all
}

/// What PostgreSQL holds beside the files: tables with all rows and rights, sessions' statements aside.
async fn rows(database: &Database) -> String {
    if database.url.starts_with("sqlite") {
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
    a_store_in_order_has_no_problem
    pending_migrations
    no_backup_an_old_one_and_one_that_nobody_verified
    doctor_changes_nothing
}

#[test]
fn text_output_has_a_line_per_finding_and_its_advice() {
    let database = Database::sqlite();
    let url = [("DATABASE_URL", database.url.as_str())];
    let output = run(database.folder.path(), &url, &["doctor"]);
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("\nok           store        SQLite file "),
        "{said}"
    );
    assert!(
        said.contains("\nwarning      backup       there is none in backups\n"),
        "{said}"
    );
    assert!(
        said.contains("\n                          -> run `taskhold backup`"),
        "{said}"
    );
    let last = said.lines().last().expect("a line");
    assert!(last.ends_with(", 0 problems, 2 not checked"), "{last}");
}

/// The example of the documentation has each check in its place, and how it is.
#[test]
fn the_documented_example_is_what_it_prints() {
    const GUIDE: &str = include_str!("../../docs/operations/install.md");
    let (_, example) = GUIDE.split_once("```text\nok  ").expect("an example");
    let example = format!("ok  {}", example.split("```").next().expect("its end"));
    let database = Database::sqlite();
    migrated(&database);
    let production = [
        ("DATABASE_URL", database.url.as_str()),
        ("JWT_SECRET", RANDOM),
        ("TASKHOLD_PROFILE", "production"),
        ("TASKHOLD__SERVER__PORT", "0"),
    ];
    let output = run(database.folder.path(), &production, &["doctor"]);
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let begin = |text: &str| {
        let lines = text
            .lines()
            .map(|line| line.chars().take(26).collect::<String>());
        lines.collect::<Vec<_>>()
    };
    assert_eq!(begin(&said), begin(&example), "{said}");
    assert_eq!(said.lines().last(), example.lines().last());
}
