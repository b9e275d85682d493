//! PgBouncer in front of a database, in transaction mode: a client may have another session for each
//! transaction.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, Row as _};
use taskhold_testkit::postgres::server_user;
use tempfile::TempDir;

use crate::service::eventually;

/// The first version that can keep the prepared statements of its clients apart.
const KEEPS_APART: Version = Version(1, 21);

/// A pooler on a free port of loopback, until dropped. It has three sessions for all its clients.
pub struct Pooler {
    child: Child,
    port: u16,
    database: String,
    folder: TempDir,
}

impl Pooler {
    /// The system's own, which at 1.18 has not learned of prepared statements; a later one is told to
    /// forget them.
    pub async fn mixing_statements(url: &str) -> Self {
        // Debian keeps it where only root's path leads.
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"]
            .map(PathBuf::from)
            .into_iter()
            .find(|program| program.exists())
            .unwrap_or_else(|| PathBuf::from("pgbouncer"));
        Self::start(&program, 0, url).await
    }

    /// One that keeps prepared statements apart.
    pub async fn keeping_statements_apart(url: &str) -> Self {
        let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/pgbouncer").to_owned();
        let program = std::env::var("PGBOUNCER").unwrap_or(built);
        Self::start(Path::new(&program), 100, url).await
    }

    /// What names it to the service.
    pub fn url(&self) -> String {
        self.url_of(&self.database)
    }

    /// How many clients are connected to it.
    pub async fn clients(&self) -> usize {
        let mut console = connected(&self.url_of("pgbouncer"))
            .await
            .expect("its console answers");
        // The console knows no other than the simple protocol.
        let clients = sqlx::raw_sql("SHOW CLIENTS").fetch_all(&mut console).await;
        clients
            .expect("a list of clients")
            .iter()
            .filter(|client| client.get::<String, _>("database") == self.database)
            .count()
    }

    async fn start(program: &Path, prepared_statements: u16, url: &str) -> Self {
        let statements = if Version::of(program) >= KEEPS_APART {
            format!("max_prepared_statements = {prepared_statements}\n")
        } else {
            let program = program.display();
            assert_eq!(prepared_statements, 0, "{program} mixes up statements");
            String::new()
        };
        let folder = tempfile::tempdir().expect("a folder");
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a port")
            .port();
        let (base, database) = url.rsplit_once('/').expect("a URL");
        let server_port = base.rsplit(':').next().expect("a port");
        let settings = format!(
            "[databases]\n{database} = host=127.0.0.1 port={server_port} user=postgres\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = 3\n\
             server_login_retry = 1\n{statements}"
        );
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).expect("written");
        let log = File::create(folder.path().join("log")).expect("a log");
        let mut command = Command::new(program);
        command.arg(&file).stdout(Stdio::null()).stderr(log);
        if let Some(user) = server_user() {
            command.args(["-u", user]);
            for (path, mode) in [(folder.path(), 0o755), (&file, 0o644)] {
                std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("readable");
            }
        }
        let mut pooler = Self {
            child: command.spawn().expect("PgBouncer starts"),
            port,
            database: database.to_owned(),
            folder,
        };
        eventually("the pooler answers", async || {
            pooler.assert_running();
            connected(&pooler.url()).await.ok().map(drop)
        })
        .await;
        pooler
    }

    fn assert_running(&mut self) {
        if let Some(status) = self.child.try_wait().expect("a status") {
            let log = std::fs::read_to_string(self.folder.path().join("log"));
            panic!("PgBouncer ended, {status}: {}", log.expect("a log"));
        }
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// PgBouncer refuses a parameter that the driver sends unless told not to.
async fn connected(url: &str) -> Result<PgConnection, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    PgConnection::connect_with(&options.extra_float_digits(None)).await
}

/// Major and minor.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u16, u16);

impl Version {
    fn of(program: &Path) -> Self {
        let output = Command::new(program).arg("--version").output();
        let output = output.unwrap_or_else(|error| {
            panic!(
                "{}: {error}; `make test` sees to it that PgBouncer is there",
                program.display()
            )
        });
        let said = String::from_utf8_lossy(&output.stdout);
        Self::parse(&said).unwrap_or_else(|| panic!("{} has no version: {said}", program.display()))
    }

    /// Of what it says first: `PgBouncer 1.24.1`.
    fn parse(said: &str) -> Option<Self> {
        let mut numbers = said.strip_prefix("PgBouncer ")?.split(['.', '\n']);
        let mut number = || numbers.next()?.parse().ok();
        Some(Self(number()?, number()?))
    }
}

#[test]
fn versions_are_compared_as_numbers() {
    let version = |said| Version::parse(said).expect("a version");
    assert!(version("PgBouncer 1.9.0\nlibevent 2.1.12-stable\n") < KEEPS_APART);
    assert!(version("PgBouncer 1.18.0\n") < KEEPS_APART);
    assert!(version("PgBouncer 1.21\n") >= KEEPS_APART);
    assert!(version("PgBouncer 1.100.2\n") >= KEEPS_APART);
    assert!(version("PgBouncer 2.0.0\n") >= KEEPS_APART);
}
