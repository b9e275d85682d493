//! The statements of `docs/operations/postgresql.md`: one role owns the tables, another one serves and can do
//! nothing else.

mod restores;

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use taskhold_infrastructure::db::migrations;
use taskhold_testkit::postgres::PostgresServer;

use crate::service::{
    Answer, Client, Database, SECRET, Service, TASKS, eventually, path, run, run_with_input,
};

const GUIDE: &str = include_str!("../../docs/operations/postgresql.md");
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// Returns the SQL statements under a heading, block by block.
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

/// A server that is set up as documented: with two roles and all tables.
struct DocumentedServer {
    server: PostgresServer,
}

impl DocumentedServer {
    async fn start() -> Self {
        Self::set_up_by("postgres").await
    }

    /// Sets up the server as this role.
    async fn set_up_by(administrator: &str) -> Self {
        let server = PostgresServer::start().expect("a server");
        let server = Self { server };
        if administrator != "postgres" {
            let create = format!("CREATE ROLE {administrator} LOGIN CREATEROLE CREATEDB");
            server.execute("postgres", "postgres", &[&create]).await;
        }
        let blocks = blocks("Two roles");
        let [roles, rights, after, _] = blocks.as_slice() else {
            panic!("not four blocks: {blocks:#?}");
        };
        server.execute(administrator, "postgres", roles).await;
        server.execute("taskhold_owner", "taskhold", rights).await;
        let migrated = server.run_as_owner(&["migrate", "up"]);
        let all = format!(": {} migrations applied\n", migrations::known().len());
        assert!(migrated.ends_with(&all), "{migrated}");
        server.execute("taskhold_owner", "taskhold", after).await;
        server
    }

    fn url(&self, role: &str, database: &str) -> String {
        self.server
            .url(database)
            .replace("postgres@", &format!("{role}@"))
    }

    async fn connect(&self, role: &str, database: &str) -> PgConnection {
        PgConnection::connect(&self.url(role, database))
            .await
            .expect("connected")
    }

    async fn execute(&self, role: &str, database: &str, statements: &[&str]) {
        let mut connection = self.connect(role, database).await;
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

    /// Starts a service that connects as the role which may only read and write rows.
    async fn serve(&self) -> Service {
        Service::start_with(
            &self.database(),
            &[("TASKHOLD__DATABASE__AUTO_MIGRATE", "false")],
        )
        .await
    }
}

/// Asserts that every kind of request works, without a database error in the log.
async fn assert_service_works(service: &Service) {
    let anna = service.client_with(Some(register(service, "anna@example.org").await));
    let task = anna.create(json!({"title": "Buy milk"})).await;
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
            "/api/v1/import".to_owned(),
            Some(json!([{"id": 1, "title": "Imported"}])),
        ),
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
    let anna = service.client_with(Some(access_token(&fresh)));
    let goodbye = json!({"password": "another one of these"});
    assert_eq!(
        anna.send(Method::DELETE, "/api/auth/me", Some(goodbye))
            .await
            .status,
        204
    );
    // A user of another issuer gets a row with the first task.
    // Right after a restore, a token that names its time in whole seconds can be from before it.
    eventually("a token of a later second", async || {
        let bob = service.client("bob");
        let created = bob.post(TASKS, json!({"title": "Stays"})).await;
        (created.status == 201).then_some(())
    })
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

async fn register(service: &Service, email: &str) -> String {
    let account = json!({"email": email, "password": "correct horse battery"});
    let client: Client = service.client_with(None);
    access_token(&client.post("/api/auth/register", account).await)
}

fn access_token(answer: &Answer) -> String {
    answer.body["access_token"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer:?}"))
        .to_owned()
}

#[tokio::test]
async fn restricted_role_can_serve_and_nothing_else() {
    let server = DocumentedServer::start().await;
    let service = server.serve().await;
    assert_service_works(&service).await;
    let by_hand = [
        ("TASKHOLD__DATABASE__AUTO_MIGRATE", "false"),
        ("JWT_SECRET", SECRET),
    ];
    let database = server.database();
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
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(
            !stdout.contains("rights       the role taskhold lacks"),
            "{stdout}"
        );
    }

    server
        .execute(
            "postgres",
            "taskhold",
            &[
                "CREATE SCHEMA reports",
                "CREATE TABLE reports.salaries AS SELECT 1 AS id",
            ],
        )
        .await;
    server
        .execute(
            "taskhold_owner",
            "taskhold",
            &["CREATE SCHEMA ours", "CREATE TABLE ours.notes (id int)"],
        )
        .await;
    let mut app = server.connect("taskhold", "taskhold").await;
    for forbidden in [
        "CREATE TABLE mine (id int)",
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

/// Roles of hosted databases are no superusers.
#[tokio::test]
async fn roles_made_without_a_superuser_serve_and_verify() {
    let server = DocumentedServer::set_up_by("neondb_owner").await;
    let service = server.serve().await;
    assert_service_works(&service).await;
    let folder = Database::sqlite().folder;
    let owner = server.url("taskhold_owner", "taskhold");
    for arguments in [&["backup"][..], &["backup", "verify"]] {
        let done = run(folder.path(), &[("DATABASE_URL", &owner)], arguments);
        assert!(done.status.success(), "{arguments:?}: {done:?}");
    }
    let mut app = server.connect("taskhold", "taskhold").await;
    for forbidden in ["CREATE TABLE mine (id int)", "SET ROLE taskhold_owner"] {
        app.execute(forbidden).await.expect_err(forbidden);
    }
}

#[tokio::test]
async fn start_without_rights_is_refused_with_the_grants() {
    let server = DocumentedServer::start().await;
    let database = server.database();
    for (sabotage, lacks) in [
        ("REVOKE ALL ON tasks FROM taskhold", "on tasks"),
        (
            "REVOKE DELETE ON attempts FROM taskhold",
            "DELETE on attempts",
        ),
        (
            "REVOKE SELECT ON seaql_migrations FROM taskhold",
            "on seaql_migrations",
        ),
        (
            "REVOKE USAGE ON SCHEMA public FROM taskhold",
            "USAGE on the schema public",
        ),
        (
            "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM taskhold",
            "SELECT on seaql_migrations",
        ),
    ] {
        server
            .execute("taskhold_owner", "taskhold", &[sabotage])
            .await;
        for auto_migrate in ["false", "true"] {
            let variables = [
                ("DATABASE_URL", database.url.as_str()),
                ("JWT_SECRET", SECRET),
                ("TASKHOLD__DATABASE__AUTO_MIGRATE", auto_migrate),
            ];
            let refused = run(database.folder.path(), &variables, &["serve"]);
            let log = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert_eq!(refused.status.code(), Some(78), "{sabotage}: {log}");
            let last = log.lines().last().expect("a message");
            assert!(
                last.contains("DATABASE_URL: the role taskhold lacks "),
                "{last}"
            );
            assert!(last.contains(lacks), "{sabotage}: {last}");
            let doctor = run(database.folder.path(), &variables, &["doctor"]);
            assert_eq!(doctor.status.code(), Some(1), "{sabotage}: {doctor:?}");
            let found = String::from_utf8_lossy(&doctor.stdout).into_owned();
            let (_, grants) = last.split_once(", run: ").expect("statements");
            assert!(found.contains(grants), "{grants} in {found}");
            if auto_migrate == "true" {
                let grants: Vec<_> = grants.split_inclusive(';').collect();
                server.execute("taskhold_owner", "taskhold", &grants).await;
            }
        }
        let service = server.serve().await;
        assert_eq!(service.readiness().await, 200, "{sabotage}");
        assert!(service.stop().await.success());
    }
    let service = server.serve().await;
    assert_service_works(&service).await;
}

#[tokio::test]
async fn documented_statements_take_effect_and_survive_a_restore() {
    let server = DocumentedServer::start().await;
    let blocks = blocks("Vacuum");
    assert_eq!(blocks.len(), 4);
    let mut owner = server.connect("taskhold_owner", "taskhold").await;
    for statement in blocks.concat() {
        let done = owner.execute(AssertSqlSafe(statement.to_owned())).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    let tables = sqlx::query(AssertSqlSafe(blocks[1][0].to_owned()))
        .fetch_all(&mut owner)
        .await;
    assert_eq!(tables.expect("rows").len(), 13);
    let options: String =
        sqlx::query_scalar("SELECT reloptions::text FROM pg_class WHERE relname = 'tasks'")
            .fetch_one(&mut owner)
            .await
            .expect("options");
    assert!(options.contains("fillfactor=90"), "{options}");

    // A restore keeps the storage settings.
    let database = Database::at(&server.url("taskhold_owner", "taskhold"));
    for arguments in [&["backup"][..], &["restore", "--force", "backups"]] {
        let done = run_with_input(
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

    // The last block moves a database from one role to two.
    let moving = &self::blocks("Two roles")[3];
    server.execute("taskhold_owner", "taskhold", moving).await;
    let service = server.serve().await;
    assert_service_works(&service).await;
}

#[tokio::test]
async fn documentation_lists_every_index() {
    let server = DocumentedServer::start().await;
    let mut owner = server.connect("taskhold_owner", "taskhold").await;
    let existing: Vec<(String, String)> = sqlx::query_as(
        "SELECT indexname::text, split_part(indexdef, ' USING btree', 1) || split_part(indexdef, ' USING btree', 2)
         FROM pg_indexes WHERE schemaname = 'public'",
    )
    .fetch_all(&mut owner)
    .await
    .expect("indexes");
    let existing: BTreeSet<_> = existing
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
    assert_eq!(documented, existing);
}
