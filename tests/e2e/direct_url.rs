//! `DIRECT_URL` names the server behind the pooler, and the same database.

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use taskhold_testkit::postgres::{PostgresDatabase, PostgresServer};

use crate::connecting::assert_serve_fails;
use crate::pooler::pgbouncer::Pooler;
use crate::service::{Database, SECRET, Service, run};

#[tokio::test]
async fn direct_url_of_another_database_is_refused() {
    let (served, other) = (
        PostgresDatabase::empty().await,
        PostgresDatabase::empty().await,
    );
    let pooler = Pooler::with_prepared_statements(served.url()).await;
    let elsewhere = PostgresServer::start().expect("a server");
    // A copy of the served database has its name and tables.
    let (_, name) = served.url().rsplit_once('/').expect("a name");
    let mut admin = PgConnection::connect(&elsewhere.url("postgres"))
        .await
        .expect("connected");
    let create = format!("CREATE DATABASE \"{name}\"");
    admin.execute(AssertSqlSafe(create)).await.expect("made");
    for url in [served.url().to_owned(), pooler.url()] {
        for direct in [other.url().to_owned(), elsewhere.url(name)] {
            assert_serve_fails(
                &url,
                78,
                "DIRECT_URL leads to another database",
                &[("DIRECT_URL", &direct)],
            );
            let variables = [
                ("DATABASE_URL", url.as_str()),
                ("DIRECT_URL", &direct),
                ("JWT_SECRET", SECRET),
            ];
            let output = run(Database::sqlite().folder.path(), &variables, &["doctor"]);
            let printed = String::from_utf8_lossy(&output.stdout);
            let found = printed.lines().find(|line| line.contains(" direct "));
            assert!(
                found.is_some_and(
                    |line| line.starts_with("problem") && line.contains("another database")
                ),
                "{printed}"
            );
            // Nothing was made there.
            let mut there = PgConnection::connect(&direct).await.expect("connected");
            let tables = there
                .fetch_optional("SELECT 1 FROM pg_tables WHERE tablename = 'tasks'")
                .await;
            assert!(tables.expect("answered").is_none(), "{direct}");
        }
    }
}

/// Another role, another spelling of the host, and no pooler lead to the same database.
#[tokio::test]
async fn direct_url_of_the_same_database_is_accepted() {
    let served = PostgresDatabase::empty().await;
    let pooler = Pooler::with_prepared_statements(served.url()).await;
    let by_name = served.url().replace("127.0.0.1", "localhost");
    for url in [pooler.url(), served.url().to_owned()] {
        for direct in [served.url(), &by_name] {
            let database = Database::at(&url);
            let service = Service::start_with(&database, &[("DIRECT_URL", direct)]).await;
            service
                .client("alice")
                .create(json!({"title": "served"}))
                .await;
        }
    }
}
