//! The last change of a login's tasks that a command knows of. What a later command reads includes it, whichever instance
//! of the service answers.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::private_file;

/// The last change that a command of the login knows of, in a file that all its commands share.
#[derive(Debug)]
pub struct LastChange {
    file: PathBuf,
    record: Record,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    /// The service and the user, whose changes have numbers of their own.
    account: String,
    seq: i64,
}

impl LastChange {
    /// Reads the last change from a folder. One of another account, or one that cannot be read, counts as none.
    pub fn open(folder: &Path, account: &str) -> Self {
        let file = folder.join("last-change.json");
        let seq = read(&file, account);
        let account = account.to_owned();
        Self {
            file,
            record: Record { account, seq },
        }
    }

    /// Returns the number of the change; 0 if there is none.
    pub fn seq(&self) -> i64 {
        self.record.seq
    }

    /// Keeps the number of a change, unless another command has kept a higher one. A lower number than that which was
    /// read says that the numbers have begun again. If it cannot be kept, such as on a read-only home, a later command
    /// may be shown tasks that are some seconds old.
    pub fn keep(&mut self, seq: i64) {
        if seq != self.record.seq {
            let has_begun_again = seq < self.record.seq;
            self.record.seq = seq;
            _ = self.write(has_begun_again);
        }
    }

    fn write(&self, has_begun_again: bool) -> io::Result<()> {
        // Until the end of this function. The file of the lock stays: another command may be waiting for it.
        let lock = private_file::open(&self.file.with_extension("lock"))?;
        lock.lock()?;
        let Record { account, seq } = &self.record;
        if has_begun_again || read(&self.file, account) < *seq {
            private_file::replace(&self.file, &serde_json::to_vec(&self.record)?)?;
        }
        Ok(())
    }
}

/// Returns the number in a file, or 0 if it has none of this account.
fn read(file: &Path, account: &str) -> i64 {
    let contents = private_file::read(file).ok().flatten();
    let record = contents.and_then(|contents| serde_json::from_slice::<Record>(&contents).ok());
    let of_account = record.filter(|record| record.account == account);
    of_account.map_or(0, |record| record.seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn highest_number_of_an_account_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = |account| LastChange::open(folder.path(), account);
        let (mut first, mut second) = (open("anna"), open("anna"));
        second.keep(7);
        first.keep(5);
        assert_eq!(open("anna").seq(), 7);
        assert_eq!(open("bob").seq(), 0);
        open("bob").keep(2);
        assert_eq!((open("bob").seq(), open("anna").seq()), (2, 0));
        std::fs::write(folder.path().join("last-change.json"), "{").expect("written");
        assert_eq!(open("bob").seq(), 0);
        open("bob").keep(10);
        assert_eq!(open("bob").seq(), 10);
        // As after a restore of the database.
        open("bob").keep(3);
        assert_eq!(open("bob").seq(), 3);
    }
}
