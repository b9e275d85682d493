//! The ends of ids by which tasks are named.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Value, json};

use super::Computer;
use crate::service::{Database, Service};

on_both_stores! {
    ends_of_ids_are_short_unambiguous_and_shown_alike
    a_shown_end_never_names_another_task
}

async fn ends_of_ids_are_short_unambiguous_and_shown_alike(database: Database) {
    let service = Service::start(&database).await;
    let computer = Computer::of(&service, "anna");
    computer.import(600, "Task");

    let text = computer.done(&["list"]);
    let list = computer.json(&["list"]);
    let tasks = list["tasks"].as_array().expect("a list");
    assert_eq!(tasks.len(), 600);
    let mut ends = HashSet::new();
    for (line, task) in text.lines().zip(tasks) {
        let (short, title) = (
            task["short_id"].as_str().expect("text"),
            task["title"].as_str().expect("text"),
        );
        assert_eq!(line, format!("[O] {short}: {title}"));
        let id = task["id"].as_str().expect("text").replace('-', "");
        assert!(id.ends_with(short) && short.len() >= 4, "{id} {short}");
        assert!(ends.insert(short), "{short} is shown twice");
    }
    let shown: BTreeSet<_> = text.lines().collect();
    assert_eq!(shown.len(), 600);

    // The whole id, in any case, and a longer end name the same task; an end of several tasks names none.
    let task = &tasks[300];
    let whole = task["id"].as_str().expect("text").to_uppercase();
    let longer = whole.replace('-', "")[24..].to_owned();
    for name in [
        &whole,
        &longer,
        &task["short_id"].as_str().expect("text").to_owned(),
    ] {
        assert_eq!(
            computer.json(&["show", name])["task"]["title"],
            task["title"]
        );
    }
    // Two of 600 tasks have the last two digits in common, of which one is a letter.
    let last_two = |task: &Value| {
        let id = task["id"].as_str().expect("text");
        id[id.len() - 2..].to_owned()
    };
    let mut seen = HashSet::new();
    let common = tasks.iter().map(last_two).find(|end| {
        let is_number = end.bytes().all(|byte| byte.is_ascii_digit());
        !seen.insert(end.clone()) && !is_number
    });
    let ran = computer.run(&["complete", &common.expect("two of 600")]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stdout.contains(" tasks have an ID that ends with "),
        "{ran:?}"
    );
}

async fn a_shown_end_never_names_another_task(database: Database) {
    let service = Service::start(&database).await;
    let computer = Computer::of(&service, "anna");
    let end = computer.add("first");
    computer.done(&["delete", &end]);
    // Another task has the same end by now, as after tens of thousands more.
    let later = service
        .client("anna")
        .create(json!({"title": "later"}))
        .await;
    let later_id = later["id"].as_str().expect("an id");
    let shown = computer.home.path().join(".local/state/todo/default/shown");
    let records = std::fs::read_to_string(&shown).expect("records");
    let record = records
        .lines()
        .find(|line| line.contains(&end))
        .expect("the first task");
    let collides = record.replacen(
        &record[..36],
        &format!("{}{}", &record[..32], &later_id[32..]),
        1,
    );
    std::fs::write(&shown, format!("{records}\n{collides}")).expect("written");
    let later_end = &later_id[32..];
    let ran = computer.run(&["complete", later_end]);
    let expected = format!("Error: Task with ID {later_end} not found\n");
    assert_eq!(
        (ran.code, ran.stdout),
        (2, expected),
        "it was shown for a task that is gone"
    );
    let ran = computer.run(&["complete", &end]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (2, format!("Error: Task with ID {end} not found\n").as_str())
    );
    assert!(
        computer
            .done(&["trash"])
            .starts_with(&format!("[O] {end}: first"))
    );
    assert_eq!(
        computer.done(&["restore", &end]),
        format!("Task {end} restored successfully\n")
    );
    assert_eq!(
        computer.done(&["complete", &end]),
        format!("Task {end} marked as complete\n")
    );
}
