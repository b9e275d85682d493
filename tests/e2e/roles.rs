//! `docs/operations/postgresql.md` done as it says: a role that owns the tables, another that serves
//! and can do nothing else.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use taskhold_testkit::postgres::PostgresServer;

use crate::service::{
    Answer, Client, Database, SECRET, Service, TASKS, path, run, run_told, token,
};

const GUIDE: &str = include_str!("../../docs/operations/postgresql.md");
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// The statements of the SQL under this heading, block by block.
fn blocks(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = GUIDE
        .split_once(&format!("\n## {heading}\n"))
        .expect("a section");
    let section = section.split("\n## ").next().expect("its text");
    let blocks = section.split("```sql\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().expect("the end of a block"));
    let statements = |block: &'static str| {
        block
            .split(';')
            .map(str::trim)
            .filter(|statement| !statement.is_empty())
            .collect()
    };
    blocks.map(statements).collect()
}

/// A server with the roles that the guide makes, and the tables.
struct Guided {
    server: PostgresServer,
}

impl Guided {
    async fn start() -> Self {
        let server = PostgresServer::start().expect("a server");
        let guided = Self { server };
        let blocks = blocks("Two roles");
        let [roles, schema, after, _] = blocks.as_slice() else {
            panic!("four blocks, and not {blocks:#?}");
        };
        guided.told("postgres", "postgres", roles).await;
        guided.told("postgres", "taskhold", schema).await;
        let migrated = guided.run_as_owner(&["migrate", "up"]);
        assert!(migrated.contains("4 migrations applied"), "{migrated}");
        guided.told("taskhold_owner", "taskhold", after).await;
        guided
    }

    fn url(&self, role: &str, database: &str) -> String {
        self.server
            .url(database)
            .replace("postgres@", &format!("{role}@"))
    }

    async fn connected(&self, role: &str, database: &str) -> PgConnection {
        PgConnection::connect(&self.url(role, database))
            .await
            .expect("connected")
    }

    async fn told(&self, role: &str, database: &str, statements: &[&str]) {
        let mut connection = self.connected(role, database).await;
        for statement in statements {
            let done = connection
                .execute(AssertSqlSafe((*statement).to_owned()))
                .await;
            done.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    fn run_as_owner(&self, arguments: &[&str]) -> String {
        let folder = Database::sqlite().folder;
        let url = self.url("taskhold_owner", "taskhold");
        let output = run(folder.path(), &[("DATABASE_URL", &url)], arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn database(&self) -> Database {
        Database::at(&self.url("taskhold", "taskhold"))
    }

    /// Served by the role that may only read and write rows.
    async fn serve(&self) -> Service {
        Service::start_with(
            &self.database(),
            &[("TASKHOLD__DATABASE__AUTO_MIGRATE", "false")],
        )
        .await
    }
}

/// What people do, all of it.
async fn everything_works(service: &Service) {
    let anna = service.client_with(Some(registered(service, "anna@example.org").await));
    let task = anna.created(json!({"title": "Buy milk"})).await;
    let item = path(&task);
    let keyed = anna
        .send_keyed("a-key", Method::POST, TASKS, Some(json!({"title": "Once"})))
        .await;
    assert_eq!(keyed.status, 201, "{keyed:?}");
    for (method, path, body) in [
        (Method::GET, TASKS.to_owned(), None),
        (Method::GET, format!("{TASKS}?limit=1&q=milk"), None),
        (Method::GET, format!("{TASKS}/stats"), None),
        (Method::GET, item.clone(), None),
        (
            Method::PUT,
            item.clone(),
            Some(json!({"title": "Buy oat milk"})),
        ),
        (
            Method::PATCH,
            item.clone(),
            Some(json!({"description": "2 litres"})),
        ),
        (Method::PATCH, format!("{item}/complete"), None),
        (Method::DELETE, item, None),
        (Method::GET, "/api/v1/export".to_owned(), None),
        (
            Method::POST,
            "/api/auth/password".to_owned(),
            Some(
                json!({"current_password": "correct horse battery", "new_password": "another one of these"}),
            ),
        ),
    ] {
        let answer = anna.send(method.clone(), &path, body).await;
        assert!(
            (200..300).contains(&answer.status),
            "{method} {path}: {answer:?}"
        );
    }
    let nobody = service.client_with(None);
    let wrong = json!({"email": "anna@example.org", "password": "not the one that it is"});
    assert_eq!(nobody.post("/api/auth/login", wrong).await.status, 401);
    let login = json!({"email": "anna@example.org", "password": "another one of these"});
    let login = nobody.post("/api/auth/login", login).await;
    let refresh = json!({"refresh_token": login.body["refresh_token"]});
    let fresh = nobody.post("/api/auth/refresh", refresh).await;
    let anna = service.client_with(Some(access(&fresh)));
    let goodbye = json!({"password": "another one of these"});
    assert_eq!(
        anna.send(Method::DELETE, "/api/auth/me", Some(goodbye))
            .await
            .status,
        204
    );
    // A user of another issuer gets a row with the first task.
    service
        .client("bob")
        .created(json!({"title": "Stays"}))
        .await;
    assert_eq!(
        service.client_with(None).get("/health/ready").await.status,
        200
    );
    let log = service.log();
    assert!(
        !log.contains("permission denied") && !log.contains("ERROR"),
        "{log}"
    );
}

async fn registered(service: &Service, email: &str) -> String {
    let account = json!({"email": email, "password": "correct horse battery"});
    let client: Client = service.client_with(None);
    access(&client.post("/api/auth/register", account).await)
}

fn access(answer: &Answer) -> String {
    answer.body["access_token"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer:?}"))
        .to_owned()
}

#[tokio::test]
async fn the_service_works_as_a_role_that_can_do_nothing_else() {
    let guided = Guided::start().await;
    let service = guided.serve().await;
    everything_works(&service).await;
    let by_hand = [
        ("TASKHOLD__DATABASE__AUTO_MIGRATE", "false"),
        ("JWT_SECRET", SECRET),
    ];
    let database = guided.database();
    let url = [("DATABASE_URL", database.url.as_str())];
    for arguments in [
        &["doctor"][..],
        &["user", "list"],
        &["export", "--user", "bob"],
    ] {
        let output = run(
            database.folder.path(),
            &[&url, &by_hand[..]].concat(),
            arguments,
        );
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            !said.contains("rights       the role taskhold lacks"),
            "{said}"
        );
    }

    guided
        .told(
            "postgres",
            "taskhold",
            &[
                "CREATE SCHEMA reports",
                "CREATE TABLE reports.salaries AS SELECT 1 AS id",
            ],
        )
        .await;
    guided
        .told(
            "taskhold_owner",
            "taskhold",
            &["CREATE SCHEMA ours", "CREATE TABLE ours.notes (id int)"],
        )
        .await;
    let mut app = guided.connected("taskhold", "taskhold").await;
    for forbidden in [
        "CREATE TABLE mine (id int)",
        "CREATE TEMPORARY TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE INDEX mine ON tasks (title)",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1",
        "DROP TABLE tasks",
        "DROP TABLE attempts CASCADE",
        "ALTER TABLE tasks ADD COLUMN mine int",
        "ALTER TABLE tasks DISABLE TRIGGER ALL",
        "ALTER TABLE tasks OWNER TO taskhold",
        "TRUNCATE attempts",
        "INSERT INTO seaql_migrations VALUES ('mine', 0)",
        "DELETE FROM seaql_migrations",
        "SELECT * FROM reports.salaries",
        "SELECT * FROM ours.notes",
        "SELECT rolpassword FROM pg_authid",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY tasks TO PROGRAM 'cat'",
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
        "SET ROLE taskhold_owner",
        "DROP DATABASE taskhold",
    ] {
        let error = app.execute(forbidden).await.expect_err(forbidden);
        let code = error
            .as_database_error()
            .and_then(|error| error.code().map(String::from));
        assert_eq!(
            code.as_deref(),
            Some(INSUFFICIENT_PRIVILEGE),
            "{forbidden}: {error}"
        );
    }
}

/// Tables that come later are the service's to read and write as well.
#[tokio::test]
async fn rights_outlive_migrations_and_restores() {
    let guided = Guided::start().await;
    let owner = guided.url("taskhold_owner", "taskhold");
    let owner = Database::at(&owner);
    let as_owner = |arguments: &[&str]| {
        let variables = [("DATABASE_URL", owner.url.as_str())];
        let done = run_told(owner.folder.path(), &variables, arguments, "taskhold");
        assert!(done.status.success(), "{arguments:?}: {done:?}");
    };
    as_owner(&["migrate", "down", "--steps", "3", "--yes"]);
    as_owner(&["migrate", "up"]);
    let service = guided.serve().await;
    everything_works(&service).await;
    assert!(service.stop().await.success());
    as_owner(&["backup"]);
    as_owner(&["restore", "--force", "backups"]);
    let service = guided.serve().await;
    // Who was known before is, with what was theirs; tokens from before do not count.
    let tasks = eventually_let_in(&service).await.tasks().await;
    assert_eq!(tasks.len(), 1, "{tasks:?}");
    everything_works(&service).await;
}

/// A client of bob's whose token is of after the restore.
async fn eventually_let_in(service: &Service) -> Client {
    crate::service::eventually("a new token counts", async || {
        let client = service.client_with(Some(token("bob")));
        (client.get(TASKS).await.status == 200).then_some(client)
    })
    .await
}

#[tokio::test]
async fn the_other_statements_of_the_guide_do_what_they_say() {
    let guided = Guided::start().await;
    let blocks = blocks("Vacuum");
    assert_eq!(blocks.len(), 4);
    let mut owner = guided.connected("taskhold_owner", "taskhold").await;
    for statement in blocks.concat() {
        let done = owner.execute(AssertSqlSafe(statement.to_owned())).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    let tables = sqlx::query(AssertSqlSafe(blocks[1][0].to_owned()))
        .fetch_all(&mut owner)
        .await;
    assert_eq!(tables.expect("rows").len(), 8);
    let options: String =
        sqlx::query_scalar("SELECT reloptions::text FROM pg_class WHERE relname = 'tasks'")
            .fetch_one(&mut owner)
            .await
            .expect("options");
    assert!(options.contains("fillfactor=90"), "{options}");

    // The settings are there again after a restore.
    let database = Database::at(&guided.url("taskhold_owner", "taskhold"));
    for arguments in [&["backup"][..], &["restore", "--force", "backups"]] {
        let done = run_told(
            database.folder.path(),
            &[("DATABASE_URL", &database.url)],
            arguments,
            "taskhold",
        );
        assert!(done.status.success(), "{done:?}");
    }
    let restored: String = sqlx::query_scalar(
        "SELECT reloptions::text FROM pg_class WHERE oid = 'public.tasks'::regclass",
    )
    .fetch_one(&mut owner)
    .await
    .expect("options");
    assert_eq!(restored, options);

    // A database of one role, served by two from now on.
    let moving = &self::blocks("Two roles")[3];
    guided.told("taskhold_owner", "taskhold", moving).await;
    let service = guided.serve().await;
    everything_works(&service).await;
}

#[tokio::test]
async fn the_guide_has_every_index() {
    let guided = Guided::start().await;
    let mut owner = guided.connected("taskhold_owner", "taskhold").await;
    let there: Vec<(String, String)> = sqlx::query_as(
        "SELECT indexname::text, split_part(indexdef, ' USING btree', 1) || split_part(indexdef, ' USING btree', 2)
         FROM pg_indexes WHERE schemaname = 'public'",
    )
    .fetch_all(&mut owner)
    .await
    .expect("indexes");
    let there: BTreeSet<_> = there
        .into_iter()
        .map(|(name, definition)| {
            let on = definition
                .split("ON public.")
                .nth(1)
                .expect("a table")
                .to_owned();
            (name, on)
        })
        .collect();
    let rows = GUIDE
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | `"));
    let documented: BTreeSet<_> = rows
        .filter_map(|(name, rest)| Some((name.to_owned(), rest.split_once("` |")?.0.to_owned())))
        .filter(|(_, on)| on.ends_with(')'))
        .collect();
    assert_eq!(documented, there);
}
