//! Jobs that one of several instances does: which one, no setting says.

use std::path::{Path, PathBuf};

use crate::service::{Database, Service, eventually};

/// A counter that has expired.
const EXPIRED: &str =
    "INSERT INTO attempts (bucket, count, since) VALUES (decode(repeat('01', 32), 'hex'), 1, 0)";

async fn expired_counters(database: &Database) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM attempts WHERE since = 0");
    let pool = sqlx::PgPool::connect(&database.url).await;
    let counted = count.fetch_one(&pool.expect("connected")).await;
    counted.expect("counted")
}

/// Returns how often an instance has asked for a lease.
async fn leases_asked(service: &Service) -> Option<u64> {
    let asked =
        r#"taskhold_store_call_duration_seconds_count{operation="leases.acquire",outcome="ok"} "#;
    let metrics = service.text("/metrics").await;
    let line = metrics.lines().find_map(|line| line.strip_prefix(asked));
    line.map(|count| count.parse().expect("a number"))
}

/// Returns who has a lease.
async fn holder(database: &Database, name: &str) -> Option<sqlx::types::Uuid> {
    let holder = sqlx::query_scalar("SELECT holder FROM locks WHERE name = $1").bind(name);
    let pool = sqlx::PgPool::connect(&database.url).await;
    let found = holder.fetch_optional(&pool.expect("connected")).await;
    found.expect("an answer")
}

fn backups(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let entries = entries.map(|entry| entry.expect("listed").path());
    entries.filter(|path| path.is_dir()).collect()
}

#[tokio::test]
async fn one_of_two_instances_does_the_housekeeping() {
    let database = Database::postgres().await;
    let first = Service::start(&database).await;
    // Once for the job, and once to keep it.
    eventually("the first instance has done its job", async || {
        leases_asked(&first).await.filter(|asked| *asked == 2)
    })
    .await;
    let before = holder(&database, "housekeeping").await;
    assert!(before.is_some());
    database.execute(EXPIRED).await;
    let second = Service::start(&database).await;
    eventually("the second instance has asked for the lease", async || {
        leases_asked(&second).await
    })
    .await;
    assert_eq!(holder(&database, "housekeeping").await, before);
    assert_eq!(expired_counters(&database).await, 1);
    assert!(first.stop().await.success());
    // The first one has released it.
    let third = Service::start(&database).await;
    eventually("the third instance does the housekeeping", async || {
        (expired_counters(&database).await == 0).then_some(())
    })
    .await;
    drop((second, third));
}

#[tokio::test]
async fn one_of_two_instances_makes_the_backups() {
    let database = Database::postgres().await;
    let folders = ["one", "two", "three"].map(|name| database.folder.path().join(name));
    let variables = folders.each_ref().map(|folder| {
        [
            ("TASKHOLD__BACKUP__EVERY_MINUTES", "60"),
            ("TASKHOLD__BACKUP__FOLDER", folder.to_str().expect("UTF-8")),
        ]
    });
    let [first, second, third] = &variables;
    let first = Service::start_with(&database, first).await;
    eventually("the first instance makes a backup", async || {
        first.log().contains("made a backup").then_some(())
    })
    .await;
    let second = Service::start_with(&database, second).await;
    eventually(
        "the second instance has asked for both leases",
        async || leases_asked(&second).await.filter(|asked| *asked == 2),
    )
    .await;
    assert_eq!(
        folders.each_ref().map(|folder| backups(folder).len()),
        [1, 0, 0]
    );
    assert!(first.stop().await.success());
    let third = Service::start_with(&database, third).await;
    eventually("the third instance makes a backup", async || {
        third.log().contains("made a backup").then_some(())
    })
    .await;
    assert_eq!(
        folders.each_ref().map(|folder| backups(folder).len()),
        [1, 0, 1]
    );
    assert!(!second.log().contains("ERROR"), "{}", second.log());
}

#[tokio::test]
async fn failed_backup_lets_another_instance_make_it() {
    let database = Database::postgres().await;
    let unusable = database.folder.path().join("file");
    std::fs::write(&unusable, "no folder").expect("written");
    let usable = database.folder.path().join("folder");
    let variables = [&unusable, &usable].map(|folder| {
        [
            ("TASKHOLD__BACKUP__EVERY_MINUTES", "60"),
            ("TASKHOLD__BACKUP__FOLDER", folder.to_str().expect("UTF-8")),
        ]
    });
    let [first, second] = &variables;
    let first = Service::start_with(&database, first).await;
    eventually("the first instance fails", async || {
        first.log().contains("no backup was made").then_some(())
    })
    .await;
    let second = Service::start_with(&database, second).await;
    eventually("the second instance makes a backup", async || {
        second.log().contains("made a backup").then_some(())
    })
    .await;
    assert_eq!(backups(&usable).len(), 1);
}
