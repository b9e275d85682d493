//! SQLite, whose statements the service logs. They are explained afterwards: the service never gathers
//! statistics, so a plan depends on the schema alone.

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _, SqliteConnection};

use super::{
    Observed, PlannedStatement, StatementLog, check_all_requests, is_background,
    problem_of_merged_list, seed,
};
use crate::service::{Database, Service, TASKS, eventually};

struct Sqlite {
    connection: SqliteConnection,
    service: Service,
    /// The number of bytes of the service's log read so far.
    read: usize,
}

/// The first words of statements that prepare a connection or delimit a transaction.
const OVERHEAD: [&str; 5] = ["PRAGMA", "BEGIN", "RELEASE", "ROLLBACK", "COMMIT"];

impl Sqlite {
    async fn start(database: &Database) -> Self {
        let log = [
            ("TASKHOLD__LOG__FORMAT", "json"),
            ("TASKHOLD__LOG__FILTER", "info,sqlx::query=trace"),
        ];
        let service = Service::start_with(database, &log).await;
        let mut connection = SqliteConnection::connect(&database.url)
            .await
            .expect("connected");
        let series = |last| {
            format!(
                "(WITH RECURSIVE series(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM series WHERE n < {last})
                  SELECT n FROM series)"
            )
        };
        connection
            .execute("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE")
            .await
            .expect("begun");
        for statement in seed(series, "randomblob(16)", "randomblob(32)") {
            connection
                .execute(AssertSqlSafe(statement))
                .await
                .expect("seeded");
        }
        connection.execute("COMMIT").await.expect("seeded");
        // Skip the statements that created the tables.
        let read = service.log().len();
        Self {
            connection,
            service,
            read,
        }
    }

    /// Returns the plan of a statement, or of several that are sent at once.
    async fn plan(&mut self, statement: &str) -> String {
        let mut plan = String::new();
        for statement in statement.split("; ") {
            let explain = format!("EXPLAIN QUERY PLAN {statement}");
            let rows = sqlx::query(AssertSqlSafe(explain))
                .fetch_all(&mut self.connection)
                .await
                .expect("a plan");
            plan.extend(rows.iter().map(|row| row.get::<String, _>("detail") + "\n"));
        }
        plan
    }
}

impl Observed for Sqlite {
    const BATCHES: bool = false;

    fn service(&self) -> &Service {
        &self.service
    }

    /// A statement can be logged a moment after its request is answered.
    async fn new_statements(&mut self) -> StatementLog {
        let log = self.service.log();
        let new = log[self.read..].lines();
        let statements: Vec<_> = new.filter_map(statement).collect();
        self.read = log.len();
        let mut statements_log = StatementLog {
            statements: statements.clone(),
            ..StatementLog::default()
        };
        for statement in statements {
            let plan = self.plan(&statement).await;
            statements_log
                .plans
                .push(PlannedStatement { statement, plan });
        }
        statements_log
    }

    fn problem(planned: &PlannedStatement) -> Option<&'static str> {
        let PlannedStatement { statement, plan } = planned;
        // A batch reads the constant rows of its requests, and a write those of its planned changes; a subquery, the
        // rows that it has found.
        let reads_all = |line: &str| {
            line.starts_with("SCAN ")
                && !line.contains("CONSTANT ROW")
                && !line.starts_with("SCAN (subquery")
                // The tasks that a batch adds are a value.
                && !line.starts_with("SCAN new VIRTUAL TABLE")
                && ![
                    "SCAN request",
                    "SCAN numbered",
                    "SCAN planned",
                    "SCAN latest LEFT-JOIN",
                    "SCAN dates",
                    "SCAN times",
                    "SCAN rest",
                    "SCAN never",
                    "SCAN moved",
                    "SCAN merged",
                ]
                .contains(&line)
        };
        // The tasks that are due on some days may be found by that, and sorted.
        let is_in_order = statement.contains("FROM \"tasks\"")
            && statement.contains("ORDER BY \"created_at\"")
            && !statement.contains("\"due_date\" BETWEEN");
        if plan.lines().any(reads_all) {
            Some("it reads a whole table")
        } else if is_in_order && plan.contains("TEMP B-TREE") {
            Some("it sorts what the index has in this order")
        } else if statement.replace(" LIMIT ? + 0", "").contains(" LIMIT ?") {
            Some("it is planned anew for each limit")
        } else {
            problem_of_merged_list(planned)
        }
    }
}

/// Returns the statement of a request in a line of the log, if the line has one.
fn statement(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    if line["target"] != "sqlx::query" {
        return None;
    }
    // A short statement is logged as its summary only.
    let whole = line["db.statement"]
        .as_str()
        .filter(|text| !text.is_empty());
    let statement = whole.or(line["summary"].as_str())?.trim();
    let is_of_request =
        !OVERHEAD.iter().any(|word| statement.starts_with(word)) && !is_background(statement);
    is_of_request.then(|| statement.to_owned())
}

#[tokio::test]
async fn requests_use_indexes_and_the_expected_number_of_statements() {
    let database = Database::sqlite();
    let mut observed = Sqlite::start(&database).await;
    check_all_requests(&mut observed).await;

    // Plans do not show cascading deletes, so every foreign key must have an index.
    let unindexed: Vec<String> = sqlx::query_scalar(
        "SELECT m.name FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS f
         WHERE m.type = 'table' AND NOT EXISTS (
             SELECT 1 FROM pragma_index_list(m.name) AS l JOIN pragma_index_info(l.name) AS i
             WHERE i.seqno = 0 AND i.name = f.\"from\")",
    )
    .fetch_all(&mut observed.connection)
    .await
    .expect("keys");
    assert_eq!(unindexed, [""; 0]);

    // Without the index, the same check must find a problem.
    let drop = "DROP INDEX tasks_user_id_created_at_id";
    observed.connection.execute(drop).await.expect("dropped");
    let client = observed.service.client("user-7");
    assert_eq!(client.get(&format!("{TASKS}?limit=20")).await.status, 200);
    let list = eventually("the statement is logged", async || {
        let plans = observed.new_statements().await.plans;
        let is_list = |planned: &PlannedStatement| planned.statement.contains("FROM \"tasks\"");
        plans.into_iter().find(is_list)
    })
    .await;
    assert_eq!(Sqlite::problem(&list), Some("it reads a whole table"));
}
