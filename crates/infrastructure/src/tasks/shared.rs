//! What many ask for at once is asked of the store by one statement: a task, a page, a new task, a
//! completion, a removal.
//!
//! On SQLite that is reading a task alone. It has no lateral joins for pages, and its writes share their
//! transactions already ([`writer`](crate::writer)).

mod pages;
mod writes;

use std::time::Duration;

use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter};
use taskhold_domain::task::{Completion, Task, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::tasks::TaskQuery;

use self::pages::Newest;
use super::row::{Column, Entity, Listed, Model};
use crate::error::Failure;
use crate::store::Store;
use crate::together::{Together, Told};

/// How many a statement is for, at most. Pages are many rows each.
const MOST: usize = 64;
const PAGES: usize = 16;

/// How long a statement that reads may take before each is read by itself.
const READ_LIMIT: Duration = Duration::from_millis(500);
/// A write that was begun is not begun anew while it may yet be done: as long as an attempt may take.
const WRITE_LIMIT: Duration = Duration::from_secs(8);

/// The calls that wait, of each kind.
pub(super) struct Shared {
    store: Store,
    finds: Together<(UserId, TaskId), Option<Model>>,
    pages: Together<Newest, Vec<Listed>>,
    additions: Together<Task, ()>,
    completions: Together<AskedCompletion, Option<Listed>>,
    removals: Together<(UserId, TaskId), bool>,
}

/// A task of this owner is to be completed, or not, at this time.
pub(super) struct AskedCompletion {
    pub(super) owner: UserId,
    pub(super) id: TaskId,
    pub(super) completion: Completion,
    pub(super) at: Timestamp,
}

impl Shared {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            finds: Together::new(MOST, READ_LIMIT),
            pages: Together::new(PAGES, READ_LIMIT),
            additions: Together::new(MOST, WRITE_LIMIT),
            completions: Together::new(MOST, WRITE_LIMIT),
            removals: Together::new(MOST, WRITE_LIMIT),
        }
    }

    fn is_on_postgres(&self) -> bool {
        self.store.backend() == DbBackend::Postgres
    }

    /// The row of a task; `None` where it must be read by itself.
    pub(super) async fn find(&self, owner: &UserId, id: TaskId) -> Option<Option<Model>> {
        let store = self.store.clone();
        let told = self
            .finds
            .ask(self.store.runtime(), (owner.clone(), id), move |asks| {
                find_all(store.clone(), asks)
            });
        told.await.answer()
    }

    /// The rows of a page, and one more where there is one; `None` where it must be read by itself.
    pub(super) async fn page(&self, owner: &UserId, query: &TaskQuery) -> Option<Vec<Listed>> {
        if !self.is_on_postgres() {
            return None;
        }
        let store = self.store.clone();
        let told = self.pages.ask(
            self.store.runtime(),
            Newest::of(owner, query)?,
            move |asks| pages::read(store.clone(), asks),
        );
        told.await.answer()
    }

    /// Keeps a new task.
    pub(super) async fn add(&self, task: &Task) -> Told<()> {
        if !self.is_on_postgres() {
            return Told::Nothing;
        }
        let store = self.store.clone();
        let told = self
            .additions
            .ask(self.store.runtime(), task.clone(), move |tasks| {
                writes::add(store.clone(), tasks)
            });
        told.await
    }

    /// The row of a task as it is afterwards, if there is such a task of this owner.
    pub(super) async fn complete(&self, ask: AskedCompletion) -> Told<Option<Listed>> {
        if !self.is_on_postgres() {
            return Told::Nothing;
        }
        let store = self.store.clone();
        let told = self
            .completions
            .ask(self.store.runtime(), ask, move |asks| {
                writes::complete(store.clone(), asks)
            });
        told.await
    }

    /// Removes a task; whether there was such a task of this owner.
    pub(super) async fn remove(&self, owner: &UserId, id: TaskId) -> Told<bool> {
        if !self.is_on_postgres() {
            return Told::Nothing;
        }
        let store = self.store.clone();
        let told = self
            .removals
            .ask(self.store.runtime(), (owner.clone(), id), move |asks| {
                writes::remove(store.clone(), asks)
            });
        told.await
    }
}

/// Each task that is asked for, if it is its owner's.
async fn find_all(
    store: Store,
    asks: Vec<(UserId, TaskId)>,
) -> Result<Vec<Option<Option<Model>>>, Failure> {
    let ids = asks.iter().map(|(_, id)| id.as_uuid());
    let select = Entity::find().filter(Column::Id.is_in(ids));
    let rows = store
        .once("tasks.find", async |connection| {
            select.all(&connection).await
        })
        .await?;
    let answers = asks.iter().map(|(owner, id)| {
        let found = rows
            .iter()
            .find(|row| row.id == id.as_uuid() && row.user_id == owner.as_str());
        Some(found.cloned())
    });
    Ok(answers.collect())
}
