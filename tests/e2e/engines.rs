//! Servers that say they are other engines than PostgreSQL, or other versions than the tests run on: a function
//! `version()` of the database comes before the server's own one, and what else marks an engine is made in it.

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::service::{Database, SECRET, Service, run};

async fn execute(url: &str, sql: &str) {
    let mut connection = PgConnection::connect(url).await.expect("connected");
    let done = connection.execute(AssertSqlSafe(sql.to_owned())).await;
    done.expect("executed");
}

/// Returns a new database that answers as another engine does.
async fn answering(version: &str, marks: &str) -> Database {
    let database = Database::postgres().await;
    let name = database.url.rsplit('/').next().expect("a name");
    let sql = format!(
        "CREATE FUNCTION public.version() RETURNS text LANGUAGE sql AS $$ SELECT '{version}'::text $$;
         ALTER DATABASE {name} SET search_path = public, pg_catalog; {}",
        marks.replace("$DATABASE", name)
    );
    execute(&database.url, &sql).await;
    database
}

/// Runs a command. Returns its status and all that it printed.
fn command(database: &Database, arguments: &[&str]) -> (Option<i32>, String) {
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("JWT_SECRET", SECRET),
        ("TASKHOLD__METRICS__ADDRESS", "127.0.0.1:0"),
        ("TASKHOLD__SERVER__PORT", "0"),
    ];
    let output = run(database.folder.path(), &variables, arguments);
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8(printed).expect("UTF-8");
    (output.status.code(), printed)
}

/// Asserts that the service migrates and serves the database, and names the engine in its log and in the report of
/// `doctor`, with this warning if there is one.
async fn assert_served(database: &Database, engine: &str, warning: Option<&str>) {
    let (code, printed) = command(database, &["migrate", "up"]);
    assert_eq!(code, Some(0), "{engine}: {printed}");
    let service = Service::start(database).await;
    let anna = service.client("anna");
    let task = anna.create(json!({"title": "kept"})).await;
    assert_eq!(task["title"], "kept", "{engine}");
    let log = service.log();
    assert!(service.stop().await.success());
    assert!(log.contains(engine), "{engine}: {log}");
    let (code, printed) = command(database, &["doctor"]);
    assert_eq!(code, Some(0), "{engine}: {printed}");
    let line = printed.lines().find(|line| line.contains(" store  "));
    let line = line.expect("a line about the store");
    assert!(line.contains(&format!("answers; {engine}")), "{line}");
    match warning {
        Some(warning) => {
            assert!(log.contains(warning), "{engine}: {log}");
            assert!(
                line.starts_with("warning ") && line.contains(warning),
                "{line}"
            );
        }
        None => assert!(line.starts_with("ok "), "{line}"),
    }
}

/// Asserts that every command refuses the database as one of this engine, for this reason.
async fn assert_refused(database: &Database, engine: &str, reason: &str) {
    for arguments in [
        &["serve"][..],
        &["migrate", "up"],
        &["migrate", "status"],
        &["user", "list"],
        &["backup"],
    ] {
        let (code, printed) = command(database, arguments);
        assert_eq!(code, Some(78), "{engine}, {arguments:?}: {printed}");
        let last = printed.lines().last().unwrap_or_default();
        for part in [
            "DATABASE_URL",
            engine,
            reason,
            "docs/operations/postgresql.md",
        ] {
            assert!(last.contains(part), "{arguments:?}: no {part:?} in {last}");
        }
    }
    let (code, printed) = command(database, &["doctor"]);
    assert_eq!(code, Some(1), "{engine}: {printed}");
    let line = printed.lines().find(|line| line.starts_with("problem "));
    let line = line.expect("a problem");
    assert!(line.contains(" store  ") && line.contains(engine), "{line}");
    assert!(line.contains(reason), "{line}");
    assert!(
        printed.contains("-> name a server of PostgreSQL"),
        "{printed}"
    );
}

/// Advisory locks fail, as on an engine that has none.
const NO_ADVISORY_LOCKS: &str = "
    DO $do$ DECLARE known record; BEGIN
        FOR known IN
            SELECT proname AS name, pg_get_function_identity_arguments(oid) AS arguments, prorettype::regtype AS type
            FROM pg_catalog.pg_proc WHERE proname LIKE 'pg%advisory%'
        LOOP
            EXECUTE format(
                'CREATE FUNCTION public.%I(%s) RETURNS %s LANGUAGE plpgsql AS $fn$BEGIN RAISE ''no such lock''; END$fn$',
                known.name, known.arguments, known.type);
        END LOOP;
    END $do$";

async fn has_tables(database: &Database) -> bool {
    let mut connection = PgConnection::connect(&database.url)
        .await
        .expect("connected");
    let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_tables WHERE tablename = 'tasks')";
    let found = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
    found.expect("an answer")
}

#[tokio::test]
async fn engines_that_keep_every_guarantee_are_served_and_named() {
    let real = Database::postgres().await;
    let mut connection = PgConnection::connect(&real.url).await.expect("connected");
    let version: String = sqlx::query_scalar("SELECT split_part(version(), ' ', 2)")
        .fetch_one(&mut connection)
        .await
        .expect("its version");
    assert_served(&real, &format!("PostgreSQL {version}"), None).await;
    for (version, marks, engine) in [
        (
            "PostgreSQL 17.5 (6bc9ef8) on aarch64-unknown-linux-gnu, compiled by gcc (Debian 12.2.0-14) 12.2.0, 64-bit",
            r#"ALTER DATABASE $DATABASE SET "neon.timeline_id" = 'f3a1'"#,
            "Neon, PostgreSQL 17.5",
        ),
        (
            "PostgreSQL 16.3 on x86_64-pc-linux-gnu, compiled by x86_64-pc-linux-gnu-gcc (GCC) 9.5.0, 64-bit",
            "CREATE FUNCTION public.aurora_version() RETURNS text LANGUAGE sql AS $$ SELECT '16.3.0'::text $$",
            "Aurora PostgreSQL 16.3",
        ),
        (
            "PostgreSQL 15.7 on x86_64-pc-linux-gnu, compiled by Debian clang version 12.0.1, 64-bit",
            r#"ALTER DATABASE $DATABASE SET "alloydb.iam_authentication" = 'off'"#,
            "AlloyDB, PostgreSQL 15.7",
        ),
    ] {
        assert_served(&answering(version, marks).await, engine, None).await;
    }
}

#[tokio::test]
async fn versions_that_were_not_tried_are_served_with_a_warning() {
    let newer = answering("PostgreSQL 19beta1 on x86_64-pc-linux-gnu", "").await;
    assert_served(&newer, "PostgreSQL 19beta1", Some("is newer than all")).await;
    let older = answering("PostgreSQL 14.22 on x86_64-pc-linux-gnu", "").await;
    assert_served(&older, "PostgreSQL 14.22", Some("no longer gets fixes")).await;
}

#[tokio::test]
async fn engines_on_which_a_guarantee_is_void_are_refused_by_name() {
    for (version, marks, engine, reason) in [
        (
            "PostgreSQL 15.12-YB-2025.2.0.0-b0 on x86_64-pc-linux-gnu, compiled by clang version 19.1.0, 64-bit",
            "",
            "the server is YugabyteDB",
            "a transaction of its own",
        ),
        (
            "CockroachDB CCL v25.4.0 (x86_64-pc-linux-gnu, built 2025/11/03 17:02:15, go1.25.1)",
            "",
            "the server is CockroachDB",
            "half applied",
        ),
        (
            "PostgreSQL 16",
            "CREATE SCHEMA sys CREATE TABLE iam_pg_role_mappings (arn text)",
            "the server is Aurora DSQL",
            "no foreign keys",
        ),
        (
            "PostgreSQL 12.22 (Ubuntu 12.22-1) on x86_64-pc-linux-gnu",
            "",
            "the server is PostgreSQL 12.22",
            "version 13",
        ),
        (
            "Vertica Analytic Database v24.1.0-0",
            "",
            "Vertica",
            "nothing is known",
        ),
        // Its catalog lacks what every PostgreSQL has.
        (
            "PostgreSQL 16.1",
            "CREATE VIEW public.pg_namespace AS SELECT 1 AS id",
            "PostgreSQL 16.1",
            "nothing is known",
        ),
    ] {
        let database = answering(version, marks).await;
        assert_refused(&database, engine, reason).await;
        assert!(!has_tables(&database).await, "{engine}");
    }
}

#[tokio::test]
async fn citus_is_served_until_a_table_is_distributed() {
    let version = "PostgreSQL 17.5 on x86_64-pc-linux-gnu, compiled by gcc";
    let marks =
        r#"CREATE TABLE public.pg_dist_partition (logicalrelid regclass, partmethod "char")"#;
    let database = answering(version, marks).await;
    assert_served(&database, "Citus on PostgreSQL 17.5", Some("undistributed")).await;
    // A table that is on every node has all its keys.
    let reference = "INSERT INTO pg_dist_partition VALUES ('tasks', 'n')";
    execute(&database.url, reference).await;
    assert_served(&database, "Citus on PostgreSQL 17.5", Some("undistributed")).await;
    execute(
        &database.url,
        "UPDATE pg_dist_partition SET partmethod = 'h'",
    )
    .await;
    let reason = "the table tasks is distributed by a column";
    assert_refused(&database, "the server is Citus on PostgreSQL 17.5", reason).await;
}

#[tokio::test]
async fn misplaced_tables_are_refused_on_other_engines_too() {
    let marks = "CREATE FUNCTION public.aurora_version() RETURNS text LANGUAGE sql AS $$ SELECT '16.3.0'::text $$";
    let database = answering("PostgreSQL 16.3 on x86_64-pc-linux-gnu", marks).await;
    let (code, printed) = command(&database, &["migrate", "up"]);
    assert_eq!(code, Some(0), "{printed}");
    let name = database.url.rsplit('/').next().expect("a name");
    let second = format!(
        "CREATE SCHEMA second; CREATE TABLE second.tasks (LIKE public.tasks);
         CREATE TABLE second.seaql_migrations (LIKE public.seaql_migrations);
         ALTER DATABASE {name} SET search_path = public, pg_catalog, second"
    );
    execute(&database.url, &second).await;
    let (code, printed) = command(&database, &["serve"]);
    assert_eq!(code, Some(78), "{printed}");
    assert!(printed.contains("several schemas"), "{printed}");
}

#[tokio::test]
async fn migrations_imports_and_moves_need_no_advisory_locks() {
    const VERSION: &str = "PostgreSQL 15.7 on x86_64-pc-linux-gnu";
    let database = answering(VERSION, NO_ADVISORY_LOCKS).await;
    let mut connection = PgConnection::connect(&database.url)
        .await
        .expect("connected");
    let lock = connection.execute("SELECT pg_advisory_xact_lock(1)").await;
    let error = lock.expect_err("there is no such lock").to_string();
    assert!(error.contains("no such lock"), "{error}");
    assert_served(&database, "PostgreSQL 15.7", None).await;
    let file = database.file(r#"[{"id": 1, "title": "imported", "user_id": "berta"}]"#);
    assert_eq!(database.import(&file, &[]).0, 0);
    let target = answering(VERSION, NO_ADVISORY_LOCKS).await;
    target.run_command(&["migrate", "up"]).assert_success();
    database.move_to(&target, "berta").assert_success();
}
