//! The copy of a login's tasks, which the change feed keeps current.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use taskhold_client::changes::Changes;
use taskhold_client::tasks::Task;
use taskhold_client::{Client, Error};
use taskhold_domain::task::TaskId;

use crate::clock::now;
use crate::private_file;

/// The copy of a login's tasks. It is a file that can be lost: then all tasks are read again.
#[derive(Debug)]
pub struct Cache {
    file: PathBuf,
    snapshot: Snapshot,
    /// The time at which the copy was current, by the clock of this computer; `None` if there is none yet.
    current_at: Option<SystemTime>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Snapshot {
    /// The service and the user, so that the tasks of another login are never shown.
    account: String,
    cursor: Option<String>,
    /// In the order of their creation, which is that of the console's list.
    tasks: Vec<Task>,
}

impl Cache {
    /// Opens the copy in a folder. One of another account, or one that cannot be read, counts as none.
    pub fn open(folder: &Path, account: &str) -> Self {
        let file = folder.join("tasks.json");
        let contents = private_file::read(&file).ok().flatten();
        let snapshot =
            contents.and_then(|contents| serde_json::from_slice::<Snapshot>(&contents).ok());
        let snapshot = snapshot.filter(|snapshot| snapshot.account == account);
        let written = file.metadata().and_then(|metadata| metadata.modified());
        let current_at = snapshot.is_some().then(|| written.ok()).flatten();
        let snapshot = snapshot.unwrap_or_else(|| Snapshot {
            account: account.to_owned(),
            ..Snapshot::default()
        });
        Self {
            file,
            snapshot,
            current_at,
        }
    }

    /// Returns the tasks in the order of their creation.
    pub fn tasks(&self) -> &[Task] {
        &self.snapshot.tasks
    }

    /// Returns the time at which the copy was current; `None` if there is no copy.
    pub fn current_at(&self) -> Option<SystemTime> {
        self.current_at
    }

    /// Reads the changes since the last update. Returns the pages that were read.
    pub async fn update(&mut self, client: &Client) -> Result<Vec<Changes>, Error> {
        let known = self.snapshot.cursor.clone();
        let pages = match read(client, known.clone()).await {
            // It is too old, or of another time of a database that was restored: all is read anew.
            Err(Error::CursorExpired(_) | Error::Invalid(_)) if known.is_some() => {
                let pages = read(client, None).await?;
                self.snapshot.tasks.clear();
                pages
            }
            pages => pages?,
        };
        let cursor = pages.last().map(|page| page.cursor.clone());
        let is_same = cursor == known;
        self.snapshot.cursor = cursor;
        self.apply(&pages);
        // A copy that cannot be kept is read anew by the next command.
        _ = if is_same { self.touch() } else { self.write() };
        Ok(pages)
    }

    fn apply(&mut self, pages: &[Changes]) {
        let mut changed: HashMap<TaskId, Task> = HashMap::new();
        let mut removed: HashSet<TaskId> = HashSet::new();
        for page in pages {
            for id in &page.removed {
                changed.remove(id);
                removed.insert(*id);
            }
            for task in &page.changed {
                removed.remove(&task.id);
                changed.insert(task.id, task.clone());
            }
        }
        if changed.is_empty() && removed.is_empty() {
            return;
        }
        let tasks = &mut self.snapshot.tasks;
        tasks.retain(|task| !removed.contains(&task.id) && !changed.contains_key(&task.id));
        tasks.extend(changed.into_values());
        tasks.sort_by_key(|task| (task.created_at, task.id));
    }

    fn touch(&self) -> std::io::Result<()> {
        File::options()
            .write(true)
            .open(&self.file)?
            .set_modified(now())
    }

    fn write(&self) -> std::io::Result<()> {
        private_file::replace(&self.file, &serde_json::to_vec(&self.snapshot)?)
    }
}

async fn read(client: &Client, cursor: Option<String>) -> Result<Vec<Changes>, Error> {
    client.all_changes(cursor).try_collect().await
}
