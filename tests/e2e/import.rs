//! `taskhold import` and `taskhold export`, on both stores.

mod exports;
mod faults;
mod files;
mod over_http;
mod terminal;
mod unknown;
mod verification;

use std::path::PathBuf;
use std::process::Output;

use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use crate::service::{Database, SECRET, Service, path, run};

/// Returns the path of a file that the original command-line app (the *console*) wrote, or of a damaged one.
pub fn fixture(name: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/storage");
    format!("{path}/{name}.json")
}

impl Database {
    /// Runs the program on the database.
    pub fn taskhold(&self, arguments: &[&str]) -> Output {
        let variables = [("DATABASE_URL", self.url.as_str()), ("JWT_SECRET", SECRET)];
        run(self.folder.path(), &variables, arguments)
    }

    /// Imports a file. Returns the exit status and the report.
    #[track_caller]
    pub fn import(&self, file: &str, options: &[&str]) -> (i32, Value) {
        let report = self.folder.path().join("report.json");
        drop(std::fs::remove_file(&report));
        let path = report.to_str().expect("UTF-8");
        let output = self.taskhold(&[&["import", file, "--report", path], options].concat());
        let report = std::fs::read(&report).map_or(Value::Null, |bytes| {
            serde_json::from_slice(&bytes).expect("the report is JSON")
        });
        let status = output.status.code().expect("an exit code");
        assert_eq!(report.is_null(), status == 1, "{output:?}");
        (status, report)
    }

    /// Returns the error message of an import that fails as a whole.
    pub fn import_error(&self, file: &str) -> String {
        let output = self.taskhold(&["import", file]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(output.stdout, b"");
        String::from_utf8(output.stderr).expect("UTF-8")
    }

    pub fn export(&self, user: &str, options: &[&str]) -> String {
        let output = self.taskhold(&[&["export", "--user", user], options].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Returns all tasks of a user, oldest first, without their ids, versions and owner; none if there is no such
    /// user.
    pub fn tasks_of(&self, user: &str) -> Vec<Value> {
        let lines = self.lines_of(user);
        let tasks = lines.lines().map(|line| {
            let mut task: Value = serde_json::from_str(line).expect("a line is JSON");
            let members = task.as_object_mut().expect("an object");
            members.remove("id");
            assert_eq!(members.remove("version"), Some(json!(1)));
            assert_eq!(members.remove("user_id"), Some(json!(user)));
            task
        });
        tasks.collect()
    }

    /// Returns the export of a user; an empty one if there is no such user.
    pub fn lines_of(&self, user: &str) -> String {
        let output = self.taskhold(&["export", "--user", user, "--format", "ndjson"]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let is_unknown =
            stderr.contains("no user has this id") || stderr.contains("there is no SQLite file");
        assert!(output.status.success() || is_unknown, "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Writes a file into the folder of the test and returns its path.
    pub fn file(&self, content: impl AsRef<[u8]>) -> String {
        let path: PathBuf = self.folder.path().join("file.json");
        std::fs::write(&path, content).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    }
}

/// Asserts the counts of imported, already present, since deleted, duplicate, rejected and verified rows.
#[track_caller]
pub fn assert_counts(report: &Value, expected: [u64; 6]) {
    let names = [
        "imported",
        "already_there",
        "deleted_since",
        "duplicates_dropped",
        "rejected_rows",
        "verified",
    ];
    let counts = names.map(|name| report[name].as_u64().expect(name));
    assert_eq!(counts, expected, "{report}");
}

async fn repeated_import_keeps_later_edits_and_deletions(database: Database) {
    let file = fixture("01-current");
    assert_eq!(database.import(&file, &[]).0, 0);
    let service = Service::start(&database).await;
    let bob = service.client("bob");
    let tasks = bob.tasks().await;
    let edited = bob
        .send(
            reqwest::Method::PUT,
            &path(&tasks[0]),
            Some(json!({"title": "edited"})),
        )
        .await;
    assert_eq!(edited.status, 200);
    let deleted = bob
        .send(reqwest::Method::DELETE, &path(&tasks[1]), None)
        .await;
    assert_eq!(deleted.status, 204);

    // The import runs while the service does, the second time with another time zone.
    for options in [&[][..], &["--timezone", "Asia/Tokyo"]] {
        let (status, report) = database.import(&file, options);
        assert_eq!(status, 0);
        assert_counts(&report, [0, 3, 1, 0, 0, 0]);
        assert_eq!(report["owners"]["bob"]["deleted_since"], 1);
    }
    assert_eq!(bob.tasks().await, [edited.body["task"].clone()]);
    assert_eq!(service.client("alice").tasks().await.len(), 2);

    let skipped = database.taskhold(&["import", &file]);
    let summary = String::from_utf8(skipped.stdout).expect("UTF-8");
    assert!(summary.contains("--again imports them again"), "{summary}");
    for (options, counts) in [
        (&["--again", "--dry-run"][..], [1, 3, 0, 0, 0, 1]),
        (&["--again"], [1, 3, 0, 0, 0, 1]),
        (&["--again"], [0, 4, 0, 0, 0, 0]),
        (&[], [0, 4, 0, 0, 0, 0]),
    ] {
        assert_counts(&database.import(&file, options).1, counts);
    }
    assert_eq!(bob.tasks().await.len(), 2);

    // Taskhold's own export comes back under its ids.
    let lines = database.export("bob", &["--format", "ndjson"]);
    let export = database.file(&lines);
    for (options, imported) in [(&[][..], 2), (&[], 0), (&["--again"], 2)] {
        for task in bob.tasks().await {
            bob.send(reqwest::Method::DELETE, &path(&task), None).await;
        }
        let (_, report) = database.import(&export, options);
        assert_eq!(report["imported"], imported, "{report}");
    }
    assert_eq!(database.export("bob", &["--format", "ndjson"]), lines);
}

async fn dry_run_reports_and_changes_nothing(database: Database) {
    let file = fixture("04-duplicate-ids");
    assert!(database.taskhold(&["migrate", "up"]).status.success());
    for _ in 0..2 {
        let (status, report) = database.import(&file, &["--dry-run"]);
        assert_eq!((status, &report["dry_run"]), (0, &json!(true)));
        assert_counts(&report, [4, 0, 0, 2, 0, 4]);
        assert_eq!(database.lines_of("alice"), "");
    }
    assert_eq!(database.import(&file, &[]).0, 0);
    let (_, report) = database.import(&file, &["--dry-run"]);
    assert_counts(&report, [0, 4, 0, 2, 0, 0]);
}

async fn missing_owners_are_set_and_mapped_owners_replaced(database: Database) {
    let file = fixture("05-missing-user_id");
    let options = [
        "--user",
        "carol",
        "--map",
        "alice=carol",
        "--map",
        "nobody=x",
    ];
    let (status, report) = database.import(&file, &options);
    // Two rows have the same number but different owners, so they are different tasks.
    assert_eq!(status, 0);
    assert_counts(&report, [4, 0, 0, 0, 0, 4]);
    assert_eq!(database.tasks_of("carol").len(), 4);
    assert_eq!(database.tasks_of("alice").len(), 0);
    let (_, report) = database.import(&file, &options);
    assert_counts(&report, [0, 4, 0, 0, 0, 0]);
}

async fn ndjson_export_imports_unchanged_into_the_other_store(database: Database) {
    assert_eq!(database.import(&fixture("25-unicode"), &[]).0, 0);
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let task = alice
        .create(json!({"title": "new", "description": "line\nline\t\\ \"\u{2028}"}))
        .await;
    let path = format!(
        "/api/v1/tasks/{}/complete",
        task["id"].as_str().expect("an id")
    );
    alice.send(reqwest::Method::PATCH, &path, None).await;
    let lines = database.export("alice", &["--format", "ndjson"]);
    assert_eq!(lines.lines().count(), 5);
    assert!(lines.contains("\"version\":2"));
    let answer = alice.request(reqwest::Method::GET, "/api/v1/export?format=ndjson");
    let answer = answer.send().await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    assert_eq!(
        answer.text().await.expect("text"),
        lines,
        "HTTP gives the same"
    );

    let other = database.of_other_kind().await;
    let file = database.file(&lines);
    let (status, report) = other.import(&file, &[]);
    assert_eq!(status, 0);
    assert_counts(&report, [5, 0, 0, 0, 0, 5]);
    assert_eq!(other.export("alice", &["--format", "ndjson"]), lines);
    let (_, report) = other.import(&file, &[]);
    assert_counts(&report, [0, 5, 0, 0, 0, 0]);
    // An import never overwrites a task of another user.
    let (status, report) = other.import(&file, &["--map", "alice=mallory"]);
    assert_eq!(status, 3);
    assert_counts(&report, [0, 0, 0, 0, 5, 0]);
    assert_eq!(
        report["rejected"][4]["reason"],
        "another user has a task of this id"
    );
    assert_eq!(other.export("alice", &["--format", "ndjson"]), lines);
}

async fn add_user_without_tasks(service: &Service, user: &str) {
    let client = service.client(user);
    let task = client.create(json!({"title": "gone"})).await;
    client
        .send(reqwest::Method::DELETE, &path(&task), None)
        .await;
}

/// The console refuses to load a file with other members or times.
async fn console_export_has_the_format_of_the_console(database: Database) {
    for name in ["01-current", "25-unicode", "34-same-title-twice"] {
        assert_eq!(database.import(&fixture(name), &[]).0, 0);
    }
    let service = Service::start(&database).await;
    add_user_without_tasks(&service, "nobody").await;
    for user in ["alice", "bob", "用户", "nobody"] {
        let file = database.export(user, &[]);
        let rows: Vec<Value> = serde_json::from_str(&file).expect("an array");
        let mut expected = database.tasks_of(user);
        assert_eq!(rows.len(), expected.len());
        for (number, (row, task)) in (1..).zip(rows.iter().zip(&mut expected)) {
            let names: Vec<_> = row.as_object().expect("an object").keys().collect();
            assert_eq!(names.len(), 7, "{names:?}");
            assert_eq!(
                (&row["id"], &row["user_id"]),
                (&json!(number), &json!(user))
            );
            for member in ["title", "description", "completed"] {
                assert_eq!(row[member], task[member]);
            }
            for member in ["created_at", "updated_at"] {
                // The console writes local times with `datetime.isoformat`.
                let written = task[member].as_str().expect("a time");
                let local = written.strip_suffix('Z').expect("UTC");
                let local = local.strip_suffix(".000000").unwrap_or(local);
                assert_eq!(row[member], local);
            }
        }
        let client = service.client(user);
        let answer = client.request(reqwest::Method::GET, "/api/v1/export");
        let text = answer.send().await.expect("an answer").text().await;
        assert_eq!(text.expect("text"), file, "HTTP gives the same");
    }
    let local = database.export("bob", &["--timezone", "America/New_York"]);
    assert!(
        local.contains("\"created_at\": \"2026-01-01T04:30:00.123456\""),
        "{local}"
    );
    assert_eq!(database.export("nobody", &[]), "[]");
    for query in ["format=xml", "timezone=Atlantis"] {
        let answer = service
            .client("bob")
            .get(&format!("/api/v1/export?{query}"))
            .await;
        answer.assert_problem(400, "MALFORMED_REQUEST");
    }
}

/// An empty file is an empty NDJSON export only if the format is named; otherwise it may be a damaged file.
async fn empty_export_imports_zero_tasks(database: Database) {
    let service = Service::start(&database).await;
    add_user_without_tasks(&service, "nobody").await;
    assert_eq!(database.import(&database.file("[]"), &[]).0, 0);
    for format in ["console", "ndjson"] {
        let file = database.file(database.export("nobody", &["--format", format]));
        let (status, report) = database.import(&file, &["--format", format]);
        assert_eq!(status, 0, "{format}");
        assert_counts(&report, [0; 6]);
    }
    let empty = database.file("");
    assert!(database.import_error(&empty).contains("the file is empty"));
    assert_eq!(database.import(&empty, &["--format", "console"]).0, 1);
    let array = database.file("[]");
    assert_eq!(database.import(&array, &["--format", "ndjson"]).0, 1);
}

on_both_stores! {
    repeated_import_keeps_later_edits_and_deletions
    dry_run_reports_and_changes_nothing
    missing_owners_are_set_and_mapped_owners_replaced
    ndjson_export_imports_unchanged_into_the_other_store
    console_export_has_the_format_of_the_console
    empty_export_imports_zero_tasks
}

/// Only the numbers of the rows change, which count the tasks of each user from 1.
#[test]
fn imported_console_file_is_exported_unchanged() {
    let database = Database::sqlite();
    let file = std::fs::read_to_string(fixture("90-ten-thousand")).expect("a fixture");
    let rows: Vec<Value> = serde_json::from_str(&file).expect("JSON");
    let users = ["alice", "bob", "carol-é"];
    assert_eq!(database.import(&fixture("90-ten-thousand"), &[]).0, 0);
    let mut count = 0;
    for user in users {
        let exported: Vec<Value> = serde_json::from_str(&database.export(user, &[])).expect("JSON");
        let mut expected: Vec<_> = rows
            .iter()
            .filter(|row| row["user_id"] == user)
            .cloned()
            .collect();
        expected.sort_by_key(|row| row["created_at"].as_str().expect("a time").to_owned());
        for (number, row) in (1..).zip(&mut expected) {
            row["id"] = json!(number);
        }
        assert!(exported == expected, "{user}");
        count += exported.len();
    }
    assert_eq!(count, rows.len());
}

/// A list leaves a corrupt row out, but an export without the row would be taken for complete.
#[tokio::test]
async fn corrupt_row_fails_the_export() {
    let database = Database::sqlite();
    database.import(&fixture("01-current"), &[]);
    let whole = database.export("alice", &[]);
    assert!(whole.starts_with('['), "{whole}");
    let mut connection = SqliteConnection::connect(&database.url)
        .await
        .expect("open");
    connection
        .execute(
            "PRAGMA ignore_check_constraints = ON; UPDATE tasks SET version = 0 WHERE user_id = 'alice'",
        )
        .await
        .expect("damaged");
    let output = database.taskhold(&["export", "--user", "alice"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(stderr.contains("damaged"), "{stderr}");
}
