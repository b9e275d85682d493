//! PostgreSQL, which logs each statement with its plan.

use reqwest::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use taskhold_testkit::postgres::PostgresServer;

use super::{
    Observed, PlannedStatement, StatementLog, check_all_requests, is_background,
    problem_of_merged_list, seed,
};
use crate::service::{Database, Service, TASKS, eventually, path};

struct Postgres {
    server: PostgresServer,
    service: Service,
    /// The number of bytes of the server's log read so far.
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
        // The settings exist only in a session that has loaded the module.
        admin.execute("LOAD 'auto_explain'").await.expect("loaded");
        for setting in [
            "session_preload_libraries = 'auto_explain'",
            "auto_explain.log_min_duration = 0",
            // The statements that enforce foreign keys are nested.
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
        // The service reconnects, and prepares its sessions outside of the measured requests.
        let warm = service.client("user-1").get(TASKS).await;
        assert_eq!(warm.status, 200);
        let mut observed = Self {
            server,
            service,
            read: 0,
        };
        observed.new_statements().await;
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

    /// PostgreSQL logs a statement before it returns the result.
    async fn new_statements(&mut self) -> StatementLog {
        let log = self.server.log();
        let statements_log = read(&log[self.read..]);
        self.read = log.len();
        statements_log
    }

    fn problem(planned: &PlannedStatement) -> Option<&'static str> {
        let PlannedStatement { statement, plan } = planned;
        // The table of migrations has a few rows.
        let plan = plan.replace("Seq Scan on seaql_migrations", "");
        let (index_scans, conditions) = plan.lines().fold((0, 0), |(scans, conditions), line| {
            let is_scan = line.contains("Index") && line.contains("Scan");
            let is_condition = line.contains("Index Cond:");
            (
                scans + usize::from(is_scan),
                conditions + usize::from(is_condition),
            )
        });
        // Sorting is allowed for a whole list, where it can be cheaper than following the index.
        let is_in_order = ["\"tasks\".\"created_at\"", "\"created_at\""]
            .iter()
            .any(|column| statement.contains(&format!("ORDER BY {column}")));
        // The few sessions of a user may be sorted.
        let is_of_sessions = statement.contains("\"refresh_tokens\"");
        // Few tasks are due on some days: they may be found by that, and sorted.
        let is_of_days = statement.contains("\"due_date\" BETWEEN");
        let is_page = is_in_order && statement.contains("LIMIT") && !is_of_sessions && !is_of_days;
        if plan.contains("Seq Scan") {
            Some("it reads a whole table")
        } else if conditions < index_scans {
            Some("it reads a whole index")
        } else if is_page && plan.contains("Sort") {
            Some("it sorts what the index has in this order")
        } else {
            problem_of_merged_list(planned)
        }
    }
}

fn read(log: &str) -> StatementLog {
    let mut statements_log = StatementLog::default();
    for line in log.lines() {
        if let Some(text) = line.strip_prefix('\t') {
            if let Some(last) = statements_log.plans.last_mut() {
                if let Some(text) = text.strip_prefix("Query Text: ") {
                    last.statement.push_str(text);
                } else {
                    last.plan.push_str(text);
                    last.plan.push('\n');
                }
            }
        } else if line.contains("LOG:  duration: ") && line.ends_with("plan:") {
            statements_log.plans.push(PlannedStatement {
                statement: String::new(),
                plan: String::new(),
            });
        } else if let Some(statement) = executed(line)
            && is_of_request(statement)
        {
            statements_log.statements.push(statement.to_owned());
        }
    }
    statements_log
        .plans
        .retain(|planned| is_of_request(&planned.statement));
    statements_log
}

/// Returns the statement that a line of the log says was executed. A prepared one stands behind its name.
fn executed(line: &str) -> Option<&str> {
    let prepared = line.split_once("LOG:  execute ");
    let statement = prepared.and_then(|(_, named)| named.split_once(": "));
    let (_, statement) = statement.or_else(|| line.split_once("LOG:  statement: "))?;
    Some(statement)
}

fn is_of_request(statement: &str) -> bool {
    !statement.starts_with("SET statement_timeout") && !is_background(statement)
}

#[tokio::test]
async fn requests_use_indexes_and_the_expected_number_of_statements() {
    let mut observed = Postgres::start().await;
    let all = check_all_requests(&mut observed).await;
    let cascade = |planned: &PlannedStatement| planned.statement.contains("DELETE FROM ONLY");
    assert!(all.iter().any(cascade), "cascading deletes are logged");

    // Without the index, the same check must find a problem.
    let mut admin = connected(&observed.server.url("postgres")).await;
    let drop = "DROP INDEX tasks_user_id_created_at_id";
    admin.execute(drop).await.expect("dropped");
    observed.new_statements().await;
    let client = observed.service.client("user-7");
    assert_eq!(client.get(&format!("{TASKS}?limit=20")).await.status, 200);
    let statements_log = observed.new_statements().await;
    let [page] = statements_log.plans.as_slice() else {
        panic!("not one plan: {statements_log:#?}");
    };
    assert_eq!(Postgres::problem(page), Some("it reads a whole table"));
}

#[tokio::test]
async fn completing_a_task_updates_no_index() {
    let database = Database::postgres().await;
    let service = Service::start(&database).await;
    let client = service.client("anna");
    let often = json!({"title": "Often", "due": "2026-12-01T09:00:00Z", "tags": ["home"]});
    let task = path(&client.create(often).await);
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
    assert_eq!(indexes.len(), 5, "{indexes:?}");
    for column in [
        "is_completed",
        "completed_at",
        "details",
        "updated_at",
        "version",
    ] {
        let named = indexes.iter().find(|index| index.contains(column));
        assert_eq!(named, None, "{column}");
    }
}
