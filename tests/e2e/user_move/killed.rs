//! Moves that are killed, and run again.

use std::collections::BTreeSet;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, Executor as _};

use super::write;
use crate::backup::contents::{add_tasks, postgres};
use crate::backup::without_output;
use crate::service::{Client, Database, Service, eventually};

on_all_pairs! { killed_move_leaves_one_store_and_goes_on }

/// Enough for the copy to be killed during it.
const MANY: u32 = 3_000;

fn command(source: &Database, target: &Database) -> Command {
    let mut command = source.command(&["copy", "--user", "crowd", "--at-once"]);
    command.env("TO_DATABASE_URL", &target.url);
    without_output(command)
}

fn spawn(source: &Database, target: &Database) -> Child {
    command(source, target).spawn().expect("it starts")
}

fn kill(mut child: Child) {
    child.kill().expect("killed");
    child.wait().expect("ended");
}

async fn titles(client: &Client) -> BTreeSet<String> {
    let tasks = client.tasks().await.into_iter();
    tasks
        .map(|task| task["title"].as_str().expect("text").to_owned())
        .collect()
}

async fn killed_move_leaves_one_store_and_goes_on(source: Database, target: Database) {
    source.run_command(&["migrate", "up"]).assert_success();
    let second = Service::start(&target).await;
    add_tasks(&source, MANY).await;
    let first = Service::start(&source).await;
    let (here, there) = (first.client("crowd"), second.client("crowd"));
    let mut expected: BTreeSet<_> = (1..=MANY).map(|number| format!("task {number}")).collect();
    // How long a whole run takes is not known yet: each is killed later than the one before, until one is not killed.
    let mut delay = Duration::from_millis(20);
    let mut killed = 0;
    loop {
        let mut child = spawn(&source, &target);
        let started = Instant::now();
        let mut ended = false;
        while started.elapsed() < delay {
            // It is written until the last moment: what is acknowledged must not be lost.
            let title = format!("{killed} {:?}", started.elapsed());
            match write(&here, &title).await.status {
                201 => _ = expected.insert(title),
                status => assert_eq!(status, 421),
            }
            ended = child.try_wait().expect("a status").is_some();
            if ended {
                break;
            }
        }
        kill(child);
        killed += u32::from(!ended);
        let title = format!("after {killed}");
        let answered = write(&here, &title).await.status;
        if answered == 201 {
            // The user lives at the source, so the target takes no write: it has either refused, or knows nothing.
            expected.insert(title);
            let refused = there
                .send(reqwest::Method::DELETE, "/api/v1/trash", None)
                .await;
            assert!([421, 204, 200].contains(&refused.status), "{refused:?}");
        } else {
            assert_eq!(answered, 421);
            break;
        }
        assert!(delay < Duration::from_mins(1), "a run ends some time");
        delay = delay * 5 / 4;
    }
    println!("killed {killed} times");
    assert!(killed > 0);
    let again = source.move_to(&target, "crowd");
    if !again.stdout.contains("moved crowd") {
        again.assert_refused("nothing is left to move");
    }
    assert_eq!(titles(&there).await, expected);
    assert_eq!(write(&there, "here").await.status, 201);
    assert_eq!(write(&here, "not here").await.status, 421);
}

/// The user has left the source, and the command is killed before the user arrives: neither store takes a write, and the
/// next run completes the move.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn user_between_stores_arrives_by_the_next_run() {
    for source in [Database::sqlite(), Database::postgres().await] {
        let target = Database::postgres().await;
        source.run_command(&["migrate", "up"]).assert_success();
        let second = Service::start(&target).await;
        add_tasks(&source, 10).await;
        let first = Service::start(&source).await;
        let (here, there) = (first.client("crowd"), second.client("crowd"));
        let mut lock = postgres(&target.url).await;
        let sql = "BEGIN; LOCK TABLE refresh_tokens IN SHARE MODE";
        lock.execute(sql).await.expect("locked");
        let child = spawn(&source, &target);
        eventually("the user has left", async || {
            (write(&here, "acknowledged").await.status == 421).then_some(())
        })
        .await;
        write(&there, "too early")
            .await
            .assert_problem(421, "USER_MOVED");
        kill(child);
        lock.execute("ROLLBACK").await.expect("done");
        lock.close().await.expect("closed");
        for client in [&here, &there] {
            write(client, "nowhere")
                .await
                .assert_problem(421, "USER_MOVED");
        }
        let printed = source.move_to(&target, "crowd").assert_success();
        assert!(!printed.contains("waited"), "{printed}");
        assert_eq!(write(&there, "here").await.status, 201);
        assert_eq!(write(&here, "not here").await.status, 421);
    }
}
