//! PostgreSQL servers and databases with the lifetime of the test that uses them.
//!
//! `make test` runs the whole suite under this crate's program `with-postgres`, which starts one
//! server and stores its URL in [`SERVER_VARIABLE`]; each test creates its own database there. A
//! test that breaks its server starts its own one.

mod database;
mod standby;
mod tls;

use std::env;
use std::ffi::OsStr;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sqlx::{Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

pub use self::database::PostgresDatabase;
use crate::small_disk::SmallDisk;

/// The environment variable with the URL of the suite's shared server.
pub const SERVER_VARIABLE: &str = "TASKHOLD_TEST_POSTGRES";

/// The environment variable with the folder of PostgreSQL's programs, if they are installed in none
/// of the usual folders.
pub const PROGRAMS_VARIABLE: &str = "PG_BIN_DIR";

/// The programs that a server is made with.
const PROGRAMS: [&str; 3] = ["initdb", "pg_ctl", "pg_basebackup"];

/// A PostgreSQL server on a free loopback port, with its data in a temporary folder. The server
/// stops when this value is dropped. It does not sync to disk; only a crash of the machine would
/// reveal that.
#[derive(Debug)]
pub struct PostgresServer {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    /// The disk of the tablespace that tests fill.
    disk: Option<SmallDisk>,
}

impl PostgresServer {
    /// Starts a server, which takes a second or two.
    ///
    /// # Errors
    /// Returns a sentence that says what is missing or what failed.
    pub fn start() -> Result<Self, String> {
        Self::start_with(None)
    }

    /// Starts a server with a disk of this size at [`small_folder`](Self::small_folder). Only the
    /// server and programs that [run on the disk](Self::run_on_small_disk) see it.
    ///
    /// # Errors
    /// Returns the errors of [`start`](Self::start).
    pub fn start_with_small_disk(size: &str) -> Result<Self, String> {
        Self::start_with(Some(size))
    }

    fn start_with(small_disk: Option<&str>) -> Result<Self, String> {
        let mut server = Self::without_data()?;
        if let Some(size) = small_disk {
            let folder = server.small_folder();
            std::fs::create_dir(&folder).map_err(|error| format!("no folder: {error}"))?;
            let disk = SmallDisk::mount(&folder, size);
            run_to_success(disk.inside(&chown_to_server_user(&folder)), "chown")?;
            server.disk = Some(disk);
        }
        server.run(
            "initdb",
            [
                "--no-sync",
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
            ],
        )?;
        server.launch()?;
        Ok(server)
    }

    /// Returns a server that has a folder and a port, and no data yet.
    fn without_data() -> Result<Self, String> {
        let programs = programs().ok_or_else(|| {
            format!(
                "PostgreSQL's server programs ({}) are missing: install Debian's package `postgresql`, \
                 or name their folder in {PROGRAMS_VARIABLE}",
                PROGRAMS.join(", ")
            )
        })?;
        let folder = tempfile::Builder::new()
            .prefix("taskhold-postgres-")
            .tempdir()
            .map_err(|error| format!("cannot make a temporary folder: {error}"))?;
        run_to_success(chown_to_server_user(folder.path()), "chown")?;
        let port = free_port().map_err(|error| format!("no free port: {error}"))?;
        Ok(Self {
            programs,
            folder,
            port,
            disk: None,
        })
    }

    /// Returns the URL of a database of this server.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Returns the mount point of the small disk.
    #[must_use]
    pub fn small_folder(&self) -> PathBuf {
        self.folder.path().join("small")
    }

    /// Runs a program as the server's user in the folder of the small disk.
    pub fn run_on_small_disk(&self, program: &str, arguments: &[&str]) {
        let mut command = as_server_user(Path::new(program));
        command.current_dir(self.small_folder()).args(arguments);
        run_to_success(self.with_disk_visible(command), program).expect("it runs");
    }

    /// Starts the server after [`stop`](Self::stop) or [`kill`](Self::kill).
    pub fn restart(&self) {
        self.launch().expect("PostgreSQL starts again");
    }

    /// Shuts the server down: ends its sessions and writes its data.
    pub fn stop(&self) {
        self.run("pg_ctl", ["stop", "--wait", "--mode=fast"])
            .expect("PostgreSQL stops");
    }

    /// Ends every process of the server with `kill -9`.
    pub fn kill(&self) {
        // A frozen postmaster can neither fork another process nor notice the end of one.
        self.freeze();
        let processes = self.processes();
        send("KILL", &processes);
        for process in &processes {
            while is_alive(process) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        // The next server would take the process id in a lock file for a running server until the
        // parent has reaped the process, or once another process has that id.
        let socket_lock = format!(".s.PGSQL.{}.lock", self.port);
        for lock in [self.pid_file(), self.folder.path().join(socket_lock)] {
            std::fs::remove_file(lock).expect("a server that was killed leaves it behind");
        }
    }

    /// Ends one process of the server, identified by its `pg_backend_pid()`, with `kill -9`. The
    /// server then ends all other sessions and recovers.
    pub fn kill_process(&self, process: i32) {
        let process = process.to_string();
        assert!(
            self.processes().contains(&process),
            "{process} is none of this server's"
        );
        send("KILL", &[process]);
    }

    /// Returns the server's log so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).expect("its log")
    }

    /// Ends every client session.
    pub async fn end_sessions(&self) {
        let mut admin = PgConnection::connect(&self.url("postgres"))
            .await
            .expect("connected");
        let end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        admin.execute(end_all).await.expect("ended");
    }

    /// Stops every process of the server with `SIGSTOP`: connections stay open and receive no
    /// answers.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Resumes the processes that [`freeze`](Self::freeze) stopped.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn launch(&self) -> Result<(), String> {
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c max_connections=300 -c fsync=off \
             -c full_page_writes=off -c timezone=America/New_York",
            self.port,
            self.folder.path().display(),
        );
        let log = self.folder.path().join("log");
        self.run(
            "pg_ctl",
            [
                OsStr::new("start"),
                OsStr::new("--wait"),
                OsStr::new("--log"),
                log.as_os_str(),
                OsStr::new("--options"),
                OsStr::new(&options),
            ],
        )
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Runs one of PostgreSQL's programs on this server's data.
    fn run(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<(), String> {
        let mut command = as_server_user(&self.programs.join(program));
        command
            .current_dir(self.folder.path())
            .env("PGDATA", self.data())
            .args(arguments);
        run_to_success(self.with_disk_visible(command), program)
    }

    fn with_disk_visible(&self, command: Command) -> Command {
        match &self.disk {
            Some(disk) => disk.inside_as_current_user(&command),
            None => command,
        }
    }

    fn signal(&self, signal: &str) {
        send(signal, &self.processes());
    }

    fn pid_file(&self) -> PathBuf {
        self.data().join("postmaster.pid")
    }

    /// Returns the process ids of the server, the postmaster's first.
    fn processes(&self) -> Vec<String> {
        let pid_file = std::fs::read_to_string(self.pid_file()).expect("the server runs");
        let postmaster = pid_file
            .lines()
            .next()
            .expect("its first line is the process");
        let children = format!("/proc/{postmaster}/task/{postmaster}/children");
        let children = std::fs::read_to_string(children).expect("Linux lists a process's children");
        std::iter::once(postmaster)
            .chain(children.split_whitespace())
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.thaw_if_running();
        // A server that has already stopped needs no cleanup.
        drop(self.run("pg_ctl", ["stop", "--wait", "--silent", "--mode=immediate"]));
    }
}

impl PostgresServer {
    /// Resumes the server's processes, because a frozen server cannot be stopped.
    fn thaw_if_running(&self) {
        if self.pid_file().exists() {
            self.thaw();
        }
    }
}

/// Returns the folder of PostgreSQL's server programs; of the installed versions, the highest.
fn programs() -> Option<PathBuf> {
    let named = env::var_os(PROGRAMS_VARIABLE).map(PathBuf::from);
    let on_path = env::var_os("PATH")
        .map(|path| env::split_paths(&path).collect::<Vec<_>>())
        .unwrap_or_default();
    let mut debian: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    debian.sort_by_key(|path| {
        let version = path.file_name().and_then(OsStr::to_str);
        std::cmp::Reverse(version.and_then(|version| version.parse::<u32>().ok()))
    });
    named
        .into_iter()
        .chain(on_path)
        .chain(debian.into_iter().map(|version| version.join("bin")))
        .find(|folder| PROGRAMS.iter().all(|program| folder.join(program).exists()))
}

fn send(signal: &str, processes: &[String]) {
    let mut kill = Command::new("sh");
    kill.args(["-c", &format!("kill -{signal} {}", processes.join(" "))]);
    // `kill` reports an error for a child that has ended meanwhile.
    kill.stderr(Stdio::null()).status().expect("sh runs");
}

/// Returns whether a process is running, not a zombie.
fn is_alive(process: &str) -> bool {
    // The state follows the process name, which is in parentheses.
    std::fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .starts_with(" Z")
    })
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// Returns the user that runs servers if the tests run as root: the user created by PostgreSQL's
/// package. PostgreSQL and PgBouncer refuse to run as root.
#[must_use]
pub fn server_user() -> Option<&'static str> {
    let is_root = std::fs::metadata("/proc/self")
        .is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0);
    is_root.then_some("postgres")
}

fn as_server_user(program: &Path) -> Command {
    let Some(user) = server_user() else {
        return Command::new(program);
    };
    let mut command = Command::new("runuser");
    command.args(["-u", user, "--"]).arg(program);
    command
}

fn chown_to_server_user(folder: &Path) -> Command {
    let mut command = Command::new("true");
    if let Some(user) = server_user() {
        command = Command::new("chown");
        command.arg(user).arg(folder);
    }
    command
}

fn run_to_success(mut command: Command, name: &str) -> Result<(), String> {
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!(
            "{name} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ))
    }
}
