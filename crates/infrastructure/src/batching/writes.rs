//! Writes, batched into one statement, which applies all of them or none. If one of them breaks a rule,
//! none is applied, and each call is executed alone.

use std::collections::{HashMap, HashSet};

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use taskhold_domain::task::change_log::{ChangeAuthor, ChangeSeq, ChangeStamp};
use taskhold_domain::task::{self, Task, TaskChange, TaskId};
use taskhold_domain::user::UserId;
use taskhold_repository::tasks::Precondition;
use uuid::Uuid;

use super::batcher::Responses;
use crate::db::Database;
use crate::db::connection::Connection;
use crate::db::retry::Idempotence;
use crate::entities::change::seq_at;
use crate::repositories::tasks::logged::{self, CompletionRequest, LoggedRow, additions};

/// A request to complete, reopen or toggle a task.
pub(super) struct Completion {
    owner: UserId,
    id: TaskId,
    /// `None` inverts the flag.
    completed: Option<bool>,
    stamp: ChangeStamp,
}

impl Completion {
    /// Returns the request if the change is nothing but an unconditional completion.
    pub(super) fn of(
        owner: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
        stamp: &ChangeStamp,
    ) -> Option<Self> {
        let completed = match change.completion? {
            task::Completion::Set(completed) => Some(completed),
            task::Completion::Toggle => None,
            task::Completion::At(_) => return None,
        };
        let only_completion = TaskChange {
            completion: change.completion,
            ..TaskChange::default()
        };
        (*change == only_completion && *precondition == Precondition::None).then(|| Self {
            owner: owner.clone(),
            id,
            completed,
            stamp: stamp.clone(),
        })
    }
}

/// A request to add a task.
pub(super) type Addition = (Task, ChangeAuthor);

/// A request to remove a task.
pub(super) type Removal = (UserId, TaskId, ChangeStamp);

pub(super) async fn add(database: Database, requests: Vec<Addition>) -> Responses<ChangeSeq> {
    let tasks: Vec<_> = requests
        .iter()
        .map(|(task, by)| (task, by.as_str()))
        .collect();
    let backend = database.backend();
    if backend == DbBackend::Sqlite && tasks.len() > 1 {
        let tasks = additions::to_json(&tasks);
        let add = move |connection| async move {
            additions::add_all_on_sqlite(&connection, tasks?).await
        };
        let numbers = database.execute_batch(
            "tasks.add",
            Idempotence::IdempotentWrite,
            requests.len(),
            add,
        );
        return Ok(numbers.await?.into_iter().map(Some).collect());
    }
    let insert = logged::addition(backend, &tasks);
    let add = move |connection: Connection| async move {
        let rows = connection.query_all_raw(insert).await?;
        rows.iter()
            .map(|row| Ok((row.try_get_by_index::<Uuid>(0)?, seq_at(row, 1)?)))
            .collect::<Result<HashMap<_, _>, DbErr>>()
    };
    let numbers = database
        .execute_batch(
            "tasks.add",
            Idempotence::IdempotentWrite,
            requests.len(),
            add,
        )
        .await?;
    let responses = requests
        .iter()
        .map(|(task, _)| numbers.get(&task.id.as_uuid()).copied());
    Ok(responses.collect())
}

pub(super) async fn complete(
    database: Database,
    requests: Vec<Completion>,
) -> Responses<Option<LoggedRow>> {
    // A statement changes a row once, so only the first completion of each task is part of it.
    let mut seen = HashSet::new();
    let is_first: Vec<_> = requests
        .iter()
        .map(|request| seen.insert(request.id))
        .collect();
    let values: Vec<_> = requests
        .iter()
        .zip(&is_first)
        .filter(|(_, is_first)| **is_first)
        .map(|(request, _)| CompletionRequest {
            owner: request.owner.as_str(),
            id: request.id,
            completed: request.completed,
            stamp: &request.stamp,
        })
        .collect();
    let update = logged::completions(&values);
    let rows = database
        .execute_batch(
            "tasks.change",
            Idempotence::NonIdempotentWrite,
            requests.len(),
            async move |connection| {
                let rows = connection.query_all_raw(update).await?;
                rows.iter()
                    .map(LoggedRow::read)
                    .collect::<Result<Vec<_>, DbErr>>()
            },
        )
        .await?;
    let mut rows: HashMap<_, _> = rows.into_iter().map(|row| (row.row.id(), row)).collect();
    let responses = requests.iter().zip(is_first);
    let responses = responses.map(|(request, is_first)| is_first.then(|| rows.remove(&request.id)));
    Ok(responses.collect())
}

pub(super) async fn remove(
    database: Database,
    requests: Vec<Removal>,
) -> Responses<Option<ChangeSeq>> {
    // A second removal of a task is executed alone, and finds no task.
    let mut seen = HashSet::new();
    let is_first: Vec<_> = requests
        .iter()
        .map(|(owner, id, _)| seen.insert((owner, id)))
        .collect();
    let values: Vec<_> = requests
        .iter()
        .zip(&is_first)
        .filter(|(_, is_first)| **is_first)
        .map(|((owner, id, stamp), _)| (*id, owner.as_str(), stamp))
        .collect();
    let delete = logged::removals(&values);
    let removed = database
        .execute_batch(
            "tasks.remove",
            Idempotence::IdempotentWrite,
            requests.len(),
            async move |connection| {
                let rows = connection.query_all_raw(delete).await?;
                rows.iter()
                    .map(|row| {
                        let key = (
                            row.try_get_by_index::<Uuid>(0)?,
                            row.try_get_by_index::<String>(1)?,
                        );
                        Ok((key, seq_at(row, 2)?))
                    })
                    .collect::<Result<HashMap<_, _>, DbErr>>()
            },
        )
        .await?;
    let responses = requests.iter().zip(is_first);
    let responses = responses.map(|((owner, id, _), is_first)| {
        is_first.then(|| {
            let seq = removed.get(&(id.as_uuid(), owner.as_str().to_owned()));
            seq.copied()
        })
    });
    Ok(responses.collect())
}
