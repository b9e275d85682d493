//! The progress that an import shows.

use std::process::Command;

use serde_json::{Value, json};

use super::fixture;
use crate::service::{Database, taskhold};

/// The start of the escape sequence that clears a line of a terminal.
const ESCAPE: char = '\u{1b}';

/// Returns the output of a command whose output is a terminal.
fn run_on_a_terminal(database: &Database, script: &str) -> String {
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("TERM", "xterm"),
        ("TASKHOLD", env!("CARGO_BIN_EXE_taskhold")),
    ];
    let program = taskhold(database.folder.path(), &variables, &[]);
    let mut terminal = Command::new("script");
    terminal
        .args(["--quiet", "--return", "--command", script, "/dev/null"])
        .current_dir(database.folder.path());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => terminal.env(name, value),
            None => terminal.env_remove(name),
        };
    }
    let output = terminal.output().expect("script of util-linux runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn file_on_a_terminal_shows_a_progress_bar() {
    let database = Database::sqlite();
    let file = fixture("90-ten-thousand");
    let shown = run_on_a_terminal(&database, &format!("\"$TASKHOLD\" import '{file}'"));
    println!("{shown:?}");
    // The bar, the percentage of the file that was read, and the number of rows.
    for part in ["░", "█", " % ", "10000 rows read; importing"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    // The result replaces the bar.
    let (_, last) = shown.rsplit_once(ESCAPE).expect("the bar is cleared");
    assert!(!last.contains('█'), "{last}");
    assert!(last.contains("10000 imported"), "{last}");
}

#[test]
fn pipe_on_a_terminal_shows_the_bytes_read() {
    let database = Database::sqlite();
    let file = fixture("90-ten-thousand");
    let shown = run_on_a_terminal(&database, &format!("cat '{file}' | \"$TASKHOLD\" import -"));
    println!("{shown:?}");
    for part in ["MiB", "10000 rows read; importing", "10000 imported"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains(" % "), "the length of a pipe is unknown");
}

#[test]
fn rejected_rows_are_printed_above_the_progress_bar() {
    let database = Database::sqlite();
    let rows = (1..=10_000).map(|id| {
        let title = if id % 1_000 == 0 { "" } else { "t" };
        json!({"id": id, "title": title, "user_id": "alice"})
    });
    let file = database.file(Value::Array(rows.collect()).to_string());
    let import = format!("\"$TASKHOLD\" import '{file}'; test $? = 3");
    let shown = run_on_a_terminal(&database, &import);
    println!("{shown:?}");
    for id in (1_000..=10_000).step_by(1_000) {
        let line = format!("row {id} (id {id}): Task title must be a non-empty string\r\n");
        let (before, _) = shown.split_once(&line).expect("a line");
        // The escape sequence that clears a line ends with a K.
        assert!(
            before.is_empty() || before.ends_with(['\n', 'K']),
            "{before:?}"
        );
    }
}

/// Escape sequences would make a log unreadable.
#[test]
fn progress_without_a_terminal_is_plain_lines() {
    let database = Database::sqlite();
    let rows = (1..=50_001).map(|id| json!({"id": id, "title": "t", "user_id": "alice"}));
    let file = database.file(Value::Array(rows.collect()).to_string());
    assert!(database.taskhold(&["migrate", "up"]).status.success());
    let output = database.taskhold(&["import", &file, "--dry-run"]);
    assert!(output.status.success(), "{output:?}");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    let lines: Vec<_> = stderr
        .lines()
        .filter(|line| line.contains("rows"))
        .collect();
    let [first, last] = lines[..] else {
        panic!("{stderr}")
    };
    assert_eq!(first, "50000 rows read");
    assert_eq!(last, "50001 rows read; importing");
    assert!(!stderr.contains([ESCAPE, '\r', '█']), "{stderr:?}");
}
