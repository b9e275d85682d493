//! The last change that this computer knows of. What a later command reads includes it, whichever instance of the service
//! answers.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::private_file;

/// The last change that this computer knows of, in a file that all commands of a login share.
#[derive(Debug)]
pub struct LastChange {
    file: PathBuf,
    record: Record,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    /// The service and the user, whose changes have numbers of their own.
    account: String,
    seq: i64,
}

impl LastChange {
    /// Reads the last change from a folder. One of another account, or one that cannot be read, counts as none.
    pub fn open(folder: &Path, account: &str) -> Self {
        let file = folder.join("last-change.json");
        let contents = private_file::read(&file).ok().flatten();
        let kept = contents.and_then(|contents| of_account(&contents, account));
        let record = kept.unwrap_or_else(|| Record {
            account: account.to_owned(),
            seq: 0,
        });
        Self { file, record }
    }

    /// Returns the number of the change; 0 if there is none.
    pub fn seq(&self) -> i64 {
        self.record.seq
    }

    /// Keeps the number of a change, unless another command has kept a higher one. If that fails, such as on a read-only
    /// home, a later command may be shown tasks that are some seconds old.
    pub fn keep(&mut self, seq: i64) {
        if seq > self.record.seq {
            self.record.seq = seq;
            _ = private_file::open(&self.file).and_then(|file| self.write(file));
        }
    }

    fn write(&self, mut file: File) -> io::Result<()> {
        // Until the file is closed.
        file.lock()?;
        let mut contents = Vec::new();
        file.read_to_end(&mut contents)?;
        let kept = of_account(&contents, &self.record.account);
        if kept.is_some_and(|kept| kept.seq >= self.record.seq) {
            return Ok(());
        }
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(&serde_json::to_vec(&self.record)?)
    }
}

fn of_account(contents: &[u8], account: &str) -> Option<Record> {
    let record: Record = serde_json::from_slice(contents).ok()?;
    (record.account == account).then_some(record)
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
    }
}
