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

use crate::private_file;

/// The copy of a login's tasks. It is a file that can be lost: then all tasks are read again.
#[derive(Debug)]
pub struct Cache {
    file: PathBuf,
    copy: Copy,
    /// When the copy was current, by the clock of this computer; `None` if there is none yet.
    current_at: Option<SystemTime>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Copy {
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
        let copy = private_file::read(&file).ok().flatten();
        let copy = copy.and_then(|copy| serde_json::from_slice::<Copy>(&copy).ok());
        let copy = copy.filter(|copy| copy.account == account);
        let written = file.metadata().and_then(|metadata| metadata.modified());
        let current_at = copy.is_some().then(|| written.ok()).flatten();
        let copy = copy.unwrap_or_else(|| Copy {
            account: account.to_owned(),
            ..Copy::default()
        });
        Self {
            file,
            copy,
            current_at,
        }
    }

    /// Returns the tasks in the order of their creation.
    pub fn tasks(&self) -> &[Task] {
        &self.copy.tasks
    }

    /// Returns when the copy was current; `None` if there is no copy.
    pub fn current_at(&self) -> Option<SystemTime> {
        self.current_at
    }

    /// Reads what has changed since. Returns the pages that were read.
    pub async fn update(&mut self, client: &Client) -> Result<Vec<Changes>, Error> {
        let pages = match self.read(client).await {
            Err(Error::CursorExpired(_)) => {
                self.copy.cursor = None;
                self.copy.tasks.clear();
                self.read(client).await
            }
            pages => pages,
        }?;
        let cursor = pages.last().map(|page| page.cursor.clone());
        let is_same = cursor == self.copy.cursor;
        self.copy.cursor = cursor;
        self.apply(&pages);
        // A copy that cannot be kept is read anew by the next command.
        _ = if is_same { self.touch() } else { self.write() };
        Ok(pages)
    }

    async fn read(&self, client: &Client) -> Result<Vec<Changes>, Error> {
        client
            .all_changes(self.copy.cursor.clone())
            .try_collect()
            .await
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
        let tasks = &mut self.copy.tasks;
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
        private_file::replace(&self.file, &serde_json::to_vec(&self.copy)?)
    }
}

/// Returns the time of this computer.
#[expect(
    clippy::disallowed_methods,
    reason = "ages of files are told by the clock of this computer"
)]
pub fn now() -> SystemTime {
    SystemTime::now()
}
