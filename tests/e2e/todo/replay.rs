//! Invocations that were recorded from the console, replayed to the letter but for ids, times, the program's name, help
//! texts and the message for a malformed id.

use std::collections::HashMap;

use serde::Deserialize;

use super::{Computer, Ran};
use crate::service::{Database, Service};

on_both_stores! {
    recorded_invocations_have_the_same_results
}

const RECORDED: &str = include_str!("../../fixtures/console-command-line.jsonl");
/// The command that started the console.
const CONSOLE: &str = "python -m todo_cli.main";
/// Members of the JSON of a task that the console does not know.
const ADDED: [&str; 10] = [
    "etag",
    "due",
    "priority",
    "tags",
    "repeat",
    "repeat_from",
    "position",
    "completed_at",
    "short_id",
    "change",
];

#[derive(Deserialize)]
struct Scenario {
    scenario: String,
    invocations: Vec<Invocation>,
}

#[derive(Deserialize)]
struct Invocation {
    argv: Vec<String>,
    exit_code: i32,
    stdout: String,
    stderr_first_line: String,
    stderr_last_line: String,
}

/// The console on a computer of its own. Its users are users of the service whose names begin with that of the scenario.
struct Replay<'a> {
    service: &'a Service,
    scenario: &'a str,
    computer: Computer,
    users: Vec<String>,
    /// The ids of the service by those that the console gave to the same tasks, of each user.
    ids: HashMap<(String, String), String>,
}

async fn recorded_invocations_have_the_same_results(database: Database) {
    let service = Service::start(&database).await;
    let mut count = 0;
    for line in RECORDED.lines() {
        let scenario: Scenario = serde_json::from_str(line).expect("a scenario");
        let mut replay = Replay {
            service: &service,
            scenario: &scenario.scenario,
            computer: Computer::new(),
            users: Vec::new(),
            ids: HashMap::new(),
        };
        for invocation in &scenario.invocations {
            replay.run(invocation);
            count += 1;
        }
    }
    assert_eq!(count, 96);
}

impl Replay<'_> {
    fn run(&mut self, invocation: &Invocation) {
        let user = invocation.argv.iter().position(|word| word == "--user-id");
        let user = user.and_then(|option| invocation.argv.get(option + 1));
        let user = user.cloned().unwrap_or_else(|| "default".to_owned());
        self.log_in(&user);
        let arguments = self.translate(&user, &invocation.argv);
        let ran = self.computer.run(&arguments);
        let context = format!(
            "{}: {:?} as {arguments:?}: {ran:?}",
            self.scenario, invocation.argv
        );
        assert_eq!(ran.code, invocation.exit_code, "{context}");
        if invocation.argv.iter().any(|word| word == "--help") {
            assert!(ran.stdout.starts_with("Usage: todo "), "{context}");
            return;
        }
        self.learn(&user, invocation, &ran);
        assert_eq!(
            self.normalized(&user, &ran.stdout),
            invocation.stdout,
            "{context}"
        );
        let usage = invocation.stderr_first_line.replace(CONSOLE, "todo");
        assert_eq!(
            ran.stderr.lines().next().unwrap_or_default(),
            usage,
            "{context}"
        );
        let last = ran.stderr.lines().last().unwrap_or_default();
        let has_own_words =
            invocation.argv.is_empty() || invocation.stderr_last_line.contains("'TASK_ID': ");
        if has_own_words {
            assert!(!last.is_empty(), "{context}");
        } else {
            assert_eq!(last, invocation.stderr_last_line, "{context}");
        }
    }

    fn log_in(&mut self, user: &str) {
        if user.is_empty() || self.users.iter().any(|known| known == user) {
            return;
        }
        let subject = match user {
            "default" => "default_user",
            user => user,
        };
        self.computer.log_in(
            &self.service.url,
            &format!("{}/{subject}", self.scenario),
            user,
        );
        self.users.push(user.to_owned());
    }

    /// Returns the arguments with the ids of the service.
    fn translate(&self, user: &str, arguments: &[String]) -> Vec<String> {
        let names_a_task = arguments.first().is_some_and(|command| {
            ["complete", "incomplete", "toggle", "update", "delete"].contains(&command.as_str())
        });
        let mut arguments = arguments.to_vec();
        let id = arguments
            .iter()
            .skip(1)
            .position(|word| !word.starts_with("--"));
        if let (true, Some(place)) = (names_a_task, id)
            && let Some(id) = self
                .ids
                .get(&(user.to_owned(), arguments[place + 1].clone()))
        {
            arguments[place + 1].clone_from(id);
        }
        arguments
    }

    /// Takes note of the id of a task that was added.
    fn learn(&mut self, user: &str, invocation: &Invocation, ran: &Ran) {
        let id = |text: &str| -> Option<String> {
            if let Some((_, id)) = text.split_once(" added successfully with ID ") {
                return Some(id.trim_end().to_owned());
            }
            let (_, rest) = text.split_once("\n    \"id\": ")?;
            let (id, _) = rest.split_once(",\n")?;
            Some(id.trim_matches('"').to_owned())
        };
        if invocation
            .argv
            .first()
            .is_some_and(|command| command == "add")
            && let (Some(console), Some(ours)) = (id(&invocation.stdout), id(&ran.stdout))
        {
            self.ids.insert((user.to_owned(), console), ours);
        }
    }

    /// Returns what was printed with the ids of the console, no times, and no members that the console does not know.
    fn normalized(&self, user: &str, printed: &str) -> String {
        let mut lines: Vec<String> = Vec::new();
        for line in printed.split('\n') {
            let member = line
                .trim_start()
                .strip_prefix('"')
                .and_then(|rest| rest.split_once("\": "));
            let line = match member {
                Some((name, _)) if ADDED.contains(&name) => {
                    // The member before it may be the last one now.
                    continue;
                }
                Some((name @ ("created_at" | "updated_at"), _)) => {
                    format!("{}\"{name}\": \"<ts>\",", indent(line))
                }
                _ => line.replace(&format!("{}/", self.scenario), ""),
            };
            if line.trim_start().starts_with('}')
                && let Some(last) = lines.last_mut()
            {
                *last = last.trim_end_matches(',').to_owned();
            }
            lines.push(line);
        }
        let mut normalized = lines.join("\n");
        for ((owner, console), ours) in &self.ids {
            if owner != user {
                continue;
            }
            let end = &ours[ours.len() - 4..];
            let whole = normalized.lines().find_map(|line| {
                let id = line.trim_start().strip_prefix("\"id\": \"")?;
                let id = id.strip_suffix("\",")?;
                id.ends_with(end).then(|| id.to_owned())
            });
            if let Some(whole) = whole {
                normalized = normalized.replace(&format!("\"{whole}\""), console);
            }
            // A task that is gone is named as it was typed.
            normalized = normalized.replace(&format!("ID {ours} "), &format!("ID {console} "));
            for (before, after) in [
                ("] ", ": "),
                ("ID ", "\n"),
                ("ID ", " not"),
                ("Task ", " marked"),
                ("Task ", " updated"),
                ("Task ", " deleted"),
            ] {
                normalized = normalized.replace(
                    &format!("{before}{end}{after}"),
                    &format!("{before}{console}{after}"),
                );
            }
        }
        normalized
    }
}

fn indent(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}
