//! PgBouncer in front of a database, in transaction mode: each transaction of a client may use another
//! session.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, Row as _};
use taskhold_testkit::postgres::server_user;
use tempfile::TempDir;

use crate::service::eventually;

/// The first version that supports prepared statements in transaction mode.
const PREPARED_STATEMENTS: Version = Version(1, 21);

/// A pooler on a free port of loopback, with three sessions for all its clients. It stops when dropped.
pub struct Pooler {
    child: Child,
    port: u16,
    database: String,
    folder: TempDir,
}

impl Pooler {
    /// Starts the system's PgBouncer without support for prepared statements: version 1.18 has none, and in
    /// later ones it is turned off.
    pub async fn without_prepared_statements(url: &str) -> Self {
        // Debian installs it in a folder that only root has on the path.
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"]
            .map(PathBuf::from)
            .into_iter()
            .find(|program| program.exists())
            .unwrap_or_else(|| PathBuf::from("pgbouncer"));
        Self::start(&program, "transaction", 0, url).await
    }

    /// Starts a PgBouncer that supports prepared statements.
    pub async fn with_prepared_statements(url: &str) -> Self {
        Self::start(&built(), "transaction", 100, url).await
    }

    /// Starts a PgBouncer that supports prepared statements, and no transactions: each statement of a client may
    /// use another session.
    pub async fn without_transactions(url: &str) -> Self {
        Self::start(&built(), "statement", 100, url).await
    }

    /// Returns the database URL for the service.
    pub fn url(&self) -> String {
        self.url_of(&self.database)
    }

    /// Returns the number of connected clients.
    pub async fn clients(&self) -> usize {
        let mut console = connected(&self.url_of("pgbouncer"))
            .await
            .expect("the admin console answers");
        // The admin console supports only the simple protocol.
        let clients = sqlx::raw_sql("SHOW CLIENTS").fetch_all(&mut console).await;
        clients
            .expect("a list of clients")
            .iter()
            .filter(|client| client.get::<String, _>("database") == self.database)
            .count()
    }

    async fn start(program: &Path, mode: &str, prepared_statements: u16, url: &str) -> Self {
        let statements = if Version::of(program) >= PREPARED_STATEMENTS {
            format!("max_prepared_statements = {prepared_statements}\n")
        } else {
            let program = program.display();
            assert_eq!(
                prepared_statements, 0,
                "{program} does not support prepared statements"
            );
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
             auth_type = any\npool_mode = {mode}\ndefault_pool_size = 3\n\
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
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Returns the PgBouncer that `make test` installs.
fn built() -> PathBuf {
    let named = std::env::var_os("PGBOUNCER").map(PathBuf::from);
    // It is in the folder of all builds, of which the one for the files of tests is a part.
    let folders = Path::new(env!("CARGO_TARGET_TMPDIR")).ancestors();
    let built = || {
        folders
            .map(|folder| folder.join("pgbouncer"))
            .find(|program| program.is_file())
    };
    named.or_else(built).unwrap_or_else(|| "pgbouncer".into())
}

/// Connects without the parameter `extra_float_digits`, which PgBouncer refuses.
async fn connected(url: &str) -> Result<PgConnection, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    PgConnection::connect_with(&options.extra_float_digits(None)).await
}

/// A version: major and minor number.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u16, u16);

impl Version {
    fn of(program: &Path) -> Self {
        let output = Command::new(program).arg("--version").output();
        let output = output.unwrap_or_else(|error| {
            panic!(
                "{}: {error}; `make test` installs PgBouncer",
                program.display()
            )
        });
        let text = String::from_utf8_lossy(&output.stdout);
        Self::parse(&text).unwrap_or_else(|| panic!("{} has no version: {text}", program.display()))
    }

    /// Parses the output of `--version`, such as `PgBouncer 1.24.1`.
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.strip_prefix("PgBouncer ")?.split(['.', '\n']);
        let mut number = || numbers.next()?.parse().ok();
        Some(Self(number()?, number()?))
    }
}

#[test]
fn versions_are_compared_as_numbers() {
    let version = |text| Version::parse(text).expect("a version");
    assert!(version("PgBouncer 1.9.0\nlibevent 2.1.12-stable\n") < PREPARED_STATEMENTS);
    assert!(version("PgBouncer 1.18.0\n") < PREPARED_STATEMENTS);
    assert!(version("PgBouncer 1.21\n") >= PREPARED_STATEMENTS);
    assert!(version("PgBouncer 1.100.2\n") >= PREPARED_STATEMENTS);
    assert!(version("PgBouncer 2.0.0\n") >= PREPARED_STATEMENTS);
}
