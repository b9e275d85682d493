//! PostgreSQL, which writes down each statement with its plan.

use reqwest::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use taskhold_testkit::postgres::PostgresServer;

use super::{Asked, Observed, Planned, ask_everything, is_of_the_service, seed};
use crate::service::{Database, Service, TASKS, eventually, path};

struct Postgres {
    server: PostgresServer,
    service: Service,
    /// How much of the server's log was read.
    read: usize,
}

impl Postgres {
    async fn start() -> Self {
        let server = PostgresServer::start().expect("a server");
        let service = Service::start(&Database::at(&server.url("postgres"))).await;
        let mut admin = connected(&server.url("postgres")).await;
        let series = |last| format!("generate_series(0, {last}) AS n");
        for statement in seed(series, "gen_random_uuid()", "sha256(n::text::bytea)") {
            admin
                .execute(AssertSqlSafe(statement))
                .await
                .expect("seeded");
        }
        admin.execute("VACUUM ANALYZE").await.expect("analyzed");
        // Only who has loaded it knows its settings.
        admin.execute("LOAD 'auto_explain'").await.expect("loaded");
        for setting in [
            "session_preload_libraries = 'auto_explain'",
            "auto_explain.log_min_duration = 0",
            // What keeps the foreign keys.
            "auto_explain.log_nested_statements = on",
            "log_statement = 'all'",
        ] {
            let alter = format!("ALTER SYSTEM SET {setting}");
            admin
                .execute(AssertSqlSafe(alter))
                .await
                .expect("a setting");
        }
        admin
            .execute("SELECT pg_reload_conf()")
            .await
            .expect("reloaded");
        server.end_sessions().await;
        // The service connects anew, and knows from now on what the sessions are.
        let warm = service.client("user-1").get(TASKS).await;
        assert_eq!(warm.status, 200);
        let mut observed = Self {
            server,
            service,
            read: 0,
        };
        observed.look().await;
        observed
    }
}

async fn connected(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("connected")
}

impl Observed for Postgres {
    const BATCHES: bool = true;

    fn service(&self) -> &Service {
        &self.service
    }

    /// It is written down before the answer is given.
    async fn look(&mut self) -> Asked {
        let log = self.server.log();
        let asked = read(&log[self.read..]);
        self.read = log.len();
        asked
    }

    fn fault(Planned { statement, plan }: &Planned) -> Option<&'static str> {
        let (index_scans, conditions) = plan.lines().fold((0, 0), |(scans, conditions), line| {
            let is_scan = line.contains("Index") && line.contains("Scan");
            let is_condition = line.contains("Index Cond:");
            (
                scans + usize::from(is_scan),
                conditions + usize::from(is_condition),
            )
        });
        // A whole list may be sorted, since reading it as it lies and sorting it can be less work than
        // following the index.
        let is_in_order = ["\"tasks\".\"created_at\"", "\"created_at\""]
            .iter()
            .any(|column| statement.contains(&format!("ORDER BY {column}")));
        let is_page = is_in_order && statement.contains("LIMIT");
        if plan.contains("Seq Scan") {
            Some("it reads a whole table")
        } else if conditions < index_scans {
            Some("it reads a whole index")
        } else if is_page && plan.contains("Sort") {
            Some("it sorts what the index has in this order")
        } else {
            None
        }
    }
}

fn read(log: &str) -> Asked {
    let mut asked = Asked::default();
    for line in log.lines() {
        if let Some(text) = line.strip_prefix('\t') {
            if let Some(last) = asked.plans.last_mut() {
                if let Some(text) = text.strip_prefix("Query Text: ") {
                    last.statement.push_str(text);
                } else {
                    last.plan.push_str(text);
                    last.plan.push('\n');
                }
            }
        } else if line.contains("LOG:  duration: ") && line.ends_with("plan:") {
            asked.plans.push(Planned {
                statement: String::new(),
                plan: String::new(),
            });
        } else if let Some((_, statement)) = line
            .split_once("LOG:  execute ")
            .or_else(|| line.split_once("LOG:  statement: "))
        {
            asked.statements += usize::from(is_of_request(statement));
        }
    }
    asked
        .plans
        .retain(|planned| is_of_request(&planned.statement));
    asked
}

fn is_of_request(statement: &str) -> bool {
    !statement.starts_with("SET statement_timeout") && !is_of_the_service(statement)
}

#[tokio::test]
async fn everything_is_asked_by_an_index_and_each_task_by_one_statement() {
    let mut observed = Postgres::start().await;
    let all = ask_everything(&mut observed).await;
    let cascade = |planned: &Planned| planned.statement.contains("DELETE FROM ONLY");
    assert!(all.iter().any(cascade), "keys are seen");

    // All this can find a fault.
    let mut admin = connected(&observed.server.url("postgres")).await;
    let drop = "DROP INDEX tasks_user_id_created_at_id";
    admin.execute(drop).await.expect("dropped");
    observed.look().await;
    let client = observed.service.client("user-7");
    assert_eq!(client.get(&format!("{TASKS}?limit=20")).await.status, 200);
    let asked = observed.look().await;
    let [page] = asked.plans.as_slice() else {
        panic!("not one plan: {asked:#?}");
    };
    assert_eq!(Postgres::fault(page), Some("it reads a whole table"));
}

#[tokio::test]
async fn completing_a_task_touches_no_index() {
    let database = Database::postgres().await;
    let service = Service::start(&database).await;
    let client = service.client("anna");
    let task = path(&client.created(json!({"title": "Often"})).await);
    for _ in 0..20 {
        let answer = client
            .send(Method::PATCH, &format!("{task}/complete"), None)
            .await;
        assert_eq!(answer.status, 200);
    }
    let mut admin = connected(&database.url).await;
    let counts = eventually("the server counts them", async || {
        let counts: (i64, i64) = sqlx::query_as(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'tasks'",
        )
        .fetch_one(&mut admin)
        .await
        .expect("counts");
        (counts.0 >= 20).then_some(counts)
    })
    .await;
    assert_eq!(counts.0, counts.1, "every update was made in place");
    let indexes: Vec<String> =
        sqlx::query_scalar("SELECT indexdef FROM pg_indexes WHERE tablename = 'tasks'")
            .fetch_all(&mut admin)
            .await
            .expect("indexes");
    assert_eq!(indexes.len(), 2, "{indexes:?}");
    for column in ["is_completed", "updated_at", "version"] {
        let named = indexes.iter().find(|index| index.contains(column));
        assert_eq!(named, None, "{column}");
    }
}
