//! What the endpoints ask of PostgreSQL: how many statements, and by which plans. A statement too many
//! or a plan that reads a whole table fails here, not at a user's.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection};
use taskhold_testkit::postgres::PostgresServer;

use crate::service::{Client, Database, Service, TASKS, path};

/// 200 users with 1,000 tasks each, and one with 10,000.
const SEED: &str = "
    INSERT INTO users (id, is_active, created_at, updated_at)
    SELECT 'user-' || u, true, 0, 0 FROM generate_series(0, 200) AS u;
    INSERT INTO tasks (id, user_id, title, description, title_folded, description_folded,
                       is_completed, version, created_at, updated_at)
    SELECT gen_random_uuid(), 'user-' || least(n / 1000, 200), 'Task ' || n, '', 'task ' || n, '',
           n % 4 = 0, 1, n, n
    FROM generate_series(0, 209999) AS n;
    VACUUM ANALYZE;";

/// A statement that was run, and how.
#[derive(Debug)]
struct Planned {
    statement: String,
    plan: String,
}

/// A server that writes down each statement with its plan, and a service with tasks on it.
struct Observed {
    server: PostgresServer,
    service: Service,
}

impl Observed {
    async fn start() -> Self {
        let server = PostgresServer::start().expect("a server");
        let database = Database::at(&server.url("postgres"));
        let service = Service::start(&database).await;
        let mut admin = connected(&server).await;
        for statement in SEED.split_inclusive(';') {
            admin.execute(statement).await.expect("seeded");
        }
        // Only who has loaded it knows its settings.
        admin.execute("LOAD 'auto_explain'").await.expect("loaded");
        for setting in [
            "session_preload_libraries = 'auto_explain'",
            "auto_explain.log_min_duration = 0",
            "log_statement = 'all'",
        ] {
            let alter = format!("ALTER SYSTEM SET {setting}");
            admin
                .execute(sqlx::AssertSqlSafe(alter))
                .await
                .expect("a setting");
        }
        admin
            .execute("SELECT pg_reload_conf()")
            .await
            .expect("reloaded");
        server.end_sessions().await;
        Self { server, service }
    }

    /// What this request has the server do.
    async fn asked_by(
        &self,
        client: &Client,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Asked {
        let before = self.server.log().len();
        let answer = client.send(method.clone(), path, body).await;
        assert!(answer.status < 300, "{method} {path}: {answer:?}");
        Asked::read(&self.server.log()[before..])
    }
}

async fn connected(server: &PostgresServer) -> PgConnection {
    PgConnection::connect(&server.url("postgres"))
        .await
        .expect("connected")
}

/// What the server wrote down of a request. It does so before it answers.
#[derive(Debug)]
struct Asked {
    statements: Vec<String>,
    plans: Vec<Planned>,
}

impl Asked {
    fn read(log: &str) -> Self {
        let (mut statements, mut plans) = (Vec::new(), Vec::<Planned>::new());
        for line in log.lines() {
            if let Some(text) = line.strip_prefix('\t') {
                if let Some(last) = plans.last_mut() {
                    if let Some(text) = text.strip_prefix("Query Text: ") {
                        last.statement.push_str(text);
                    } else {
                        last.plan.push_str(text);
                        last.plan.push('\n');
                    }
                }
            } else if line.contains("LOG:  duration: ") && line.ends_with("plan:") {
                plans.push(Planned {
                    statement: String::new(),
                    plan: String::new(),
                });
            } else if let Some((_, statement)) = line.split_once("LOG:  execute ") {
                statements.push(statement.to_owned());
            } else if let Some((_, statement)) = line.split_once("LOG:  statement: ") {
                statements.push(statement.to_owned());
            }
        }
        // The service looks now and then which tokens were revoked.
        let is_of_request = |statement: &String| !statement.contains("revocations");
        statements.retain(is_of_request);
        plans.retain(|planned| is_of_request(&planned.statement));
        Self { statements, plans }
    }
}

#[tokio::test]
async fn every_endpoint_of_tasks_asks_one_statement_by_an_index() {
    let observed = Observed::start().await;
    for user in ["user-7", "user-200"] {
        let client = observed.service.client(user);
        // The first creation of an owner on an instance counts the owner's tasks as well.
        let task = path(&client.created(json!({"title": "First"})).await);
        let page = client.get(&format!("{TASKS}?limit=20")).await;
        let cursor = page.body["next_cursor"].as_str().expect("more").to_owned();
        let by_title = client.get(&format!("{TASKS}?limit=20&sort=title")).await;
        let by_title = by_title.body["next_cursor"]
            .as_str()
            .expect("more")
            .to_owned();
        let requests = [
            (Method::GET, task.clone(), None),
            (Method::GET, TASKS.to_owned(), None),
            (Method::GET, format!("{TASKS}?limit=20"), None),
            (
                Method::GET,
                format!("{TASKS}?limit=20&cursor={cursor}"),
                None,
            ),
            (Method::GET, format!("{TASKS}?limit=20&offset=40"), None),
            (
                Method::GET,
                format!("{TASKS}?limit=20&completed=true"),
                None,
            ),
            (Method::GET, format!("{TASKS}?limit=20&q=ask"), None),
            (Method::GET, format!("{TASKS}?limit=20&sort=title"), None),
            (
                Method::GET,
                format!("{TASKS}?limit=20&sort=title&cursor={by_title}"),
                None,
            ),
            (
                Method::GET,
                format!("{TASKS}?limit=20&sort=-updated_at"),
                None,
            ),
            (Method::GET, format!("{TASKS}/stats"), None),
            (
                Method::POST,
                TASKS.to_owned(),
                Some(json!({"title": "Second"})),
            ),
            (
                Method::PUT,
                task.clone(),
                Some(json!({"title": "Third", "description": ""})),
            ),
            (
                Method::PATCH,
                task.clone(),
                Some(json!({"description": "More"})),
            ),
            (
                Method::PATCH,
                format!("{task}/complete"),
                Some(json!({"completed": true})),
            ),
            (Method::PATCH, format!("{task}/complete"), None),
            (Method::DELETE, task.clone(), None),
        ];
        for (method, path, body) in requests {
            let asked = observed
                .asked_by(&client, method.clone(), &path, body)
                .await;
            assert_eq!(asked.statements.len(), 1, "{method} {path}: {asked:#?}");
            assert_eq!(asked.plans.len(), 1, "{method} {path}: {asked:#?}");
            let plan = &asked.plans[0].plan;
            println!("{user} {method} {path}\n{plan}");
            assert!(!plan.contains("Seq Scan"), "{method} {path}: {asked:#?}");
            // The index has the tasks of an owner in the order in which they were made. Other orders are
            // sorted, of that owner's alone; and a whole list may be, since reading it as it lies and
            // sorting it can be less work than following the index.
            let may_sort = path.contains("sort=") || (method == Method::GET && path == TASKS);
            assert!(
                may_sort || !plan.contains("Sort"),
                "{method} {path}: {asked:#?}"
            );
        }
    }
}

#[tokio::test]
async fn completing_a_task_touches_no_index() {
    let observed = Observed::start().await;
    let client = observed.service.client("user-7");
    let task = path(&client.created(json!({"title": "Often"})).await);
    for _ in 0..20 {
        let answer = client
            .send(Method::PATCH, &format!("{task}/complete"), None)
            .await;
        assert_eq!(answer.status, 200);
    }
    let mut admin = connected(&observed.server).await;
    let counts = crate::service::eventually("the server counts them", async || {
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
    let indexed: Vec<(String,)> = sqlx::query_as(
        "SELECT attname::text FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
         WHERE indrelid = 'tasks'::regclass",
    )
    .fetch_all(&mut admin)
    .await
    .expect("columns");
    let indexed: BTreeSet<_> = indexed.into_iter().map(|(column,)| column).collect();
    for column in ["is_completed", "updated_at", "version"] {
        assert!(!indexed.contains(column), "{column} in {indexed:?}");
    }
}
