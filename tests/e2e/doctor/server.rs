//! Findings about PostgreSQL: a stopped server, missing rights, too few connections and poolers.

use sqlx::{AssertSqlSafe, Executor as _, PgConnection};
use taskhold_testkit::postgres::{PostgresDatabase, PostgresServer};

use super::{Report, admin, migrate, run_to_success};
use crate::pooler::pgbouncer::Pooler;
use crate::service::Database;

async fn execute(connection: &mut PgConnection, statements: &str) {
    let statements = AssertSqlSafe(statements.to_owned());
    connection.execute(statements).await.expect("done");
}

#[tokio::test]
async fn store_that_is_down_stops_no_other_check() {
    let server = PostgresServer::start().expect("a server");
    let database = Database::at(&server.url("postgres"));
    migrate(&database);
    run_to_success(&database, &["backup"]);
    Report::of(&database, &[]).assert_problems(&[]);
    server.stop();
    let report = Report::of(&database, &[]);
    report
        .assert_problems(&["store"])
        .assert_finding("store", "problem", "DATABASE_URL: PostgreSQL at 127.0.0.1")
        .assert_finding("backup", "ok", "the newest is of")
        .assert_finding("backup-disk", "ok", "free for backups")
        .findings
        .get("secret")
        .expect("looked at");
    for check in [
        "rights",
        "migrating",
        "connections",
        "pooler",
        "schema",
        "clock",
    ] {
        report.assert_finding(check, "not_checked", "the store does not answer");
    }
    server.restart();
    server.freeze();
    let report = Report::of(&database, &[]);
    server.thaw();
    report.assert_problems(&["store"]);
}

#[tokio::test]
async fn missing_rights_are_problems_with_the_grants_to_make() {
    let server = PostgresServer::start().expect("a server");
    let owner = server.url("postgres");
    let database = Database::at(&owner);
    migrate(&database);
    Report::of(&database, &[])
        .assert_problems(&[])
        .assert_finding("rights", "warning", "superuser");
    let mut admin = admin(&owner).await;
    execute(
        &mut admin,
        "CREATE ROLE app LOGIN; GRANT SELECT ON seaql_migrations TO app",
    )
    .await;
    let app = Database::at(&owner.replace("postgres@", "app@"));
    Report::of(&app, &[])
        .assert_problems(&["migrating", "rights"])
        .assert_finding(
            "rights",
            "problem",
            "GRANT DELETE, INSERT, SELECT, UPDATE ON public.tasks TO app;",
        )
        .assert_finding("migrating", "problem", "database.auto_migrate");
    execute(
        &mut admin,
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app",
    )
    .await;
    execute(&mut admin, "REVOKE DELETE ON attempts FROM app").await;
    Report::of(&app, &[("TASKHOLD__DATABASE__AUTO_MIGRATE", "false")])
        .assert_problems(&["rights"])
        .assert_finding("rights", "problem", "app lacks DELETE on attempts");
    execute(&mut admin, "GRANT DELETE ON attempts TO app").await;
    let by_hand = [("TASKHOLD__DATABASE__AUTO_MIGRATE", "false")];
    Report::of(&app, &by_hand)
        .assert_problems(&[])
        .assert_finding("rights", "ok", "may read and write");
    // Another role migrates through the direct URL.
    Report::of(&app, &[("DIRECT_URL", owner.as_str())])
        .assert_problems(&[])
        .assert_finding("migrating", "ok", "the role postgres may change the tables");

    execute(&mut admin, "REVOKE USAGE ON SCHEMA public FROM PUBLIC").await;
    Report::of(&app, &by_hand).assert_finding("rights", "problem", "GRANT USAGE ON SCHEMA");
    execute(&mut admin, "GRANT USAGE ON SCHEMA public TO app").await;
    execute(&mut admin, "ALTER ROLE app CONNECTION LIMIT 5").await;
    Report::of(&app, &by_hand)
        .assert_problems(&[])
        .assert_finding("connections", "warning", "5 only");
    execute(
        &mut admin,
        "ALTER ROLE app SET default_transaction_read_only = on",
    )
    .await;
    Report::of(&app, &by_hand).assert_finding("store", "problem", "takes no writes");
    execute(&mut admin, "CREATE SCHEMA taskhold_before_restore").await;
    Report::of(&app, &by_hand).assert_finding("store", "problem", "taskhold restore");
}

#[tokio::test]
async fn oversized_pool_is_a_problem() {
    let database = Database::postgres().await;
    migrate(&database);
    // The suite's server allows 300 connections and reserves 3 for superusers.
    Report::of(&database, &[("TASKHOLD__DATABASE__MAX_CONNECTIONS", "297")])
        .assert_problems(&["connections"])
        .assert_finding("connections", "problem", "298; the server has 297");
    Report::of(&database, &[]).assert_finding("connections", "ok", "room for ");
}

#[tokio::test]
async fn newer_migrations_are_a_warning() {
    let database = Database::postgres().await;
    migrate(&database);
    let mut admin = admin(&database.url).await;
    execute(
        &mut admin,
        "INSERT INTO seaql_migrations VALUES ('m20990101_000001_to_come', 0)",
    )
    .await;
    Report::of(&database, &[])
        .assert_problems(&[])
        .assert_finding("schema", "warning", "m20990101_000001_to_come");
}

#[tokio::test]
async fn pooler_is_found_and_judged() {
    let database = PostgresDatabase::empty().await;
    migrate(&Database::at(database.url()));
    let direct = [("DIRECT_URL", database.url())];
    let unsafe_one = Pooler::without_prepared_statements(database.url()).await;
    Report::of(&Database::at(&unsafe_one.url()), &direct)
        .assert_problems(&["pooler"])
        .assert_finding("pooler", "problem", "mixes up prepared statements");
    drop(unsafe_one);
    let by_statement = Pooler::without_transactions(database.url()).await;
    Report::of(&Database::at(&by_statement.url()), &direct)
        .assert_problems(&["store"])
        .assert_finding("store", "problem", "pool_mode=statement");
    drop(by_statement);
    let pooler = Pooler::with_prepared_statements(database.url()).await;
    let behind = Database::at(&pooler.url());
    Report::of(&behind, &direct)
        .assert_problems(&[])
        .assert_finding("pooler", "ok", "keeps prepared");
    Report::of(&behind, &[])
        .assert_problems(&[])
        .assert_finding("pooler", "warning", "DIRECT_URL");
    Report::of(&Database::at(database.url()), &[]).assert_finding(
        "pooler",
        "ok",
        "a session of its own",
    );
}
