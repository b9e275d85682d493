//! A power cut removes from a SQLite file what was never synced. `tests/power_cut/copy_synced_files.c`
//! copies synced data to another folder, and explains why a power cut can leave exactly that.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::iter;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::service::{Database, Service};
use crate::soak::rounds;
use crate::writers::Writers;

/// Writers of each kind.
const WRITERS: usize = 16;
/// Tasks acknowledged between two power cuts: enough to fill SQLite's log several times.
const TASKS: usize = 500;

/// A simulated machine whose power can be cut.
struct Machine {
    database: Database,
    /// The files as programs see them, including unsynced data.
    live: PathBuf,
    /// The files as they are on the disk: synced data only.
    disk: PathBuf,
    /// The library that copies synced data, for `LD_PRELOAD`.
    library: PathBuf,
}

impl Machine {
    /// Creates a machine with an empty disk.
    fn new() -> Self {
        let database = Database::sqlite();
        // The library sees the real paths of open files.
        let folder = fs::canonicalize(database.folder.path()).expect("the folder exists");
        let library = folder.join("copy_synced_files.so");
        let source =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/power_cut/copy_synced_files.c");
        let mut cc = Command::new("cc");
        cc.args(["-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC"])
            .arg("-o")
            .args([&library, &source]);
        let outcome = cc.status().expect("the C compiler `cc` runs");
        assert!(outcome.success(), "the library is compiled");
        let machine = Self {
            database,
            live: folder.join("data"),
            disk: folder.join("disk"),
            library,
        };
        for folder in [&machine.live, &machine.disk] {
            fs::create_dir(folder).expect("a folder");
        }
        machine
    }

    /// Returns the environment variables for a program on this machine. `LD_PRELOAD` is a variable of the dynamic
    /// linker: it loads the library of `tests/power_cut`, whose `fsync` and `fdatasync` copy what is synced, before the
    /// system's.
    fn variables(&self) -> [(&str, &str); 3] {
        [
            ("LD_PRELOAD", &self.library),
            ("SYNCED_FROM", &self.live),
            ("SYNCED_TO", &self.disk),
        ]
        .map(|(name, path)| (name, path.to_str().expect("UTF-8")))
    }

    async fn serve(&self) -> Service {
        Service::start_with(&self.database, &self.variables()).await
    }

    /// Discards unsynced data, after the programs were killed.
    fn restore_power(&self) {
        fs::remove_dir_all(&self.live).expect("removed");
        fs::rename(&self.disk, &self.live).expect("renamed");
        copy_files(&self.live, &self.disk);
    }

    /// Executes statements on a copy of the live file with SQLite's shell, and returns the output.
    fn query(&self, statements: &str) -> String {
        // Closing the last connection to a file writes to it, hence the copy.
        let copy = TempDir::new().expect("a temporary folder");
        let copy = copy.path().join("copy");
        copy_files(&self.live, &copy);
        let mut shell = Command::new("sqlite3");
        shell.arg(copy.join("taskhold.db")).arg(statements);
        let output = shell.output().expect("SQLite's shell `sqlite3` runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder");
    for file in fs::read_dir(from).expect("a folder") {
        let file = file.expect("a file");
        fs::copy(file.path(), to.join(file.file_name())).expect("copied");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn power_cut_loses_no_acknowledged_task() {
    let machine = Machine::new();
    let mut service = machine.serve().await;
    let writers = Writers::start(&service, WRITERS);
    for _ in 0..rounds(3, 20) {
        writers.wait_for_progress(TASKS).await;
        service.kill();
        machine.restore_power();
        assert_eq!(machine.query("PRAGMA integrity_check"), "ok");
        service = machine.serve().await;
        writers.switch_to(&service);
    }
    let record = writers.finish(&service).await;
    assert!(record.unknown > 0, "the power cuts hit requests under way");
}

/// Without this test, a machine that loses nothing at all would pass the test above.
#[test]
fn power_cut_loses_unsynced_sqlite_commits() {
    let kept = |synchronous| {
        let machine = Machine::new();
        let inserted = insert_until_power_cut(&machine, synchronous);
        machine.restore_power();
        assert_eq!(machine.query("PRAGMA integrity_check"), "ok");
        let kept = machine.query("SELECT count(*) FROM t");
        println!("{synchronous}: {kept} kept of {inserted} acknowledged");
        (kept.parse::<usize>().expect("a number"), inserted)
    };
    let (full, inserted) = kept("FULL");
    assert_eq!(full, inserted);
    let (normal, inserted) = kept("NORMAL");
    assert!(normal < inserted, "{normal} of {inserted}");
}

/// Inserts rows, each in its own transaction, and kills the shell when all are acknowledged.
fn insert_until_power_cut(machine: &Machine, synchronous: &str) -> usize {
    const ROWS: usize = 200;
    let mut shell = Command::new("sqlite3")
        .arg(machine.live.join("taskhold.db"))
        .envs(machine.variables())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("SQLite's shell `sqlite3` runs");
    let statements: String = iter::once(format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous};
         CREATE TABLE t (n); PRAGMA wal_checkpoint;\n"
    ))
    .chain((0..ROWS).map(|number| format!("INSERT INTO t VALUES ({number});\n")))
    .chain(["SELECT 'all inserted';\n".to_owned()])
    .collect();
    // The pipe stays open: at the end of its input the shell would close the file properly.
    let mut input = shell.stdin.take().expect("a pipe");
    input
        .write_all(statements.as_bytes())
        .and_then(|()| input.flush())
        .expect("the shell reads");
    let output = BufReader::new(shell.stdout.take().expect("a pipe"));
    let acknowledged = output
        .lines()
        .map_while(Result::ok)
        .any(|line| line == "all inserted");
    assert!(acknowledged, "the shell ended early");
    shell.kill().expect("killed");
    shell.wait().expect("ended");
    ROWS
}
