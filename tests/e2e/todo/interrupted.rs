//! Commands that are interrupted, lose the answer, or run at the same time.

use std::process::Stdio;

use taskhold_testkit::proxy::FaultProxy;

use super::Computer;
use crate::service::{Database, Service, eventually, http, signal};

/// A part that only requests with a key have.
const KEYED: &[u8] = b"idempotency-key: ";
/// More than a command makes within its patience.
const MOST_ATTEMPTS: usize = 40;

on_both_stores! {
    an_interrupted_command_is_not_told_as_if_it_were_so_now
    commands_at_the_same_time_all_take_effect
}

// The proxy runs beside the test, which waits for commands.
macro_rules! through_a_proxy {
    ($($store:ident: $database:expr;)+) => {$(
        mod $store {
            use crate::service::Database;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn killed_commands_take_effect_once_when_repeated() {
                super::killed_commands_take_effect_once_when_repeated($database).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn lost_answers_are_asked_for_again() {
                super::lost_answers_are_asked_for_again($database).await;
            }
        }
    )+};
}

through_a_proxy! {
    proxied_sqlite: Database::sqlite();
    proxied_postgres: Database::postgres().await;
}

/// Kills each command when the service has executed it and the answer cannot arrive, and gives it again.
async fn killed_commands_take_effect_once_when_repeated(database: Database) {
    let service = Service::start(&database).await;
    let proxy = FaultProxy::start(&service.url).await;
    let anna = service.client("anna");
    let computer = Computer::new();
    computer.log_in(&proxy.url(&service.url), "anna", "default");
    let task = computer.add("Buy milk");

    for (command, expected) in [
        (vec!["add", "Only once"], "added successfully"),
        (vec!["toggle", &task], "marked as complete"),
        (
            vec!["update", &task, "Buy oat milk"],
            "updated successfully",
        ),
        (vec!["delete", &task], "deleted successfully"),
        (vec!["restore", &task], "restored successfully"),
        (vec!["undo"], "is in the trash"),
    ] {
        let before = anna.get("/api/v1/changes").await.body["cursor"].clone();
        // The command repeats the write until it is killed.
        for _ in 0..MOST_ATTEMPTS {
            proxy.cut_next_reply_to(KEYED);
        }
        let mut child = computer
            .command(&command)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("todo starts");
        eventually("the write takes effect", async || {
            let now = anna.get("/api/v1/changes").await.body["cursor"].clone();
            (now != before).then_some(())
        })
        .await;
        signal(child.id(), "KILL");
        child.wait().expect("ended");
        let probe = || {
            http()
                .get(proxy.url(&service.url))
                .header("idempotency-key", "probe")
                .send()
        };
        eventually("answers arrive again", async || {
            probe().await.is_ok().then_some(())
        })
        .await;

        let after = anna.get("/api/v1/changes").await.body["cursor"].clone();
        let ran = computer.run(&command);
        assert_eq!(ran.code, 0, "{command:?}: {ran:?}");
        assert!(ran.stdout.contains(expected), "{command:?}: {ran:?}");
        let finally = anna.get("/api/v1/changes").await.body["cursor"].clone();
        assert_eq!(finally, after, "{command:?} took effect once");
    }
    let titles: Vec<_> = anna
        .tasks()
        .await
        .iter()
        .map(|task| task["title"].clone())
        .collect();
    assert_eq!(titles, ["Only once"]);
}

async fn an_interrupted_command_is_not_told_as_if_it_were_so_now(database: Database) {
    let service = Service::start(&database).await;
    let computer = Computer::of(&service, "anna");
    let milk = computer.add("Buy milk");
    // As if the answer of this command had been lost.
    let pending = computer
        .home
        .path()
        .join(".local/state/todo/default/pending");
    let before = std::fs::read_dir(&pending).expect("a folder").count();
    assert_eq!(before, 0, "its outcome is known");
    let ran = computer.run_on_full_disk(&["complete", &milk]);
    assert_eq!(ran.code, 6, "nobody was told: {ran:?}");
    computer.done(&["incomplete", &milk]);

    let ran = computer.run(&["complete", &milk]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(
        ran.stderr.contains(&format!("Now: [O] {milk}: Buy milk")),
        "{ran:?}"
    );
    assert_eq!(
        computer.done(&["complete", &milk]),
        format!("Task {milk} marked as complete\n")
    );
}

async fn lost_answers_are_asked_for_again(database: Database) {
    let service = Service::start(&database).await;
    let proxy = FaultProxy::start(&service.url).await;
    let computer = Computer::new();
    computer.log_in(&proxy.url(&service.url), "anna", "default");
    for number in 0..5 {
        proxy.cut_next_reply_to(KEYED);
        computer.add(&format!("Task {number}"));
    }
    let tasks = service.client("anna").tasks().await;
    assert_eq!(tasks.len(), 5);
}

async fn commands_at_the_same_time_all_take_effect(database: Database) {
    let service = Service::start(&database).await;
    let computer = Computer::of(&service, "anna");
    let command = ["add", "The same"].map(str::to_owned);
    let shown = computer.done_at_once::<8>(std::array::from_fn(|_| command.clone()));
    let shown = std::collections::BTreeSet::from(shown);
    assert_eq!(shown.len(), 8, "{shown:?}");
    assert_eq!(service.client("anna").tasks().await.len(), 8);
    assert_eq!(computer.done(&["list"]).lines().count(), 8);
}
