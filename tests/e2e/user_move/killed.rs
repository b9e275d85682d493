//! Moves that are killed, and run again.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, Executor as _};

use super::write;
use crate::backup::contents::{add_tasks, postgres};
use crate::backup::{CommandOutcome, without_output};
use crate::service::{Client, Database, Service, eventually};

on_all_pairs! {
    killed_move_leaves_one_store_and_goes_on
    one_of_two_runs_at_once_moves_the_user
}

/// Enough for the copy to be killed during it.
const MANY: u32 = 3_000;

fn command(source: &Database, target: &Database) -> Command {
    let mut command = source.command(&["copy", "--user", "crowd", "--at-once"]);
    command.env("TO_DATABASE_URL", &target.url);
    without_output(command)
}

pub fn spawn(source: &Database, target: &Database) -> Child {
    command(source, target).spawn().expect("it starts")
}

/// Kills a run, and ends its hold, which the next run would wait for.
pub async fn kill(mut child: Child, source: &Database) {
    child.kill().expect("killed");
    child.wait().expect("ended");
    let hold = "DELETE FROM locks WHERE name = 'move crowd'";
    source.execute(hold).await;
}

/// Returns whether a store has a row of the user.
pub async fn has_row(database: &Database) -> bool {
    let rows = "SELECT count(*) FROM users WHERE id = 'crowd'";
    database.number(rows).await > 0
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
    // Each run is killed later than the one before, until one completes: nobody knows how long a run takes.
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
        kill(child, &source).await;
        killed += u32::from(!ended);
        let title = format!("after {killed}");
        let answered = write(&here, &title).await.status;
        if answered == 201 {
            expected.insert(title);
            // The user lives at the source, so the target takes no write if it knows the user.
            if has_row(&target).await {
                write(&there, "at the wrong store")
                    .await
                    .assert_problem(421, "USER_MOVED");
            }
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

/// Two runs of one move at once: one moves the user, the other is refused and spoils nothing.
async fn one_of_two_runs_at_once_moves_the_user(source: Database, target: Database) {
    source.run_command(&["migrate", "up"]).assert_success();
    let second = Service::start(&target).await;
    add_tasks(&source, MANY).await;
    let first = Service::start(&source).await;
    let (here, there) = (first.client("crowd"), second.client("crowd"));
    let runs = [(), ()].map(|()| {
        let mut run = source.command(&["copy", "--user", "crowd", "--at-once"]);
        run.env("TO_DATABASE_URL", &target.url)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        run.spawn().expect("it starts")
    });
    let ended = tokio::task::spawn_blocking(|| {
        runs.map(|run| CommandOutcome::of(&run.wait_with_output().expect("it ended")))
    });
    let mut expected: BTreeSet<_> = (1..=MANY).map(|number| format!("task {number}")).collect();
    while !ended.is_finished() {
        let title = format!("during {}", expected.len());
        match write(&here, &title).await.status {
            201 => _ = expected.insert(title),
            status => assert_eq!(status, 421),
        }
    }
    let ended = ended.await.expect("ended");
    let (moved, refused): (Vec<_>, Vec<_>) = ended.into_iter().partition(|run| run.code == Some(0));
    assert_eq!(moved.len(), 1, "{moved:?} {refused:?}");
    for run in &refused {
        let why = ["another run of this command moves", "nothing is left"];
        assert!(why.iter().any(|why| run.stderr.contains(why)), "{run:?}");
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
        kill(child, &source).await;
        lock.execute("ROLLBACK").await.expect("done");
        lock.close().await.expect("closed");
        // A change of the account before its arrival would be overwritten.
        target
            .run_command(&["user", "deactivate", "crowd"])
            .assert_refused("the user was moved to another store");
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
