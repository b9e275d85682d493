//! A database for each test, on the suite's shared server.

use std::env;

use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::SERVER_VARIABLE;

/// A database for one test, on the suite's shared server. It is removed with the server when the
/// suite ends.
#[derive(Debug)]
pub struct PostgresDatabase {
    url: String,
}

impl PostgresDatabase {
    /// Copies a database on which `migrate` was run once for all tests of the program. `migrate`
    /// receives the URL of an empty database.
    pub async fn migrated(migrate: impl AsyncFnOnce(String)) -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let template = TEMPLATE
            .get_or_init(|| async {
                let template = Self::empty().await;
                migrate(template.url.clone()).await;
                template.name().to_owned()
            })
            .await;
        Self::create(&format!(" TEMPLATE {template}")).await
    }

    /// Creates a database without tables.
    pub async fn empty() -> Self {
        Self::create("").await
    }

    /// Returns the database's URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }

    async fn create(clause: &str) -> Self {
        let server = env::var(SERVER_VARIABLE).unwrap_or_else(|_| {
            panic!("no PostgreSQL server for tests: run `make test`, or `make test-shell` for a shell with one")
        });
        #[expect(
            clippy::disallowed_methods,
            reason = "names of databases are no ids of the product"
        )]
        let name = format!("t{}", Uuid::now_v7().simple());
        let mut connection = PgConnection::connect(&server)
            .await
            .expect("the server of the suite answers");
        let statement = format!("CREATE DATABASE {name}{clause}");
        connection
            .execute(sqlx::AssertSqlSafe(statement))
            .await
            .expect("a new database");
        let (base, _) = server.rsplit_once('/').expect("the URL names a database");
        Self {
            url: format!("{base}/{name}"),
        }
    }
}
