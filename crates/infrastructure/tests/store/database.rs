//! A fresh, migrated database for each test.

use std::num::NonZeroUsize;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::DatabaseConnection;
use taskhold_infrastructure::Database;
use taskhold_infrastructure::batching::Batched;
use taskhold_infrastructure::db::connect::ConnectOptions;
use taskhold_infrastructure::db::migrations::SchemaMigrator;
use taskhold_infrastructure::url::DatabaseUrl;
use taskhold_testkit::contract::Ports;
use taskhold_testkit::postgres::PostgresDatabase;
use tempfile::TempDir;

/// The ports of a database, and a raw connection for statements that no port offers.
pub struct TestDatabase {
    ports: Ports,
    pub database: Database,
    pub migrator: SchemaMigrator,
    pub sql: DatabaseConnection,
    pub folder: Option<TempDir>,
}

impl Deref for TestDatabase {
    type Target = Ports;

    fn deref(&self) -> &Ports {
        &self.ports
    }
}

impl AsRef<Ports> for TestDatabase {
    fn as_ref(&self) -> &Ports {
        &self.ports
    }
}

impl TestDatabase {
    /// Reverts the migrations from this one on, and applies them again.
    pub async fn repeat_migrations_from(&self, name: &str) {
        let known = self.migrator.status().await.expect("a status");
        let place = known.iter().position(|migration| migration.name == name);
        let steps = known.len() - place.expect("the migration");
        let steps = u32::try_from(steps).expect("few");
        self.migrator.down(steps).await.expect("down");
        self.migrator.up().await.expect("up");
    }
}

pub async fn sqlite() -> TestDatabase {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = sqlite_url(&folder);
    migrator(&url).await.up().await.expect("migrated");
    let path = url.sqlite_path().expect("a path").display().to_string();
    open(&url, &format!("sqlite://{path}"), Some(folder)).await
}

pub async fn postgres() -> TestDatabase {
    let database = PostgresDatabase::migrated(async |url| {
        let migrator = migrator(&parsed(&url)).await;
        migrator.up().await.expect("migrated");
        // PostgreSQL cannot copy a database that is in use.
        migrator.close().await.expect("closed");
    })
    .await;
    open(&parsed(database.url()), database.url(), None).await
}

/// Returns a database that batches concurrent calls on tasks.
pub async fn batched(opened: impl Future<Output = TestDatabase>) -> TestDatabase {
    let opened = opened.await;
    let size = NonZeroUsize::new(64).expect("not zero");
    TestDatabase {
        ports: Ports {
            tasks: Arc::new(Batched::new(opened.database.clone(), size)),
            ..opened.ports
        },
        ..opened
    }
}

pub fn sqlite_url(folder: &TempDir) -> DatabaseUrl {
    DatabaseUrl::sqlite(folder.path().join("new/taskhold.db"))
}

pub fn parsed(url: &str) -> DatabaseUrl {
    DatabaseUrl::parse(url).expect("a URL")
}

fn options(url: &DatabaseUrl) -> ConnectOptions {
    ConnectOptions {
        url: url.clone(),
        connect_timeout: Duration::from_secs(10),
        max_connections: 10,
        writes_per_commit: NonZeroUsize::new(64).expect("not zero"),
        pooled: false,
        restoring: false,
        slow_call: Duration::MAX,
    }
}

pub async fn migrator(url: &DatabaseUrl) -> SchemaMigrator {
    let migrator = SchemaMigrator::connect(&options(url)).await;
    migrator.expect("a connection")
}

async fn open(url: &DatabaseUrl, raw_url: &str, folder: Option<TempDir>) -> TestDatabase {
    let database = Database::connect(&options(url)).await.expect("opened");
    let mut one_connection = sea_orm::ConnectOptions::new(raw_url);
    one_connection.max_connections(1).sqlx_logging(false);
    let sql = sea_orm::Database::connect(one_connection).await;
    TestDatabase {
        ports: Ports::of(database.clone()),
        database,
        migrator: migrator(url).await,
        sql: sql.expect("connected"),
        folder,
    }
}
