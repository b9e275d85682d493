//! A power cut takes from a SQLite file what was never synced. `tests/power_cut/copy_synced_files.c`
//! keeps apart what was, and says why that is what a power cut can leave.

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
/// Tasks that are acknowledged between two power cuts: enough to fill SQLite's log several times.
const TASKS: usize = 500;

/// A machine whose power can be cut.
struct Machine {
    database: Database,
    /// What programs see: it is in memory, some of it also on the disk.
    seen: PathBuf,
    /// What is on the disk.
    disk: PathBuf,
    preloaded: PathBuf,
}

impl Machine {
    /// Nothing is on its disk.
    fn new() -> Self {
        let database = Database::sqlite();
        // Open files are known by their real path.
        let folder = fs::canonicalize(database.folder.path()).expect("it is there");
        let preloaded = folder.join("copy_synced_files.so");
        let source =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/power_cut/copy_synced_files.c");
        let mut cc = Command::new("cc");
        cc.args(["-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC"])
            .arg("-o")
            .args([&preloaded, &source]);
        let outcome = cc.status().expect("the C compiler `cc` runs");
        assert!(outcome.success(), "the library is compiled");
        let machine = Self {
            database,
            seen: folder.join("data"),
            disk: folder.join("disk"),
            preloaded,
        };
        for folder in [&machine.seen, &machine.disk] {
            fs::create_dir(folder).expect("a folder");
        }
        machine
    }

    /// What a program on it must be given.
    fn variables(&self) -> [(&str, &str); 3] {
        [
            ("LD_PRELOAD", &self.preloaded),
            ("SYNCED_FROM", &self.seen),
            ("SYNCED_TO", &self.disk),
        ]
        .map(|(name, path)| (name, path.to_str().expect("UTF-8")))
    }

    async fn serve(&self) -> Service {
        Service::start_with(&self.database, &self.variables()).await
    }

    /// When the programs were killed: the memory is gone, and programs see what is on the disk.
    fn comes_back(&self) {
        fs::remove_dir_all(&self.seen).expect("removed");
        fs::rename(&self.disk, &self.seen).expect("renamed");
        copy_files(&self.seen, &self.disk);
    }

    /// What SQLite's own shell says to these statements about the file that programs see.
    fn ask(&self, statements: &str) -> String {
        // In a copy: to close the last connection to a file writes to it.
        let copy = TempDir::new().expect("a temporary folder");
        let copy = copy.path().join("copy");
        copy_files(&self.seen, &copy);
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
async fn a_power_cut_loses_no_acknowledged_task() {
    let machine = Machine::new();
    let mut service = machine.serve().await;
    let writers = Writers::start(&service, WRITERS);
    for _ in 0..rounds(3, 20) {
        writers.go_on(TASKS).await;
        service.kill();
        machine.comes_back();
        assert_eq!(machine.ask("PRAGMA integrity_check"), "ok");
        service = machine.serve().await;
        writers.turn_to(&service);
    }
    let account = writers.finish(&service).await;
    assert!(account.unknown > 0, "the power cuts hit requests under way");
}

/// Without it, a machine that loses nothing at all would pass the test above.
#[test]
fn a_power_cut_loses_what_sqlite_acknowledged_before_it_was_synced() {
    let kept = |synchronous| {
        let machine = Machine::new();
        let inserted = insert_until_power_cut(&machine, synchronous);
        machine.comes_back();
        assert_eq!(machine.ask("PRAGMA integrity_check"), "ok");
        let kept = machine.ask("SELECT count(*) FROM t");
        println!("{synchronous}: {kept} kept of {inserted} acknowledged");
        (kept.parse::<usize>().expect("a number"), inserted)
    };
    let (full, inserted) = kept("FULL");
    assert_eq!(full, inserted);
    let (normal, inserted) = kept("NORMAL");
    assert!(normal < inserted, "{normal} of {inserted}");
}

/// Inserts rows, one in each transaction, and cuts the power when all are acknowledged.
fn insert_until_power_cut(machine: &Machine, synchronous: &str) -> usize {
    const ROWS: usize = 200;
    let mut shell = Command::new("sqlite3")
        .arg(machine.seen.join("taskhold.db"))
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
    // Kept open: at the end of its input the shell closes the file in order.
    let mut input = shell.stdin.take().expect("a pipe");
    input
        .write_all(statements.as_bytes())
        .and_then(|()| input.flush())
        .expect("it reads");
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
