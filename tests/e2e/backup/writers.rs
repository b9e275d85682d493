//! A backup under load is a consistent snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::json;

use super::contents::{contents, count};
use super::{manifest, text};
use crate::service::{Client, Database, Service, eventually};

on_both_stores! {
    backup_under_sixteen_writers_is_a_consistent_snapshot
}

const WRITERS: usize = 16;
const BACKUPS: usize = 3;

/// A writer that creates tasks of two users alternately, each after the previous one was
/// acknowledged. At any moment the first user has as many tasks as the second, or one more.
struct Writer {
    users: [String; 2],
    /// The number of acknowledged tasks of both users.
    acknowledged: AtomicUsize,
}

impl Writer {
    async fn write(&self, clients: [Client; 2], stop: &AtomicBool) {
        while !stop.load(Ordering::SeqCst) {
            let written = self.acknowledged.load(Ordering::SeqCst);
            let title = format!("{}", written / 2);
            clients[written % 2].create(json!({"title": title})).await;
            self.acknowledged.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::SeqCst)
    }
}

async fn backup_under_sixteen_writers_is_a_consistent_snapshot(database: Database) {
    let service = Service::start(&database).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Arc<[Writer]> = (0..WRITERS)
        .map(|number| Writer {
            users: [format!("first-{number}"), format!("second-{number}")],
            acknowledged: AtomicUsize::new(0),
        })
        .collect();
    let tasks: Vec<_> = (0..WRITERS)
        .map(|index| {
            let (writers, stop) = (Arc::clone(&writers), Arc::clone(&stop));
            let clients = writers[index]
                .users
                .each_ref()
                .map(|user| service.client(user));
            tokio::spawn(async move { writers[index].write(clients, &stop).await })
        })
        .collect();
    let counts = || writers.iter().map(Writer::acknowledged).collect::<Vec<_>>();

    let mut backups = Vec::new();
    for _ in 0..BACKUPS {
        let before = counts();
        eventually("every writer goes on", async || {
            let grown = before
                .iter()
                .zip(counts())
                .all(|(before, now)| now > before + 2);
            grown.then_some(())
        })
        .await;
        let before = counts();
        let mut command = database.command(&["backup"]);
        let output = tokio::task::spawn_blocking(move || command.output().expect("it runs"));
        let printed = super::CommandOutcome::of(&output.await.expect("no panic")).assert_success();
        // Each writer may have written one more task that is not acknowledged yet.
        let after: Vec<_> = counts().iter().map(|count| count + 1).collect();
        let path = database
            .folder
            .path()
            .join(printed.lines().next().expect("a path"));
        backups.push((path, before, after));
    }
    stop.store(true, Ordering::SeqCst);
    join_all(tasks)
        .await
        .into_iter()
        .for_each(|writer| writer.expect("no refusal"));
    assert!(service.stop().await.success());

    for (backup, before, after) in backups {
        let target = database.another().await;
        // With the live store, tokens issued before the restore stay valid.
        let live = [("LIVE_DATABASE_URL", database.url.as_str())];
        target
            .run_command_with(&live, &["restore", text(&backup)])
            .assert_success();
        let restored = contents(&target).await;
        let manifest = manifest(&backup);
        for table in ["users", "tasks"] {
            assert_eq!(count(&restored, table) as u64, manifest.rows(table));
        }
        let service = Service::start(&target).await;
        let mut meanwhile = 0;
        let mut total = 0;
        for (index, writer) in writers.iter().enumerate() {
            let mut held = BTreeMap::new();
            for user in &writer.users {
                let tasks = service.client(user).tasks().await;
                let titles: Vec<_> = tasks
                    .iter()
                    .rev()
                    .map(|task| task["title"].clone())
                    .collect();
                let chain: Vec<_> = (0..tasks.len()).map(|n| json!(n.to_string())).collect();
                assert_eq!(titles, chain, "the first of {user}'s, without a gap");
                held.insert(user, tasks.len());
            }
            let [first, second] = writer.users.each_ref().map(|user| held[user]);
            assert!(
                first == second || first == second + 1,
                "{first} and {second}"
            );
            let both = first + second;
            assert!(
                before[index] <= both,
                "{both} of {} acknowledged",
                before[index]
            );
            assert!(both <= after[index], "{both} of at most {}", after[index]);
            meanwhile += after[index] - 1 - before[index];
            total += both;
        }
        assert_eq!(total as u64, manifest.rows("tasks"));
        println!("{total} tasks; {meanwhile} were acknowledged while the backup was made");
        assert!(meanwhile > 0, "nobody wrote");
    }
}
