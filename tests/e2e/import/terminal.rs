//! What people see while a file is imported.

use std::process::Command;

use serde_json::{Value, json};

use super::fixture;
use crate::service::{Database, taskhold};

/// Clears a line, as only a terminal understands it.
const ESCAPE: char = '\u{1b}';

/// What a command writes when its output is a terminal of its own.
fn on_a_terminal(database: &Database, script: &str) -> String {
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
fn a_terminal_shows_a_bar_that_moves() {
    let database = Database::sqlite();
    let file = fixture("90-ten-thousand");
    let shown = on_a_terminal(&database, &format!("\"$TASKHOLD\" import '{file}'"));
    println!("{shown:?}");
    // A bar in parts, how much of the file was read, and how many rows that were.
    for part in ["░", "█", " % ", "10000 rows read; importing"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    // It is gone in the end, and what came of it stands there.
    let (_, last) = shown.rsplit_once(ESCAPE).expect("it was cleared");
    assert!(!last.contains('█'), "{last}");
    assert!(last.contains("10000 imported"), "{last}");
}

#[test]
fn a_terminal_shows_what_is_read_of_a_pipe() {
    let database = Database::sqlite();
    let file = fixture("90-ten-thousand");
    let shown = on_a_terminal(&database, &format!("cat '{file}' | \"$TASKHOLD\" import -"));
    println!("{shown:?}");
    for part in ["MiB", "10000 rows read; importing", "10000 imported"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains(" % "), "nobody knows its length");
}

#[test]
fn rejected_rows_have_lines_of_their_own_above_the_bar() {
    let database = Database::sqlite();
    let rows = (1..=10_000).map(|id| {
        let title = if id % 1_000 == 0 { "" } else { "t" };
        json!({"id": id, "title": title, "user_id": "alice"})
    });
    let file = database.file(Value::Array(rows.collect()).to_string());
    let import = format!("\"$TASKHOLD\" import '{file}'; test $? = 3");
    let shown = on_a_terminal(&database, &import);
    println!("{shown:?}");
    for id in (1_000..=10_000).step_by(1_000) {
        let line = format!("row {id} (id {id}): Task title must be a non-empty string\r\n");
        let (before, _) = shown.split_once(&line).expect("a line");
        // What clears a line ends with a K.
        assert!(
            before.is_empty() || before.ends_with(['\n', 'K']),
            "{before:?}"
        );
    }
}

/// Nothing that only a terminal understands goes to a log.
#[test]
fn plain_lines_go_elsewhere() {
    let database = Database::sqlite();
    let rows = (1..=50_001).map(|id| json!({"id": id, "title": "t", "user_id": "alice"}));
    let file = database.file(Value::Array(rows.collect()).to_string());
    let output = database.taskhold(&["import", &file, "--dry-run"]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    let lines: Vec<_> = said.lines().filter(|line| line.contains("rows")).collect();
    let [first, last] = lines[..] else {
        panic!("{said}")
    };
    assert_eq!(first, "50000 rows read");
    assert_eq!(last, "50001 rows read; importing");
    assert!(!said.contains([ESCAPE, '\r', '█']), "{said:?}");
}
