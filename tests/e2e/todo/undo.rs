//! `todo undo`, `todo history`, `todo trash`.

use super::Computer;
use crate::service::{Database, Service};

on_both_stores! {
    the_last_change_is_undone_whatever_it_was
    changes_are_undone_by_their_number
}

async fn the_last_change_is_undone_whatever_it_was(database: Database) {
    let service = Service::start(&database).await;
    let computer = Computer::of(&service, "anna");
    let ran = computer.run(&["undo"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (2, "Error: There is no change to undo\n")
    );
    let milk = computer.add("Buy milk");
    let mum = computer.add("Call mum");

    computer.done(&["complete", &milk]);
    assert!(
        computer
            .done(&["undo"])
            .ends_with(&format!(": [O] {milk}: Buy milk\n"))
    );
    computer.done(&["update", &milk, "Buy oat milk", "2 litres"]);
    assert!(
        computer
            .done(&["undo"])
            .ends_with(&format!(": [O] {milk}: Buy milk\n"))
    );
    computer.done(&["delete", &mum]);
    assert!(
        computer
            .done(&["undo"])
            .ends_with(&format!(": [O] {mum}: Call mum\n"))
    );
    // A second undo takes the undo back.
    assert!(
        computer
            .done(&["undo"])
            .ends_with(&format!("Task {mum} is in the trash: Call mum\n"))
    );
    assert_eq!(computer.done(&["list"]), format!("[O] {milk}: Buy milk\n"));
    // A change of another device is the last one, too.
    let task = service
        .client("anna")
        .create(serde_json::json!({"title": "From the page"}))
        .await;
    assert!(
        computer
            .done(&["undo"])
            .ends_with("is in the trash: From the page\n")
    );
    assert_eq!(
        service
            .client("anna")
            .get(&crate::service::path(&task))
            .await
            .status,
        404
    );
}

async fn changes_are_undone_by_their_number(database: Database) {
    let service = Service::start(&database).await;
    let computer = Computer::of(&service, "anna");
    let milk = computer.add("Buy milk");
    computer.done(&["update", &milk, "Buy oat milk"]);
    computer.done(&["complete", &milk]);
    let history = computer.json(&["history", &milk]);
    let change = history["history"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|change| change["kind"] == "updated");
    let number = change.expect("an update")["seq"].to_string();
    let lines = computer.done(&["history", &milk]);
    assert!(
        lines
            .lines()
            .nth(1)
            .expect("a line")
            .contains("title: Buy milk → Buy oat milk"),
        "{lines}"
    );
    assert_eq!(
        computer.done(&["undo", &number]),
        format!("Undid change {number}: [X] {milk}: Buy milk\n")
    );

    computer.done(&["update", &milk, "Buy rice milk"]);
    let ran = computer.run(&["undo", &number]);
    assert_eq!((ran.code, ran.stdout.as_str()), (5, ""), "{ran:?}");
    let ran = computer.run(&["undo", "999"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (
            2,
            "Error: There is no such change, or it is no longer kept\n"
        )
    );
}
