//! PostgreSQL databases whose tables are not in the first schema of the search path.

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::service::{Database, SECRET, Service, run, run_with_input};

/// Changes a database as a superuser. `$ROLE` stands for the role.
async fn execute(url: &str, role: &str, sql: &str) {
    let mut connection = PgConnection::connect(url).await.expect("connected");
    let sql = sql.replace("$ROLE", &format!("\"{role}\""));
    let done = connection.execute(AssertSqlSafe(sql)).await;
    done.expect("executed");
}

async fn count(url: &str, table: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.expect("connected");
    let sql = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
    let count = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
    count.expect("a table")
}

/// A database whose role has a schema of its name, which is first in its search path.
struct RoleDatabase {
    admin: Database,
    database: Database,
    role: String,
}

impl RoleDatabase {
    async fn new() -> Self {
        let admin = Database::postgres().await;
        let (server, name) = admin.url.rsplit_once('/').expect("a database");
        // A name that must be quoted.
        let role = format!("Role of {name}");
        let sql = "CREATE ROLE $ROLE LOGIN CREATEDB; GRANT CREATE, USAGE ON SCHEMA public TO $ROLE";
        execute(&admin.url, &role, sql).await;
        let grant = format!("GRANT ALL ON DATABASE \"{name}\" TO $ROLE");
        execute(&admin.url, &role, &grant).await;
        let encoded = role.replace(' ', "%20");
        let url = format!(
            "{}/{name}",
            server.replace("postgres@", &format!("{encoded}@"))
        );
        Self {
            database: Database::at(&url),
            admin,
            role,
        }
    }

    /// Creates the schema that comes before `public`.
    async fn add_schema(&self) {
        let sql = "CREATE SCHEMA $ROLE AUTHORIZATION $ROLE";
        execute(&self.admin.url, &self.role, sql).await;
    }

    /// Runs a command. Returns its status and output.
    fn command(&self, arguments: &[&str]) -> (Option<i32>, String) {
        self.command_with(&[], arguments)
    }

    fn command_with(&self, more: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String) {
        let variables = [
            &[
                ("DATABASE_URL", self.database.url.as_str()),
                ("JWT_SECRET", SECRET),
            ],
            more,
        ]
        .concat();
        let name = self.admin.url.rsplit('/').next().expect("a name");
        let output = run_with_input(self.database.folder.path(), &variables, arguments, name);
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code(),
            String::from_utf8(text).expect("UTF-8"),
        )
    }

    #[track_caller]
    fn succeed(&self, arguments: &[&str]) -> String {
        let (code, printed) = self.command(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {printed}");
        printed
    }

    async fn has_tables(&self, schema: &str) -> bool {
        let mut connection = PgConnection::connect(&self.admin.url)
            .await
            .expect("connected");
        let sql = "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = $1)";
        let found = sqlx::query_scalar(sql)
            .bind(schema)
            .fetch_one(&mut connection)
            .await;
        found.expect("an answer")
    }
}

/// Runs every command on tables in one schema of two, and returns to them what was lost.
async fn assert_everything_works(store: &RoleDatabase, schema: &str, other: &str) {
    let service = Service::start(&store.database).await;
    let bob = service.client("bob");
    bob.create(json!({"title": "kept"})).await;
    assert!(service.stop().await.success());

    // A pending migration goes to the tables that are there.
    store.succeed(&["migrate", "down", "--yes"]);
    assert!(store.succeed(&["migrate", "status"]).contains("pending"));
    store.succeed(&["migrate", "up"]);
    assert!(!store.succeed(&["migrate", "status"]).contains("pending"));
    assert!(!store.has_tables(other).await, "no second set of tables");

    assert!(store.succeed(&["user", "list"]).starts_with("bob\t"));
    assert!(store.succeed(&["export", "--user", "bob"]).contains("kept"));
    let file = store
        .database
        .file(r#"[{"id": 1, "title": "imported", "user_id": "bob"}]"#);
    store.succeed(&["import", &file]);
    let doctor = store.succeed(&["doctor"]);
    assert!(!doctor.contains("problem  "), "{doctor}");
    store.succeed(&["backup"]);
    store.succeed(&["backup", "verify"]);

    let target = Database::sqlite();
    let (code, printed) = store.command(&["copy", "--to", &target.url]);
    assert_eq!(code, Some(0), "{printed}");
    assert!(target.export("bob", &[]).contains("kept"));

    let file = store
        .database
        .file(r#"[{"id": 2, "title": "later", "user_id": "bob"}]"#);
    store.succeed(&["import", &file]);
    store.succeed(&["restore", "--force", "backups"]);
    let restored = store.succeed(&["export", "--user", "bob"]);
    assert!(
        restored.contains("imported") && !restored.contains("later"),
        "{restored}"
    );
    assert!(store.has_tables(schema).await && !store.has_tables(other).await);
    store.succeed(&["migrate", "fresh", "--yes"]);
    assert!(store.has_tables(schema).await && !store.has_tables(other).await);
}

#[tokio::test]
async fn tables_behind_the_schema_of_the_role_are_used() {
    let store = RoleDatabase::new().await;
    store.succeed(&["migrate", "up"]);
    store.add_schema().await;
    assert_everything_works(&store, "public", &store.role).await;
}

#[tokio::test]
async fn tables_in_the_schema_of_the_role_are_used() {
    let store = RoleDatabase::new().await;
    store.add_schema().await;
    assert_everything_works(&store, &store.role, "public").await;
}

/// The backup's tables go where the target's are.
#[tokio::test]
async fn backup_is_restored_into_another_schema() {
    let (store, target) = (RoleDatabase::new().await, RoleDatabase::new().await);
    store.add_schema().await;
    let file = store
        .database
        .file(r#"[{"id": 1, "title": "moved", "user_id": "bob"}]"#);
    store.succeed(&["import", &file]);
    store.succeed(&["backup"]);
    let backups = store.database.folder.path().join("backups");
    let backups = backups.to_str().expect("UTF-8");
    for _ in 0..2 {
        target.succeed(&["restore", "--force", backups]);
        assert!(
            target
                .succeed(&["export", "--user", "bob"])
                .contains("moved")
        );
        assert!(target.has_tables("public").await && !target.has_tables(&store.role).await);
    }
}

#[tokio::test]
async fn two_sets_of_tables_are_refused_by_name() {
    let store = RoleDatabase::new().await;
    store.succeed(&["migrate", "up"]);
    store.succeed(&["backup"]);
    store.add_schema().await;
    // As a version did that looked for tables in one schema and made them in another.
    let sql = "ALTER ROLE $ROLE SET search_path = \"$user\"";
    execute(&store.admin.url, &store.role, sql).await;
    store.succeed(&["migrate", "up"]);
    execute(
        &store.admin.url,
        &store.role,
        "ALTER ROLE $ROLE RESET search_path",
    )
    .await;

    let both = format!("{}, public", store.role);
    let file = store.database.file("[]");
    let target = Database::sqlite();
    for arguments in [
        &["serve"][..],
        &["migrate", "up"],
        &["migrate", "status"],
        &["user", "list"],
        &["user", "deactivate", "bob"],
        &["export", "--user", "bob"],
        &["import", &file],
        &["import", "--dry-run", &file],
        &["token", "--user", "bob"],
        &["backup"],
        &["backup", "verify"],
        &["restore", "--force", "backups"],
        &["copy", "--to", &target.url],
    ] {
        let (code, printed) = store.command(arguments);
        assert_eq!(code, Some(78), "{arguments:?}: {printed}");
        assert!(printed.contains(&both), "{arguments:?}: {printed}");
        assert!(printed.contains("search_path"), "{arguments:?}: {printed}");
    }
    target.command_refused_copy(&store);
    let (code, printed) = store.command(&["doctor"]);
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains(&both), "{printed}");
    assert_eq!(count(&store.admin.url, "public.users").await, 0);
}

impl Database {
    /// Asserts that nothing is copied into a store with two sets of tables.
    fn command_refused_copy(&self, store: &RoleDatabase) {
        let variables = [("DATABASE_URL", self.url.as_str())];
        let migrated = run(self.folder.path(), &variables, &["migrate", "up"]);
        assert!(migrated.status.success(), "{migrated:?}");
        let arguments = ["copy", "--to", &store.database.url];
        let output = run(self.folder.path(), &variables, &arguments);
        assert_eq!(output.status.code(), Some(78), "{output:?}");
    }
}

/// SQL without schemas would read and write the other table.
#[tokio::test]
async fn hidden_table_is_refused_by_name() {
    let store = RoleDatabase::new().await;
    store.succeed(&["migrate", "up"]);
    store.add_schema().await;
    let sql = "CREATE TABLE $ROLE.users (id int)";
    execute(&store.admin.url, &store.role, sql).await;
    for arguments in [&["serve"][..], &["user", "list"], &["backup"]] {
        let (code, printed) = store.command(arguments);
        assert_eq!(code, Some(78), "{arguments:?}: {printed}");
        assert!(printed.contains("(users)"), "{printed}");
    }
    // Tables of other programs do no harm.
    let sql = "DROP TABLE $ROLE.users; CREATE TABLE $ROLE.notes (id int); CREATE TABLE public.notes (id int);
               CREATE TABLE $ROLE.seaql_migrations_of_others (id int)";
    execute(&store.admin.url, &store.role, sql).await;
    store.succeed(&["user", "list"]);
}
