//! The examples of the documentation, run as a reader would paste them. A block marked `sh` is run;
//! a block marked `json` or `text` right after it is what it must print, with `…` for anything. One
//! marked `bash` is not run, and a comment before it says why; `documents.rs` asks for that.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::service::{Database, SECRET, Service, copy_environment, taskhold};

/// Where the documents say the service is.
const DOCUMENTED: &str = "http://127.0.0.1:8080";

/// What is printed after each block: `\\036` in octal.
const SEPARATOR: char = '\u{1e}';

pub struct Example {
    pub script: String,
    pub expected: Option<(String, String)>,
}

pub fn examples(document: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut follows_script = false;
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            follows_script &= line.is_empty();
            continue;
        };
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        let block = block.join("\n");
        match (language, examples.last_mut()) {
            ("sh", _) => examples.push(Example {
                script: block,
                expected: None,
            }),
            ("json" | "text", Some(last)) if follows_script => {
                last.expected = Some((language.to_owned(), block));
            }
            _ => {}
        }
        follows_script = language == "sh";
    }
    examples
}

/// The program under test first.
fn path() -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_taskhold"));
    let folder = program.parent().expect("a folder").display();
    format!("{folder}:{}", std::env::var("PATH").expect("a path"))
}

/// Pastes every example into one shell; what each of them printed.
async fn pasted(examples: &[Example]) -> Vec<String> {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    // `make token` builds and runs the program that is under test here.
    let mut script = "make() { taskhold token --user anna; }\n".to_owned();
    for example in examples {
        script += &example.script.replace(DOCUMENTED, &service.url);
        script += "\nprintf '\\036'\n";
    }
    let output = Command::new("bash")
        .args(["-u", "-c", &script])
        .current_dir(database.folder.path())
        .env("PATH", path())
        .env("JWT_SECRET", SECRET)
        // Logins of `todo` are kept there.
        .env("HOME", database.folder.path())
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_STATE_HOME")
        .env_remove("XDG_CACHE_HOME")
        .env_remove("TODO_URL")
        .env_remove("TODO_TOKEN")
        .output()
        .expect("bash runs");
    // Commands whose output is data say on the other stream whose data that is.
    let says_who = |line: &str| {
        line.starts_with("there is no user anna yet") || line.contains(" anna (no e-mail address)")
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.lines().all(says_who), "{stderr}");
    let printed = String::from_utf8(output.stdout)
        .expect("UTF-8")
        .replace('\r', "");
    printed.split(SEPARATOR).map(str::to_owned).collect()
}

fn is_alike(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::String(expected), Value::String(actual)) => matches_text(expected, actual),
        (Value::Array(expected), Value::Array(actual)) => {
            expected.len() == actual.len()
                && expected
                    .iter()
                    .zip(actual)
                    .all(|(expected, actual)| is_alike(expected, actual))
        }
        (Value::Object(expected), Value::Object(actual)) => {
            expected.len() == actual.len()
                && expected.iter().all(|(name, expected)| {
                    actual
                        .get(name)
                        .is_some_and(|actual| is_alike(expected, actual))
                })
        }
        _ => expected == actual,
    }
}

/// Whether `actual` has the parts between the `…`, in order, from its beginning to its end.
fn matches_text(expected: &str, actual: &str) -> bool {
    let mut parts = expected.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = actual.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        let Some(place) = rest.find(part) else {
            return false;
        };
        rest = &rest[place + part.len()..];
        last = Some(part);
    }
    rest.is_empty() || last.is_some_and(|last| last.is_empty() || actual.ends_with(last))
}

/// How many answers were compared.
async fn documented_examples_work(document: &str) -> usize {
    let examples = examples(document);
    let printed = pasted(&examples).await;
    let mut compared = 0;
    for (example, printed) in examples.iter().zip(&printed) {
        let alike = match &example.expected {
            Some((language, expected)) if language == "json" => {
                let expected: Value =
                    serde_json::from_str(expected).expect("the document has JSON");
                is_alike(
                    &expected,
                    &serde_json::from_str(printed).unwrap_or(Value::Null),
                )
            }
            Some((_, expected)) => matches_text(expected, printed.trim_end()),
            None => continue,
        };
        assert!(alike, "{}\nprinted\n{printed}", example.script);
        compared += 1;
    }
    compared
}

#[tokio::test]
async fn every_example_of_the_api_guide_answers_as_it_says() {
    let compared = documented_examples_work(include_str!("../../docs/api.md")).await;
    assert!(compared >= 12, "{compared} examples have an answer");
}

#[tokio::test]
async fn a_users_lines_are_found_as_the_page_of_logs_says() {
    let page = include_str!("../../docs/operations/logs.md");
    assert_eq!(documented_examples_work(page).await, 1);
}

#[tokio::test]
async fn the_command_line_works_as_its_page_says() {
    // Looks for the program first, which says how to build it.
    crate::todo::program();
    let page = include_str!("../../docs/command-line.md");
    assert_eq!(documented_examples_work(page).await, 5);
}

#[test]
fn the_move_from_the_console_works_when_pasted() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = include_str!("../fixtures/storage/01-current.json").replace("alice", "anna");
    std::fs::write(folder.path().join("tasks.json"), file).expect("written");
    let examples = examples(include_str!("../../docs/moving-from-the-console.md"));
    let [example] = examples.as_slice() else {
        panic!("one example, and not {}", examples.len());
    };
    let mut shell = Command::new("bash");
    shell
        .args(["-eu", "-o", "pipefail", "-c", &example.script])
        .current_dir(folder.path());
    copy_environment(&taskhold(folder.path(), &[], &[]), &mut shell);
    let output = shell.env("PATH", path()).output().expect("bash runs");
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(printed.contains(r#""user_id": "anna""#), "{printed}");
    assert!(folder.path().join("report.json").is_file());
}

const README: &str = include_str!("../../README.md");

#[tokio::test]
async fn the_session_of_the_readme_works_when_pasted() {
    let printed = pasted(&examples(README)).await.concat();
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines.len(), 3, "{printed}");
    let [created, refused, found] = [0, 1, 2].map(|line| {
        serde_json::from_str::<Value>(lines[line])
            .unwrap_or_else(|error| panic!("{error}: {printed}"))
    });
    let task = &created["task"];
    assert_eq!(task["title"], "Buy milk", "{printed}");
    assert_eq!(task["description"], "2 litres", "{printed}");
    assert_eq!(task["completed"], false, "{printed}");
    assert_eq!(task["user_id"], "anna", "{printed}");
    assert_eq!(refused["status"], 422, "{printed}");
    assert_eq!(refused["detail"], "Task title must be a non-empty string");
    assert_eq!(found, json!({"tasks": [task], "next_cursor": null}));
}

#[test]
fn the_picture_of_the_readme_shows_its_session() {
    let picture = include_str!("../../docs/demo.svg");
    let session = examples(README);
    let [example] = session.as_slice() else {
        panic!("one example, and not {}", session.len());
    };
    for line in example.script.lines() {
        let text = line
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let drawn = format!(">$ {text}</text>");
        assert!(picture.contains(&drawn), "run scripts/record-demo: {line}");
    }
}

#[test]
fn readme_says_how_to_get_a_token_an_account_and_another_port() {
    for part in [
        "make token USER_ID=anna",
        "/api/auth/register",
        "PORT=9000 make serve",
    ] {
        assert!(README.contains(part), "{part}");
    }
    assert!(README.lines().count() <= 100);
}
