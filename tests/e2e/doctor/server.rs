//! A PostgreSQL that is away, a role without rights, too few connections, a pooler.

use sqlx::{AssertSqlSafe, Executor as _, PgConnection};
use taskhold_testkit::postgres::{PostgresDatabase, PostgresServer};

use super::{Report, admin, done, migrated};
use crate::pooler::pgbouncer::Pooler;
use crate::service::Database;

async fn told(connection: &mut PgConnection, statements: &str) {
    let statements = AssertSqlSafe(statements.to_owned());
    connection.execute(statements).await.expect("done");
}

#[tokio::test]
async fn store_that_is_down_stops_no_other_check() {
    let server = PostgresServer::start().expect("a server");
    let database = Database::at(&server.url("postgres"));
    migrated(&database);
    done(&database, &["backup"]);
    Report::of(&database, &[]).problems(&[]);
    server.stop();
    let report = Report::of(&database, &[]);
    report
        .problems(&["store"])
        .tells("store", "problem", "DATABASE_URL: PostgreSQL at 127.0.0.1")
        .tells("backup", "ok", "the newest is of")
        .tells("backup-disk", "ok", "free for backups")
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
        report.tells(check, "not_checked", "the store does not answer");
    }
    server.restart();
    server.freeze();
    let report = Report::of(&database, &[]);
    server.thaw();
    report.problems(&["store"]);
}

#[tokio::test]
async fn missing_rights_are_problems_with_the_grants_to_make() {
    let server = PostgresServer::start().expect("a server");
    let owner = server.url("postgres");
    let database = Database::at(&owner);
    migrated(&database);
    Report::of(&database, &[])
        .problems(&[])
        .tells("rights", "warning", "superuser");
    let mut admin = admin(&owner).await;
    told(
        &mut admin,
        "CREATE ROLE app LOGIN; GRANT SELECT ON seaql_migrations TO app",
    )
    .await;
    let app = Database::at(&owner.replace("postgres@", "app@"));
    Report::of(&app, &[])
        .problems(&["migrating", "rights"])
        .tells(
            "rights",
            "problem",
            "GRANT DELETE, INSERT, SELECT, UPDATE ON public.tasks TO app;",
        )
        .tells("migrating", "problem", "database.auto_migrate");
    told(
        &mut admin,
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app",
    )
    .await;
    told(&mut admin, "REVOKE DELETE ON attempts FROM app").await;
    Report::of(&app, &[("TASKHOLD__DATABASE__AUTO_MIGRATE", "false")])
        .problems(&["rights"])
        .tells("rights", "problem", "app lacks DELETE on attempts");
    told(&mut admin, "GRANT DELETE ON attempts TO app").await;
    let by_hand = [("TASKHOLD__DATABASE__AUTO_MIGRATE", "false")];
    Report::of(&app, &by_hand)
        .problems(&[])
        .tells("rights", "ok", "may read and write");
    // Another role migrates, by the URL for that.
    Report::of(&app, &[("DIRECT_URL", owner.as_str())])
        .problems(&[])
        .tells("migrating", "ok", "the role postgres may change the tables");

    told(&mut admin, "REVOKE USAGE ON SCHEMA public FROM PUBLIC").await;
    Report::of(&app, &by_hand).tells("rights", "problem", "GRANT USAGE ON SCHEMA");
    told(&mut admin, "GRANT USAGE ON SCHEMA public TO app").await;
    told(&mut admin, "ALTER ROLE app CONNECTION LIMIT 5").await;
    Report::of(&app, &by_hand)
        .problems(&[])
        .tells("connections", "warning", "5 only");
    told(
        &mut admin,
        "ALTER ROLE app SET default_transaction_read_only = on",
    )
    .await;
    Report::of(&app, &by_hand).tells("store", "problem", "takes no writes");
    told(&mut admin, "CREATE SCHEMA taskhold_before_restore").await;
    Report::of(&app, &by_hand).tells("store", "problem", "taskhold restore");
}

#[tokio::test]
async fn a_pool_that_the_server_has_no_room_for() {
    let database = Database::postgres().await;
    migrated(&database);
    // The tests' server has 300, of which 3 are kept for its superusers.
    Report::of(&database, &[("TASKHOLD__DATABASE__MAX_CONNECTIONS", "297")])
        .problems(&["connections"])
        .tells("connections", "problem", "298; the server has 297");
    Report::of(&database, &[]).tells("connections", "ok", "room for ");
}

#[tokio::test]
async fn newer_migrations_are_a_warning() {
    let database = Database::postgres().await;
    migrated(&database);
    let mut admin = admin(&database.url).await;
    told(
        &mut admin,
        "INSERT INTO seaql_migrations VALUES ('m20990101_000001_to_come', 0)",
    )
    .await;
    Report::of(&database, &[])
        .problems(&[])
        .tells("schema", "warning", "m20990101_000001_to_come");
}

#[tokio::test]
async fn pooler_is_found_and_judged() {
    let database = PostgresDatabase::empty().await;
    migrated(&Database::at(database.url()));
    let direct = [("DIRECT_URL", database.url())];
    let unsafe_one = Pooler::mixing_statements(database.url()).await;
    Report::of(&Database::at(&unsafe_one.url()), &direct)
        .problems(&["pooler"])
        .tells("pooler", "problem", "mixes up prepared statements");
    drop(unsafe_one);
    let pooler = Pooler::keeping_statements_apart(database.url()).await;
    let behind = Database::at(&pooler.url());
    Report::of(&behind, &direct)
        .problems(&[])
        .tells("pooler", "ok", "keeps prepared");
    Report::of(&behind, &[])
        .problems(&[])
        .tells("pooler", "warning", "DIRECT_URL");
    Report::of(&Database::at(database.url()), &[]).tells("pooler", "ok", "a session of its own");
}
