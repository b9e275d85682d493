//! Writes that wait together, as one statement. Each is done wholly or not at all, as by itself: if one
//! of them cannot be done, none is, and everybody goes on alone.

use std::collections::{HashMap, HashSet};

use sea_orm::sea_query::{Expr, ExprTrait, IntoIden, Query, TableRef};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult};
use taskhold_domain::task::{Completion, Task, TaskId};
use taskhold_domain::user::UserId;
use uuid::Uuid;

use super::AskedCompletion;
use crate::error::Failure;
use crate::store::Store;
use crate::tasks::row::{self, Column, Entity, Listed};
use crate::tasks::statement::strictly_after_last_change;

const ASKED: &str = "asked";

pub(super) async fn add(store: Store, tasks: Vec<Task>) -> Result<Vec<Option<()>>, Failure> {
    let insert = DbBackend::Postgres.build(&row::insert(&tasks));
    store
        .once("tasks.add", async |connection| {
            connection.execute_raw(insert).await
        })
        .await?;
    Ok(vec![Some(()); tasks.len()])
}

pub(super) async fn complete(
    store: Store,
    asks: Vec<AskedCompletion>,
) -> Result<Vec<Option<Option<Listed>>>, Failure> {
    // A statement changes a row once, so only the first completion of a task is in it.
    let mut seen = HashSet::new();
    let is_in: Vec<_> = asks.iter().map(|ask| seen.insert(ask.id)).collect();
    let mut values: Vec<_> = asks
        .iter()
        .zip(&is_in)
        .filter(|(_, is_in)| **is_in)
        .map(|(ask, _)| {
            let completed = match ask.completion {
                Completion::Set(completed) => Some(completed),
                Completion::Toggle => None,
            };
            let owner = ask.owner.as_str().to_owned();
            (ask.id.as_uuid(), owner, completed, ask.at.as_micros())
        })
        .collect();
    // Two such statements lock the rows that both change in the same order, and never wait for each other.
    values.sort_unstable_by_key(|(id, ..)| *id);

    let asked = |column: &'static str| Expr::col((ASKED, column));
    let of_task = |column: Column| Expr::col((Entity, column));
    let update = Query::update()
        .table(Entity)
        .value(Column::Version, of_task(Column::Version).add(1))
        .value(
            Column::UpdatedAt,
            strictly_after_last_change(of_task(Column::UpdatedAt), asked("column4")),
        )
        .value(
            Column::IsCompleted,
            asked("column3").if_null(of_task(Column::IsCompleted).not()),
        )
        .from(TableRef::ValuesList(
            values.into_iter().map(Into::into).collect(),
            ASKED.into_iden(),
        ))
        .and_where(of_task(Column::Id).eq(asked("column1")))
        .and_where(of_task(Column::UserId).eq(asked("column2")))
        .returning(Query::returning().columns(Listed::COLUMNS.map(|column| (Entity, column))))
        .take();
    let update = DbBackend::Postgres.build(&update);
    let rows = store
        .once("tasks.change", async |connection| {
            Listed::read_all(&connection, update).await
        })
        .await?;
    let mut rows: HashMap<_, _> = rows.into_iter().map(|row| (row.id(), row)).collect();
    let answers = asks.iter().zip(is_in);
    let answers = answers.map(|(ask, is_in)| is_in.then(|| rows.remove(&ask.id)));
    Ok(answers.collect())
}

pub(super) async fn remove(
    store: Store,
    asks: Vec<(UserId, TaskId)>,
) -> Result<Vec<Option<bool>>, Failure> {
    let mut pairs: Vec<_> = asks
        .iter()
        .map(|(owner, id)| (id.as_uuid(), owner.as_str().to_owned()))
        .collect();
    pairs.sort_unstable();
    let place = Expr::tuple([Expr::col(Column::Id), Expr::col(Column::UserId)]);
    let delete = Query::delete()
        .from_table(Entity)
        .and_where(place.in_tuples(pairs))
        .returning(Query::returning().columns([Column::Id, Column::UserId]))
        .take();
    let delete = DbBackend::Postgres.build(&delete);
    let removed = store
        .once("tasks.remove", async |connection| {
            let rows = connection.query_all_raw(delete).await?;
            rows.iter()
                .map(QueryResult::try_get_many_by_index::<(Uuid, String)>)
                .collect::<Result<HashSet<_>, DbErr>>()
        })
        .await?;
    // Somebody who asks for the same one goes on alone, and finds it gone.
    let mut seen = HashSet::new();
    let answers = asks.iter().map(|(owner, id)| {
        let is_first = seen.insert((owner, id));
        is_first.then(|| removed.contains(&(id.as_uuid(), owner.as_str().to_owned())))
    });
    Ok(answers.collect())
}
