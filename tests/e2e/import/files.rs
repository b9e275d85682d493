//! Each recorded file, with the expected result of its import.

use serde_json::{Value, json};

use taskhold_domain::task::Position;
use taskhold_domain::timestamp::Timestamp;

use super::{assert_counts, fixture};
use crate::service::Database;

/// A file, and the expected result of its import.
pub(super) struct Case {
    pub(super) file: &'static str,
    status: i32,
    /// The counts that [`assert_counts`] compares.
    pub(super) counts: [u64; 6],
    pub(super) rejected: Value,
    pub(super) tasks: Vec<(&'static str, Vec<Value>)>,
}

fn task(title: &str, description: &str, completed: bool, created: &str, updated: &str) -> Value {
    json!({
        "title": title, "description": description, "completed": completed,
        "created_at": format!("{created}Z"), "updated_at": format!("{updated}Z"),
        "completed_at": null, "due": null, "priority": "none", "tags": [],
        "repeat": null, "repeat_from": "due",
        "position": position(created),
    })
}

/// Tasks of a file without positions are in the order of their creation.
fn position(created: &str) -> String {
    let created = Timestamp::parse(&format!("{created}Z")).expect("a time");
    Position::of_creation(created).to_string()
}

fn bob_one() -> Value {
    task(
        "Bob one",
        "private",
        false,
        "2026-01-01T09:30:00.123456",
        "2026-01-10T18:00:00.000100",
    )
}

fn bob_two() -> Value {
    task(
        "Bob two",
        "",
        true,
        "2026-01-02T09:30:01.223456",
        "2026-01-11T18:00:01.000200",
    )
}

fn call_mum() -> Value {
    task(
        "Call mum",
        "",
        true,
        "2026-01-03T09:30:02.323456",
        "2026-01-12T18:00:02.000300",
    )
}

fn third() -> Value {
    task(
        "Third edited",
        "d3",
        false,
        "2026-01-04T09:30:03.423456",
        "2026-01-13T18:00:03.000400",
    )
}

fn last_duplicate() -> Value {
    task(
        "LATER DUPLICATE",
        "d3",
        true,
        "2026-01-04T09:30:03.423456",
        "2026-01-13T18:00:03.000400",
    )
}

fn dated(title: &str, description: &str, day: u32) -> Value {
    let time = format!("2026-02-{day:02}T00:00:00.000001");
    task(title, description, false, &time, &time)
}

#[expect(clippy::too_many_lines, reason = "one case after the other")]
pub(super) fn cases() -> Vec<Case> {
    let valid = |file, imported, tasks| Case {
        file,
        status: 0,
        counts: [imported, 0, 0, 0, 0, imported],
        rejected: json!([]),
        tasks,
    };
    let one_bad = |file, reason| Case {
        file,
        status: 3,
        counts: [3, 0, 0, 0, 1, 3],
        rejected: json!([{"position": 1, "id": "1", "reason": reason}]),
        tasks: vec![
            ("alice", vec![call_mum(), third()]),
            ("bob", vec![bob_two()]),
        ],
    };
    vec![
        valid(
            "01-current",
            4,
            vec![
                ("alice", vec![call_mum(), third()]),
                ("bob", vec![bob_one(), bob_two()]),
            ],
        ),
        Case {
            counts: [4, 0, 0, 2, 0, 4],
            ..valid(
                "04-duplicate-ids",
                4,
                vec![
                    ("alice", vec![call_mum(), last_duplicate()]),
                    ("bob", vec![bob_one(), bob_two()]),
                ],
            )
        },
        valid(
            "05-missing-user_id",
            4,
            vec![
                ("alice", vec![call_mum(), third()]),
                ("default_user", vec![bob_one(), bob_two()]),
                ("bob", vec![]),
            ],
        ),
        one_bad(
            "14-overlong-title-one-row",
            "Task title must not exceed 100 characters",
        ),
        one_bad(
            "16-completed-string",
            "Task completed status must be a boolean",
        ),
        valid(
            "20-timestamp-variants",
            4,
            vec![
                (
                    "bob",
                    vec![
                        task(
                            "Bob one",
                            "private",
                            false,
                            "2026-01-01T09:30:00.000000",
                            "2026-01-10T18:00:00.000100",
                        ),
                        task(
                            "Bob two",
                            "",
                            true,
                            "2026-01-02T04:00:01.500000",
                            "2026-01-11T18:00:01.000200",
                        ),
                    ],
                ),
                (
                    "alice",
                    vec![
                        task(
                            "Call mum",
                            "",
                            true,
                            "2026-01-03T00:00:00.000000",
                            "2026-01-12T18:00:02.000300",
                        ),
                        task(
                            "Third edited",
                            "d3",
                            false,
                            "2026-01-04T09:30:03.000000",
                            "2026-01-13T18:00:03.250000",
                        ),
                    ],
                ),
            ],
        ),
        valid(
            "25-unicode",
            7,
            vec![
                (
                    "alice",
                    vec![
                        dated("café 😀", "שלום", 1),
                        dated(&"e\u{301}".repeat(50), &"😀".repeat(500), 2),
                        dated("  spaces  ", "\n\t", 3),
                        dated("   ", "", 4),
                    ],
                ),
                (
                    "用户",
                    vec![dated(
                        "👨\u{200D}👩\u{200D}👧",
                        "\u{2028}\u{2029}\u{FEFF}",
                        5,
                    )],
                ),
                ("e\u{301}", vec![dated("nfd user", "", 6)]),
                ("\u{e9}", vec![dated("nfc user", "", 7)]),
            ],
        ),
        valid(
            "34-same-title-twice",
            4,
            vec![
                (
                    "bob",
                    vec![task(
                        "Water plants",
                        "",
                        false,
                        "2026-11-20T18:17:26.243304",
                        "2026-11-20T18:17:26.243305",
                    )],
                ),
                (
                    "alice",
                    vec![
                        task(
                            "Water plants",
                            "a",
                            false,
                            "2026-11-20T18:17:26.242683",
                            "2026-11-20T18:17:26.242685",
                        ),
                        task(
                            "Water plants",
                            "b",
                            true,
                            "2026-11-20T18:17:26.242843",
                            "2026-11-20T18:17:26.243548",
                        ),
                        task(
                            "Water plants",
                            "b",
                            false,
                            "2026-11-20T18:17:26.243038",
                            "2026-11-20T18:17:26.243039",
                        ),
                    ],
                ),
            ],
        ),
    ]
}

async fn recorded_files_import_as_expected(database: Database) {
    for case in cases() {
        let database = database.another().await;
        let file = fixture(case.file);
        let (status, report) = database.import(&file, &[]);
        assert_eq!(status, case.status, "{}: {report}", case.file);
        assert_counts(&report, case.counts);
        assert_eq!(report["rejected"], case.rejected, "{}", case.file);
        for _ in 0..2 {
            for (owner, tasks) in &case.tasks {
                assert_eq!(&database.tasks_of(owner), tasks, "{}: {owner}", case.file);
            }
            // A second import changes nothing.
            let (status, report) = database.import(&file, &[]);
            let [imported, _, _, duplicates, rejected, _] = case.counts;
            assert_eq!(status, case.status);
            assert_counts(&report, [0, imported, 0, duplicates, rejected, 0]);
        }
    }
}

async fn rows_without_times_get_the_import_time_and_are_recognized_again(database: Database) {
    let file = fixture("02-legacy-content");
    let (status, report) = database.import(&file, &["--user", "dora"]);
    assert_eq!(status, 0);
    assert_counts(&report, [2, 0, 0, 0, 0, 2]);
    let tasks = database.tasks_of("dora");
    let mut imported: Vec<_> = tasks
        .iter()
        .map(|task| {
            (
                task["title"].as_str(),
                task["description"].as_str(),
                task["completed"].as_bool(),
            )
        })
        .collect();
    imported.sort_unstable();
    assert_eq!(
        imported,
        [
            (Some("Old one"), Some(""), Some(false)),
            (Some("Old two"), Some(""), Some(true)),
        ]
    );
    let time = tasks[0]["created_at"].as_str().expect("a time");
    assert!(time > "2026-01-01", "{time}");
    for task in &tasks {
        assert_eq!(
            (&task["created_at"], &task["updated_at"]),
            (&json!(time), &json!(time))
        );
    }
    let (_, report) = database.import(&file, &["--user", "dora"]);
    assert_counts(&report, [0, 2, 0, 0, 0, 0]);
    assert_eq!(database.tasks_of("dora"), tasks);
}

async fn malformed_file_is_refused_and_changes_nothing(database: Database) {
    for (file, expected) in [
        ("07-empty-file", "line 1, column 1: the file is empty"),
        ("09-truncated", "line 24, column 23: the file is cut short"),
        (
            "10-toplevel-object",
            "line 1, column 1: the file is neither an array of tasks",
        ),
    ] {
        let message = database.import_error(&fixture(file));
        assert!(message.contains(expected), "{message}");
    }
    // Three thousand valid rows fill more than one batch.
    let row = r#"{"id": 1, "title": "t", "user_id": "alice"}"#;
    let truncated = format!("[{}", format!("{row},\n").repeat(3_000));
    let message = database.import_error(&database.file(truncated));
    assert!(
        message.contains("line 3001, column 1: the file is cut short"),
        "{message}"
    );
    for user in ["alice", "bob", "default_user"] {
        assert_eq!(database.lines_of(user), "");
    }
    let message = database.import_error("no-such-file.json");
    assert!(message.contains("no-such-file.json"), "{message}");
}

async fn ten_thousand_rows_are_all_imported(database: Database) {
    let (status, report) = database.import(&fixture("90-ten-thousand"), &[]);
    assert_eq!(status, 0);
    assert_counts(&report, [10_000, 0, 0, 0, 0, 10_000]);
    for (user, count) in [("alice", 5820), ("bob", 3390), ("carol-é", 790)] {
        assert_eq!(report["owners"][user]["verified"], count);
        assert_eq!(database.tasks_of(user).len(), count);
    }
}

on_both_stores! {
    recorded_files_import_as_expected
    rows_without_times_get_the_import_time_and_are_recognized_again
    malformed_file_is_refused_and_changes_nothing
    ten_thousand_rows_are_all_imported
}
