//! Streaming standbys, for tests of failover.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

use super::PostgresServer;

/// The longest that a test waits for a standby: long enough for a loaded machine.
const STANDBY_TIMEOUT: Duration = Duration::from_secs(30);

impl PostgresServer {
    /// Starts a standby that streams from this server, with its own data and port. It takes a few
    /// seconds. The server acknowledges commits without the standby, unless
    /// [told otherwise](Self::commit_on_standbys).
    ///
    /// # Errors
    /// Returns a sentence that says what failed.
    pub fn standby(&self) -> Result<Self, String> {
        let standby = Self::without_data()?;
        standby.copy(self)?;
        Ok(standby)
    }

    /// Replaces the data of this server, which has ended, by a copy of the primary's, and starts it
    /// as a standby.
    pub fn rebuild(&self, primary: &Self) {
        std::fs::remove_dir_all(self.data()).expect("its data is deleted");
        self.copy(primary).expect("a standby");
    }

    /// Copies the data of the primary, and starts this server as its standby.
    fn copy(&self, primary: &Self) -> Result<(), String> {
        let source = format!("host=127.0.0.1 port={} user=postgres", primary.port);
        let data = self.data();
        self.run(
            "pg_basebackup",
            [
                OsStr::new("--dbname"),
                OsStr::new(&source),
                OsStr::new("--pgdata"),
                data.as_os_str(),
                OsStr::new("--write-recovery-conf"),
                OsStr::new("--checkpoint=fast"),
                OsStr::new("--no-sync"),
            ],
        )?;
        // The copied settings may tell to wait for a standby, which the copy does not have.
        self.configure("synchronous_standby_names = ''\n")
            .map_err(|error| format!("the standby's settings: {error}"))?;
        self.launch()
    }

    /// Makes synchronous replication begin, if `are_awaited`, or end: from now on a commit is
    /// acknowledged only once a standby has received it. Returns when that is in effect: a standby
    /// is connected, or none is awaited.
    pub async fn commit_on_standbys(&self, are_awaited: bool) {
        let mut admin = self.admin().await;
        let names = if are_awaited { "*" } else { "" };
        let set = format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'");
        admin.execute(AssertSqlSafe(set)).await.expect("set");
        let reload = "SELECT pg_reload_conf()";
        admin.execute(reload).await.expect("reloaded");
        let awaited = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        self.wait(awaited, i64::from(are_awaited)).await;
    }

    /// Waits until this many standbys stream from this server.
    pub async fn wait_for_standbys(&self, count: u8) {
        let streaming = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'";
        self.wait(streaming, count.into()).await;
    }

    /// Makes a standby a primary. It replays first what it has received, and then takes writes.
    pub fn promote(&self) {
        self.run("pg_ctl", ["promote", "--wait"])
            .expect("the standby is promoted");
    }

    /// Makes the standby receive what the primary sends without showing it, until
    /// [resumed](Self::resume_replay).
    pub async fn pause_replay(&self) {
        let mut admin = self.admin().await;
        let pause = "SELECT pg_wal_replay_pause()";
        admin.execute(pause).await.expect("paused");
        drop(admin);
        let paused = "SELECT count(*) WHERE pg_get_wal_replay_pause_state() = 'paused'";
        self.wait(paused, 1).await;
    }

    /// Makes the standby replay what it has received.
    pub async fn resume_replay(&self) {
        let resume = "SELECT pg_wal_replay_resume()";
        self.admin().await.execute(resume).await.expect("resumed");
    }

    /// Restarts this server as a standby of another one, which must have its history: it follows a
    /// `primary` that was promoted after this server had sent everything and stopped.
    pub fn follow(&self, primary: &Self) {
        let source = format!(
            "primary_conninfo = 'host=127.0.0.1 port={} user=postgres'\n\
             synchronous_standby_names = ''\n",
            primary.port
        );
        self.configure(&source).expect("written");
        std::fs::write(self.data().join("standby.signal"), "").expect("written");
        self.launch().expect("the standby starts");
    }

    /// Restarts the standby so that it refuses every session with 57P03 until it is promoted, like a
    /// server that is starting up.
    pub fn refuse_sessions(&self) {
        self.configure("hot_standby = off\n").expect("written");
        self.stop();
        self.restart();
    }

    /// Appends settings that take effect when the server starts.
    fn configure(&self, settings: &str) -> io::Result<()> {
        let file = self.data().join("postgresql.auto.conf");
        let mut file = OpenOptions::new().append(true).open(file)?;
        file.write_all(settings.as_bytes())
    }

    async fn admin(&self) -> PgConnection {
        PgConnection::connect(&self.url("postgres"))
            .await
            .expect("connected")
    }

    /// Waits until a query returns this number.
    async fn wait(&self, query: &'static str, expected: i64) {
        let mut admin = self.admin().await;
        let deadline = Instant::now() + STANDBY_TIMEOUT;
        loop {
            let row = admin.fetch_one(query).await.expect("an answer");
            let found: i64 = row.get(0);
            if found == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{found} of {expected}: {query}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
