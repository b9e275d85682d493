//! Reads at a replica that lags behind, is away, or is another database.

mod history;

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use taskhold_testkit::postgres::PostgresServer;

use crate::load::Load;
use crate::service::{Answer, Client, Database, Service, eventually, path, run};

const READ_URL: &str = "TASKHOLD__DATABASE__READ_URL";

/// A primary with a replica, and an instance that uses both.
pub struct Setup {
    primary: PostgresServer,
    pub replica: PostgresServer,
    database: Database,
    pub service: Service,
}

impl Setup {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts the instance with further settings.
    async fn start_with(variables: &[(&str, &str)]) -> Self {
        let primary = PostgresServer::start().expect("a server");
        let replica = primary.standby().expect("a standby");
        let database = Database::at(&primary.url("postgres"));
        let read_url = replica.url("postgres");
        let variables = [&[(READ_URL, read_url.as_str())], variables].concat();
        let service = Service::start_with(&database, &variables).await;
        let setup = Self {
            primary,
            replica,
            database,
            service,
        };
        setup.wait_until_in_use(true).await;
        setup
    }

    /// Starts an instance without a replica.
    pub async fn another_instance(&self) -> Service {
        Service::start(&self.database).await
    }

    async fn wait_until_in_use(&self, is_in_use: bool) {
        let expected = f64::from(u8::from(is_in_use));
        eventually("the replica is used, or passed over", async || {
            let in_use = metric(&self.service, "taskhold_replica_in_use ").await;
            (in_use == Some(expected)).then_some(())
        })
        .await;
    }

    /// Returns how many reads had this outcome.
    pub async fn reads(&self, outcome: &str) -> f64 {
        let name = format!("taskhold_replica_reads_total{{outcome=\"{outcome}\"}} ");
        metric(&self.service, &name).await.unwrap_or_default()
    }
}

async fn metric(service: &Service, name: &str) -> Option<f64> {
    let metrics = service.text("/metrics").await;
    let value = metrics.lines().find_map(|line| line.strip_prefix(name));
    value.map(|value| value.parse().expect("a number"))
}

/// Returns the tasks' titles, newest first, as an instance answers to a request with this `Change-Seq`.
async fn titles(client: &Client, seq: Option<&str>) -> Vec<String> {
    let request = client.request(Method::GET, "/api/v1/tasks");
    let request = match seq {
        Some(seq) => request.header("change-seq", seq),
        None => request,
    };
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let tasks = answer.body["tasks"].as_array().expect("a list");
    let titles = tasks.iter().map(|task| task["title"].as_str());
    titles
        .map(|title| title.expect("a title").to_owned())
        .collect()
}

async fn create(client: &Client, title: &str) -> Answer {
    let created = client.post("/api/v1/tasks", json!({"title": title})).await;
    assert_eq!(created.status, 201, "{created:?}");
    created
}

#[tokio::test]
async fn replica_answers_reads_and_never_hides_own_writes() {
    let setup = Setup::start().await;
    let anna = setup.service.client("anna");
    create(&anna, "first").await;
    eventually("the replica has the task, and answers", async || {
        assert_eq!(titles(&anna, None).await, ["first"]);
        (setup.reads("answered").await > 0.0).then_some(())
    })
    .await;

    setup.replica.pause_replay().await;
    // Written at this instance.
    let second = create(&anna, "second").await;
    assert_eq!(titles(&anna, None).await, ["second", "first"]);
    let found = anna.get(&path(&second.body["task"])).await;
    assert_eq!(found.status, 200, "{found:?}");
    let stats = anna.get("/api/v1/tasks/stats").await;
    assert_eq!(stats.body["total"], 2, "{stats:?}");
    assert!(setup.reads("stale").await >= 3.0);

    // Written elsewhere: the replica does not have it yet, unless the request names it.
    let another = setup.another_instance().await;
    let (berta, elsewhere) = (setup.service.client("berta"), another.client("berta"));
    let third = create(&elsewhere, "third").await;
    assert_eq!(titles(&elsewhere, None).await, ["third"]);
    assert_eq!(titles(&berta, None).await, [] as [&str; 0]);
    let seq = third.header("change-seq");
    assert_eq!(titles(&berta, Some(seq)).await, ["third"]);

    setup.replica.resume_replay().await;
    let stale = setup.reads("stale").await;
    let answered = setup.reads("answered").await;
    eventually("the replica answers what names a change", async || {
        assert_eq!(titles(&berta, Some(seq)).await, ["third"]);
        (setup.reads("answered").await > answered).then_some(())
    })
    .await;
    assert!(stale >= 4.0, "{stale}");
}

#[tokio::test]
async fn feed_is_complete_although_the_replica_lags_behind() {
    let setup = Setup::start().await;
    let anna = setup.service.client("anna");
    create(&anna, "before").await;
    eventually("the replica answers", async || {
        titles(&anna, None).await;
        (setup.reads("answered").await > 0.0).then_some(())
    })
    .await;
    setup.replica.pause_replay().await;
    let another = setup.another_instance().await;
    let elsewhere = another.client("anna");
    create(&elsewhere, "meanwhile").await;

    // A cursor of the primary is not unknown to the replica.
    let first = elsewhere.get("/api/v1/changes").await;
    let cursor = first.body["cursor"].as_str().expect("a cursor");
    let later = create(&elsewhere, "later").await;
    let next = anna.get(&format!("/api/v1/changes?cursor={cursor}")).await;
    assert_eq!(next.status, 200, "{next:?}");

    // A snapshot that begins at the primary goes on with what was there.
    let begun = elsewhere.get("/api/v1/changes?limit=1").await;
    assert_eq!(begun.body["has_more"], true, "{begun:?}");
    let (mut cursor, mut seen) = (begun.body["cursor"].clone(), 1);
    loop {
        let cursor_text = cursor.as_str().expect("a cursor");
        let page = anna
            .get(&format!("/api/v1/changes?limit=1&cursor={cursor_text}"))
            .await;
        assert_eq!(page.status, 200, "{page:?}");
        seen += page.body["changed"].as_array().expect("tasks").len();
        cursor = page.body["cursor"].clone();
        if page.body["has_more"] == false {
            break;
        }
    }
    assert_eq!(seen, 3, "before, meanwhile and later");
    assert_eq!(later.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replica_that_is_away_costs_no_request() {
    let setup = Setup::start().await;
    let load = Load::start(&setup.service.url, 8);
    load.wait_for_progress(100).await;
    for round in 0..2 {
        // Frozen, it answers nothing; killed, it refuses connections.
        if round == 0 {
            setup.replica.freeze();
        } else {
            setup.replica.kill();
        }
        setup.wait_until_in_use(false).await;
        load.wait_for_progress(200).await;
        if round == 0 {
            setup.replica.thaw();
        } else {
            setup.replica.restart();
        }
        setup.wait_until_in_use(true).await;
        load.wait_for_progress(200).await;
    }
    let (_, slowest) = load.finish(&setup.service).await;
    println!("slowest request: {slowest:?}");
    // Twice what a replica may take, on a loaded machine.
    assert!(slowest < Duration::from_secs(8), "{slowest:?}");
    assert!(setup.reads("answered").await > 0.0);
}

#[tokio::test]
async fn replica_that_lags_far_behind_is_passed_over() {
    let setup = Setup::start().await;
    let anna = setup.service.client("anna");
    setup.replica.pause_replay().await;
    create(&anna, "a task").await;
    setup.wait_until_in_use(false).await;
    // Nor is what others wrote hidden for longer.
    let another = setup.another_instance().await;
    create(&another.client("berta"), "another").await;
    assert_eq!(
        titles(&setup.service.client("berta"), None).await,
        ["another"]
    );
    assert!(setup.reads("passed_over").await >= 1.0);
    // The changes of a deleted user are not waited for.
    setup.database.execute("DELETE FROM users").await;
    setup.replica.resume_replay().await;
    setup.wait_until_in_use(true).await;
}

/// Nobody knows how far it lags behind, so it is checked before it answers again.
#[tokio::test]
async fn replica_that_nobody_asked_for_long_is_checked_first() {
    let filter = "info,taskhold_infrastructure=debug";
    let setup = Setup::start_with(&[("TASKHOLD__LOG__FILTER", filter)]).await;
    let anna = setup.service.client("anna");
    create(&anna, "first").await;
    let until_answered = async || {
        let before = setup.reads("answered").await;
        eventually("the replica answers", async || {
            titles(&anna, None).await;
            (setup.reads("answered").await > before).then_some(())
        })
        .await;
    };
    until_answered().await;
    eventually("nobody asks it any more", async || {
        let log = setup.service.log();
        log.contains("nobody asks the read replica").then_some(())
    })
    .await;
    setup.replica.pause_replay().await;
    let another = setup.another_instance().await;
    create(&another.client("anna"), "second").await;
    assert_eq!(titles(&anna, None).await, ["second", "first"]);
    setup.replica.resume_replay().await;
    until_answered().await;
    assert_eq!(
        metric(&setup.service, "taskhold_replica_in_use ").await,
        Some(1.0)
    );
}

#[tokio::test]
async fn replica_that_lags_at_the_start_is_not_used() {
    let setup = Setup::start().await;
    let first = &setup.service;
    create(&first.client("anna"), "first").await;
    setup.replica.pause_replay().await;
    create(&first.client("anna"), "second").await;
    // It knows nothing of what was written before its start.
    let read_url = setup.replica.url("postgres");
    let service = Service::start_with(&setup.database, &[(READ_URL, &read_url)]).await;
    let marks =
        r#"taskhold_store_call_duration_seconds_count{operation="replica.mark",outcome="ok"} "#;
    eventually("the instance waits for what it has written", async || {
        metric(&service, marks).await
    })
    .await;
    assert_eq!(
        titles(&service.client("anna"), None).await,
        ["second", "first"]
    );
    assert_eq!(
        metric(&service, "taskhold_replica_in_use ").await,
        Some(0.0)
    );
    setup.replica.resume_replay().await;
    eventually("the replica is used", async || {
        let in_use = metric(&service, "taskhold_replica_in_use ").await;
        (in_use == Some(1.0)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn service_starts_and_serves_while_the_replica_is_away() {
    let primary = PostgresServer::start().expect("a server");
    let replica = primary.standby().expect("a standby");
    let (database, read_url) = (
        Database::at(&primary.url("postgres")),
        replica.url("postgres"),
    );
    replica.stop();
    let service = Service::start_with(&database, &[(READ_URL, &read_url)]).await;
    create(&service.client("anna"), "a task").await;
    assert_eq!(titles(&service.client("anna"), None).await, ["a task"]);
    eventually("the log tells of it", async || {
        let log = service.log();
        log.contains("the read replica is not used").then_some(())
    })
    .await;
    let setup = Setup {
        primary,
        replica,
        database,
        service,
    };
    setup.replica.restart();
    setup.wait_until_in_use(true).await;
    drop(setup.primary);
}

#[tokio::test]
async fn another_database_is_not_used_as_a_replica() {
    let (database, other) = (Database::postgres().await, Database::postgres().await);
    let migrated = run(
        other.folder.path(),
        &[("DATABASE_URL", &other.url)],
        &["migrate", "up"],
    );
    assert!(migrated.status.success(), "{migrated:?}");
    // Databases that were created in the same second could be copies.
    other
        .execute("UPDATE seaql_migrations SET applied_at = applied_at - 60")
        .await;
    let stranger = Service::start(&other).await;
    create(&stranger.client("anna"), "a task of the other database").await;
    let service = Service::start_with(&database, &[(READ_URL, &other.url)]).await;
    eventually("the log says why", async || {
        let log = service.log();
        log.contains("leads to another database").then_some(())
    })
    .await;
    assert_eq!(titles(&service.client("anna"), None).await, [] as [&str; 0]);
}

#[tokio::test]
async fn file_has_no_replica() {
    let database = Database::sqlite();
    for (url, read_url) in [
        (database.url.as_str(), "postgres://127.0.0.1/replica"),
        ("postgres://127.0.0.1/primary", database.url.as_str()),
        ("postgres://127.0.0.1/primary", "http://127.0.0.1/"),
    ] {
        let variables = [("DATABASE_URL", url), (READ_URL, read_url)];
        let output = run(database.folder.path(), &variables, &["serve"]);
        let printed = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{printed}");
        assert!(printed.contains("database.read_url"), "{printed}");
    }
}

#[tokio::test]
async fn malformed_change_seq_returns_400() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let anna = service.client("anna");
    create(&anna, "a task").await;
    for malformed in ["", "x", "-1", "+1", "1.0", "9223372036854775808"] {
        let request = anna.request(Method::GET, "/api/v1/tasks");
        let answer = Answer::of(request.header("change-seq", malformed)).await;
        assert_eq!(answer.status, 400, "{malformed}: {answer:?}");
        assert!(answer.body.to_string().contains("Change-Seq"), "{answer:?}");
    }
    for seq in ["0", "1", "9223372036854775807"] {
        assert_eq!(titles(&anna, Some(seq)).await, ["a task"], "{seq}");
    }
}
