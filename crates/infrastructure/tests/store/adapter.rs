//! A fresh, migrated store for each test.

use std::num::NonZeroUsize;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::DatabaseConnection;
use taskhold_infrastructure::idempotency::SqlKeys;
use taskhold_infrastructure::import::SqlImport;
use taskhold_infrastructure::probe::SqlProbe;
use taskhold_infrastructure::rate_limits::SqlRateLimits;
use taskhold_infrastructure::revocations::SqlRevocations;
use taskhold_infrastructure::schema;
use taskhold_infrastructure::sessions::SqlSessions;
use taskhold_infrastructure::start::Opening;
use taskhold_infrastructure::tasks::SqlTasks;
use taskhold_infrastructure::url::DatabaseUrl;
use taskhold_infrastructure::users::SqlUsers;
use taskhold_repository::health::StoreHealth;
use taskhold_repository::idempotency::IdempotencyKeyRepository;
use taskhold_repository::import::ImportRun;
use taskhold_repository::rate_limits::RateLimitRepository;
use taskhold_repository::revocations::RevocationRepository;
use taskhold_repository::sessions::SessionRepository;
use taskhold_repository::tasks::TaskRepository;
use taskhold_repository::users::UserRepository;
use taskhold_testkit::contract::Adapter;
use taskhold_testkit::postgres::PostgresDatabase;
use tempfile::TempDir;

/// The ports on one store, with another connection for what no port can do.
pub struct SqlAdapter {
    pub tasks: SqlTasks,
    pub users: SqlUsers,
    pub sessions: SqlSessions,
    pub revocations: SqlRevocations,
    pub attempts: SqlRateLimits,
    pub keys: SqlKeys,
    pub probe: SqlProbe,
    pub opening: Opening,
    pub sql: DatabaseConnection,
    pub folder: Option<TempDir>,
}

#[async_trait]
impl Adapter for SqlAdapter {
    fn tasks(&self) -> &dyn TaskRepository {
        &self.tasks
    }
    fn users(&self) -> &dyn UserRepository {
        &self.users
    }
    fn sessions(&self) -> &dyn SessionRepository {
        &self.sessions
    }
    fn revocations(&self) -> &dyn RevocationRepository {
        &self.revocations
    }
    fn rate_limits(&self) -> &dyn RateLimitRepository {
        &self.attempts
    }
    fn keys(&self) -> &dyn IdempotencyKeyRepository {
        &self.keys
    }
    fn probe(&self) -> &dyn StoreHealth {
        &self.probe
    }
    async fn import(&self) -> Box<dyn ImportRun> {
        let session = self.opening.session().await.expect("a session");
        Box::new(SqlImport::begin(session).await.expect("begun"))
    }
}

pub async fn sqlite() -> SqlAdapter {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = sqlite_url(&folder);
    schema::up(&connection(&url).await).await.expect("migrated");
    adapter(&url, Some(folder)).await
}

pub async fn postgres() -> SqlAdapter {
    let database = PostgresDatabase::migrated(async |url| {
        let connection = connection(&parsed(&url)).await;
        schema::up(&connection).await.expect("migrated");
        // A database in use cannot be copied.
        connection.close().await.expect("closed");
    })
    .await;
    adapter(&parsed(database.url()), None).await
}

pub fn sqlite_url(folder: &TempDir) -> DatabaseUrl {
    DatabaseUrl::Sqlite(folder.path().join("new/taskhold.db"))
}

pub fn parsed(url: &str) -> DatabaseUrl {
    DatabaseUrl::parse(url).expect("a URL")
}

pub fn opening(url: &DatabaseUrl) -> Opening {
    Opening {
        url: url.clone(),
        patience: Duration::from_secs(10),
        connections: 10,
        writes_per_commit: NonZeroUsize::new(64).expect("not zero"),
        pooled: false,
        restoring: false,
    }
}

pub async fn connection(url: &DatabaseUrl) -> DatabaseConnection {
    opening(url).maintenance().await.expect("a connection")
}

async fn adapter(url: &DatabaseUrl, folder: Option<TempDir>) -> SqlAdapter {
    let opening = opening(url);
    let store = opening.store().await.expect("an open store");
    SqlAdapter {
        tasks: SqlTasks::new(store.clone()),
        users: SqlUsers::new(store.clone()),
        sessions: SqlSessions::new(store.clone()),
        revocations: SqlRevocations::new(store.clone()),
        attempts: SqlRateLimits::new(store.clone()),
        keys: SqlKeys::new(store.clone()),
        probe: SqlProbe::new(store),
        opening,
        sql: connection(url).await,
        folder,
    }
}
