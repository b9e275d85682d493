//! The storage ports without a database: the shortest thing that keeps their contract.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use taskhold_domain::task::{Task, TaskChange, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::probe::StoreProbe;
use taskhold_repository::tasks::{Precondition, TaskRepository};
use taskhold_repository::users::{User, UserRepository};

/// Users and tasks in memory.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Rows>);

#[derive(Debug, Default)]
struct Rows {
    users: BTreeMap<UserId, User>,
    tasks: BTreeMap<TaskId, Task>,
}

impl Rows {
    fn owned(
        &mut self,
        owner: &UserId,
        id: TaskId,
        precondition: &Precondition,
    ) -> Option<&mut Task> {
        self.tasks
            .get_mut(&id)
            .filter(|task| task.owner == *owner && precondition.allows(task.version))
    }
}

impl MemoryStore {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TaskRepository for MemoryStore {
    async fn add(&self, task: &Task) -> Result<(), StoreError> {
        let mut rows = self.rows();
        if rows.tasks.contains_key(&task.id) {
            return Err(StoreError::Duplicate);
        }
        rows.users
            .entry(task.owner.clone())
            .or_insert_with(|| User {
                id: task.owner.clone(),
                created_at: task.created_at,
            });
        rows.tasks.insert(task.id, task.clone());
        Ok(())
    }

    async fn find(&self, owner: &UserId, id: TaskId) -> Result<Option<Task>, StoreError> {
        Ok(self.rows().owned(owner, id, &Precondition::None).cloned())
    }

    async fn list(&self, owner: &UserId) -> Result<Vec<Task>, StoreError> {
        let rows = self.rows();
        let mut tasks: Vec<_> = rows
            .tasks
            .values()
            .filter(|task| task.owner == *owner)
            .cloned()
            .collect();
        tasks.sort_by_key(|task| std::cmp::Reverse((task.created_at, task.id)));
        Ok(tasks)
    }

    async fn change(
        &self,
        owner: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Option<Task>, StoreError> {
        Ok(self.rows().owned(owner, id, precondition).map(|task| {
            task.apply(change, now);
            task.clone()
        }))
    }

    async fn remove(
        &self,
        owner: &UserId,
        id: TaskId,
        precondition: &Precondition,
    ) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        let found = rows.owned(owner, id, precondition).is_some();
        if found {
            rows.tasks.remove(&id);
        }
        Ok(found)
    }

    async fn belongs_to_another(&self, caller: &UserId, id: TaskId) -> Result<bool, StoreError> {
        Ok(self
            .rows()
            .tasks
            .get(&id)
            .is_some_and(|task| task.owner != *caller))
    }
}

#[async_trait]
impl UserRepository for MemoryStore {
    async fn find(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        Ok(self.rows().users.get(id).cloned())
    }

    async fn remove(&self, id: &UserId) -> Result<bool, StoreError> {
        let mut rows = self.rows();
        rows.tasks.retain(|_, task| task.owner != *id);
        Ok(rows.users.remove(id).is_some())
    }
}

#[async_trait]
impl StoreProbe for MemoryStore {
    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn schema_is_current(&self) -> Result<bool, StoreError> {
        Ok(true)
    }
}
