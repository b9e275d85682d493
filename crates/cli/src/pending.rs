//! Writes whose outcome is not known yet: each keeps its idempotency key in a file until it is, so that the same
//! command, given again after Ctrl-C or a lost connection, takes effect once.

use std::fs::{self, File, TryLockError};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use taskhold_client::IdempotencyKey;

use crate::clock::{age, now};
use crate::private_file;

/// The time for which the same command counts as the same write. Later it is more likely to be meant once more.
const RESUMED_FOR: Duration = Duration::from_hours(1);
/// The service forgets a key after this time.
const KEPT_FOR: Duration = Duration::from_hours(24);
/// The most files of writes of one command line at the same time.
const MAX_AT_ONCE: u32 = 64;

/// A write that has been started, by this command or by one before it that was interrupted.
#[derive(Debug)]
pub struct PendingWrite {
    record: Record,
    is_resumed: bool,
    /// Locked while this command runs. `None` if it cannot be kept, such as on a read-only home.
    file: Option<(File, PathBuf)>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    /// The login and the command line.
    command: Vec<String>,
    /// The target: the task or the change that the command line names.
    target: Value,
    key: String,
    started_at: SystemTime,
}

impl PendingWrite {
    /// Starts the write of a command line, or takes up the one that an earlier command has not finished and that no
    /// running command is at.
    pub fn start(folder: &Path, command: &[&str]) -> Self {
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        let mut hasher = DefaultHasher::new();
        command.hash(&mut hasher);
        let name = format!("{:016x}", hasher.finish());
        remove_old(folder);
        let record = Record {
            command,
            target: Value::Null,
            key: IdempotencyKey::random().to_string(),
            started_at: now(),
        };
        let mut write = Self {
            record,
            is_resumed: false,
            file: None,
        };
        let path = |number: u32| folder.join(format!("{name}-{number}"));
        // Look for an interrupted write under every number: those before it may have finished in the meantime.
        for path in (0..MAX_AT_ONCE).map(path).filter(|path| path.exists()) {
            let Ok(Some(file)) = lock(&path) else {
                continue;
            };
            if let Some(earlier) = read(&file)
                && earlier.command == write.record.command
                && age(earlier.started_at) < RESUMED_FOR
            {
                write.record = earlier;
                write.is_resumed = true;
                write.file = Some((file, path));
                return write;
            }
        }
        for path in (0..MAX_AT_ONCE).map(path) {
            match lock(&path) {
                Ok(Some(file)) => {
                    write.file = Some((file, path));
                    break;
                }
                Ok(None) => {}
                // Such as on a read-only home.
                Err(_) => break,
            }
        }
        write
    }

    /// Returns the target of the write and the time of its start, if an earlier command started it.
    pub fn resumed<T: DeserializeOwned>(&mut self) -> Option<(T, SystemTime)> {
        let target = self.is_resumed.then(|| self.record.target.clone())?;
        let Ok(target) = serde_json::from_value(target) else {
            // Of another version of this program: the write is another one.
            self.is_resumed = false;
            self.record.key = IdempotencyKey::random().to_string();
            self.record.started_at = now();
            return None;
        };
        Some((target, self.record.started_at))
    }

    /// Returns the key of the write.
    pub fn key(&self) -> IdempotencyKey {
        self.record
            .key
            .parse()
            .unwrap_or_else(|_| IdempotencyKey::random())
    }

    /// Keeps the target of the write. From now on its outcome may be unknown.
    pub fn aim(&mut self, target: &impl Serialize) {
        if self.is_resumed {
            return;
        }
        self.record.target = serde_json::to_value(target).unwrap_or_default();
        let Some((file, _)) = &mut self.file else {
            return;
        };
        let kept = serde_json::to_vec(&self.record).map_err(std::io::Error::from);
        let kept = kept.and_then(|record| {
            file.rewind()?;
            file.set_len(0)?;
            file.write_all(&record)?;
            file.sync_all()
        });
        if kept.is_err() {
            // As on a read-only home: the write is not resumed if it is interrupted.
            self.finish();
        }
    }

    /// Returns whether an earlier command started the write.
    pub fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    /// Forgets the write: its outcome is known.
    pub fn finish(&mut self) {
        self.forget();
        self.file = None;
    }

    /// Forgets the write, so that the same command is another one from now on.
    pub fn forget(&self) {
        if let Some((_, path)) = &self.file {
            _ = private_file::remove(path);
        }
    }
}

/// Opens a file that no running command has, and keeps it for this one. Returns `None` if another command has it.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let file = private_file::open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // The command that had it may have removed it in the meantime.
    let numbers = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let is_still_there = match (file.metadata(), fs::metadata(path)) {
        (Ok(opened), Ok(there)) => numbers(opened) == numbers(there),
        _ => false,
    };
    Ok(is_still_there.then_some(file))
}

fn read(mut file: &File) -> Option<Record> {
    let mut contents = Vec::new();
    file.read_to_end(&mut contents).ok()?;
    serde_json::from_slice(&contents).ok()
}

/// Removes the files of writes whose key the service has forgotten.
fn remove_old(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        if modified.is_ok_and(|modified| age(modified) > KEPT_FOR) {
            _ = private_file::remove(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADD: [&str; 3] = ["login", "add", "milk"];

    #[test]
    fn an_interrupted_write_is_taken_up_with_its_key_and_target() {
        let folder = tempfile::tempdir().unwrap();
        let mut interrupted = PendingWrite::start(folder.path(), &ADD);
        assert_eq!(interrupted.resumed::<String>(), None);
        interrupted.aim(&"target");
        let key = interrupted.key();
        drop(interrupted);

        let mut again = PendingWrite::start(folder.path(), &ADD);
        assert_eq!(again.resumed::<String>().unwrap().0, "target");
        assert_eq!(again.key(), key);
        again.finish();
        drop(again);

        let mut new = PendingWrite::start(folder.path(), &ADD);
        assert_eq!(new.resumed::<String>(), None);
        assert_ne!(new.key(), key);
    }

    #[test]
    fn a_write_that_was_not_sent_or_is_another_command_is_new() {
        let folder = tempfile::tempdir().unwrap();
        drop(PendingWrite::start(folder.path(), &ADD));
        assert_eq!(
            PendingWrite::start(folder.path(), &ADD).resumed::<()>(),
            None
        );

        PendingWrite::start(folder.path(), &ADD).aim(&());
        assert_eq!(
            PendingWrite::start(folder.path(), &["login", "add", "bread"]).resumed::<()>(),
            None
        );
        assert_eq!(
            PendingWrite::start(folder.path(), &["other", "add", "milk"]).resumed::<()>(),
            None
        );
    }

    #[test]
    fn the_same_command_at_the_same_time_is_another_write() {
        let folder = tempfile::tempdir().unwrap();
        let mut running = PendingWrite::start(folder.path(), &ADD);
        running.aim(&());
        let mut other = PendingWrite::start(folder.path(), &ADD);
        assert_eq!(other.resumed::<()>(), None);
        other.aim(&());
        assert_ne!(running.key(), other.key());
    }

    #[test]
    fn each_of_several_interrupted_writes_is_taken_up_once() {
        let folder = tempfile::tempdir().unwrap();
        let start = || PendingWrite::start(folder.path(), &ADD);
        let [mut first, mut second] = [start(), start()];
        first.aim(&());
        second.aim(&());
        let key = second.key();
        // The first one finishes, the second one is interrupted.
        first.finish();
        drop((first, second));
        let mut again = start();
        assert!(again.resumed::<()>().is_some());
        assert_eq!(again.key(), key);
        again.finish();
        assert_eq!(start().resumed::<()>(), None);
    }

    #[test]
    fn an_old_write_is_new_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut old = PendingWrite::start(folder.path(), &ADD);
        old.record.started_at = now() - RESUMED_FOR;
        old.aim(&());
        drop(old);
        assert_eq!(
            PendingWrite::start(folder.path(), &ADD).resumed::<()>(),
            None
        );
    }

    #[test]
    fn without_a_folder_writes_are_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let mut write = PendingWrite::start(&file, &ADD);
        write.aim(&());
        assert_eq!(write.resumed::<()>(), None);
        write.finish();
    }
}
