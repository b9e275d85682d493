//! Writes, batched into one statement, which applies all of them or none. If one of them breaks a rule,
//! none is applied, and each call is executed alone.

use std::collections::{HashMap, HashSet};

use sea_orm::sea_query::{Expr, ExprTrait, IntoIden, Query, TableRef};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult};
use taskhold_domain::task::{self, Task, TaskChange, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::tasks::Precondition;
use uuid::Uuid;

use super::batcher::Responses;
use crate::db::Database;
use crate::db::retry::Idempotence;
use crate::entities::task::{self as row, Column, Entity, Searched, TaskRow};
use crate::repositories::tasks::statement::strictly_after_last_change;

/// The alias of the batch's requests.
const REQUEST: &str = "request";

/// A request to complete, reopen or toggle a task.
pub(super) struct Completion {
    owner: UserId,
    id: TaskId,
    set: task::Completion,
    now: Timestamp,
}

impl Completion {
    /// Returns the request if the change is nothing but an unconditional completion.
    pub(super) fn of(
        owner: &UserId,
        id: TaskId,
        change: &TaskChange,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Option<Self> {
        let set = change.completion?;
        let only_completion = TaskChange {
            completion: Some(set),
            ..TaskChange::default()
        };
        (*change == only_completion && *precondition == Precondition::None).then(|| Self {
            owner: owner.clone(),
            id,
            set,
            now,
        })
    }
}

/// A request to remove a task.
pub(super) type Removal = (UserId, TaskId);

pub(super) async fn add(database: Database, tasks: Vec<Task>) -> Responses<()> {
    let insert = DbBackend::Postgres.build(&row::insert(&tasks));
    database
        .execute_batch(
            "tasks.add",
            Idempotence::IdempotentWrite,
            tasks.len(),
            async |connection| connection.execute_raw(insert).await,
        )
        .await?;
    Ok(vec![Some(()); tasks.len()])
}

pub(super) async fn complete(
    database: Database,
    requests: Vec<Completion>,
) -> Responses<Option<TaskRow>> {
    // A statement changes a row once, so only the first completion of each task is part of it.
    let mut seen = HashSet::new();
    let is_first: Vec<_> = requests
        .iter()
        .map(|request| seen.insert(request.id))
        .collect();
    let mut values: Vec<_> = requests
        .iter()
        .zip(&is_first)
        .filter(|(_, is_first)| **is_first)
        .map(|(request, _)| {
            let completed = match request.set {
                task::Completion::Set(completed) => Some(completed),
                task::Completion::Toggle => None,
            };
            let owner = request.owner.as_str().to_owned();
            let now = request.now.as_micros();
            (request.id.as_uuid(), owner, completed, now)
        })
        .collect();
    // Rows are locked in id order, so that two batches cannot deadlock.
    values.sort_unstable_by_key(|(id, ..)| *id);

    let requested = |column: &'static str| Expr::col((REQUEST, column));
    let stored = |column: Column| Expr::col((Entity, column));
    let update = Query::update()
        .table(Entity)
        .value(Column::Version, stored(Column::Version).add(1))
        .value(
            Searched::SearchVersion,
            Expr::col((Entity, Searched::SearchVersion)).add(1),
        )
        .value(
            Column::UpdatedAt,
            strictly_after_last_change(stored(Column::UpdatedAt), requested("column4")),
        )
        .value(
            Column::IsCompleted,
            requested("column3").if_null(stored(Column::IsCompleted).not()),
        )
        .from(TableRef::ValuesList(
            values.into_iter().map(Into::into).collect(),
            REQUEST.into_iden(),
        ))
        .and_where(stored(Column::Id).eq(requested("column1")))
        .and_where(stored(Column::UserId).eq(requested("column2")))
        .returning(Query::returning().columns(TaskRow::COLUMNS.map(|column| (Entity, column))))
        .take();
    let update = DbBackend::Postgres.build(&update);
    let rows = database
        .execute_batch(
            "tasks.change",
            Idempotence::NonIdempotentWrite,
            requests.len(),
            async |connection| TaskRow::read_all(&connection, update).await,
        )
        .await?;
    let mut rows: HashMap<_, _> = rows.into_iter().map(|row| (row.id(), row)).collect();
    let responses = requests.iter().zip(is_first);
    let responses = responses.map(|(request, is_first)| is_first.then(|| rows.remove(&request.id)));
    Ok(responses.collect())
}

pub(super) async fn remove(database: Database, requests: Vec<Removal>) -> Responses<bool> {
    let mut keys: Vec<_> = requests
        .iter()
        .map(|(owner, id)| (id.as_uuid(), owner.as_str().to_owned()))
        .collect();
    keys.sort_unstable();
    let key = Expr::tuple([Expr::col(Column::Id), Expr::col(Column::UserId)]);
    let delete = Query::delete()
        .from_table(Entity)
        .and_where(key.in_tuples(keys))
        .returning(Query::returning().columns([Column::Id, Column::UserId]))
        .take();
    let delete = DbBackend::Postgres.build(&delete);
    let removed = database
        .execute_batch(
            "tasks.remove",
            Idempotence::IdempotentWrite,
            requests.len(),
            async |connection| {
                let rows = connection.query_all_raw(delete).await?;
                rows.iter()
                    .map(QueryResult::try_get_many_by_index::<(Uuid, String)>)
                    .collect::<Result<HashSet<_>, DbErr>>()
            },
        )
        .await?;
    // A second removal of a task is executed alone, and finds no task.
    let mut seen = HashSet::new();
    let responses = requests.iter().map(|(owner, id)| {
        let is_first = seen.insert((owner, id));
        is_first.then(|| removed.contains(&(id.as_uuid(), owner.as_str().to_owned())))
    });
    Ok(responses.collect())
}
