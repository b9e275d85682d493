//! Moves that are given up, and targets that are lost: the lines of docs/operations/move-a-user.md.

use sqlx::{Connection as _, Executor as _};

use super::killed::{has_row, kill, spawn};
use super::write;
use crate::backup::contents::{add_tasks, postgres};
use crate::service::{Database, Service, TASKS, eventually};

on_both_stores! {
    user_of_a_lost_target_is_taken_back
    move_that_is_given_up_leaves_no_trace_at_the_target
}

const PAGE: &str = include_str!("../../../docs/operations/move-a-user.md");

/// Returns the block of SQL of the page with this line, for the user `crowd`.
fn sql(line: &str) -> String {
    let mut blocks = PAGE.split("```sql\n").skip(1);
    let block = blocks.find_map(|rest| {
        let block = rest.split("```").next()?;
        block.lines().any(|each| each == line).then_some(block)
    });
    block.expect(line).replace("'ID'", "'crowd'")
}

async fn user_of_a_lost_target_is_taken_back(source: Database) {
    let targets = [Database::sqlite(), Database::sqlite()];
    for database in [&source, &targets[0], &targets[1]] {
        database.run_command(&["migrate", "up"]).assert_success();
    }
    add_tasks(&source, 10).await;
    let service = Service::start(&source).await;
    let client = service.client("crowd");
    assert_eq!(write(&client, "here").await.status, 201);
    let feed = client.get("/api/v1/changes").await;
    let cursor = feed.body["cursor"].as_str().expect("a cursor");
    source.move_to(&targets[0], "crowd").assert_success();
    write(&client, "not here")
        .await
        .assert_problem(421, "USER_MOVED");

    source.execute(&sql("COMMIT;")).await;
    eventually("the user is back", async || {
        (client.get(TASKS).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(write(&client, "here again").await.status, 201);
    assert_eq!(client.tasks().await.len(), 12);
    let changes = format!("/api/v1/changes?cursor={cursor}");
    assert_eq!(client.get(&changes).await.status, 410, "it starts over");

    // The next move knows nothing of the lost target.
    source.move_to(&targets[1], "crowd").assert_success();
    let second = Service::start(&targets[1]).await;
    assert_eq!(second.client("crowd").tasks().await.len(), 12);
}

async fn move_that_is_given_up_leaves_no_trace_at_the_target(source: Database) {
    let target = Database::postgres().await;
    for database in [&source, &target] {
        database.run_command(&["migrate", "up"]).assert_success();
    }
    add_tasks(&source, 10).await;
    let service = Service::start(&source).await;
    let client = service.client("crowd");
    let mut lock = postgres(&target.url).await;
    let sql_of_lock = "BEGIN; LOCK TABLE tasks IN SHARE MODE";
    lock.execute(sql_of_lock).await.expect("locked");
    let child = spawn(&source, &target);
    eventually("the target has the user", async || {
        has_row(&target).await.then_some(())
    })
    .await;
    kill(child, &source).await;
    lock.execute("ROLLBACK").await.expect("done");
    lock.close().await.expect("closed");

    let epoch = "SELECT epoch FROM feeds WHERE user_id = 'ID';";
    assert!(source.number(&sql(epoch)).await > 0, "it lives here");
    let delete = ["user", "delete", "crowd", "--yes"];
    target.run_command(&delete).assert_success();
    assert!(!has_row(&target).await);
    assert_eq!(write(&client, "here").await.status, 201);
    source.move_to(&target, "crowd").assert_success();
    let second = Service::start(&target).await;
    assert_eq!(second.client("crowd").tasks().await.len(), 11);
}
