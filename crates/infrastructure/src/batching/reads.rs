//! Reads of one task, batched into one statement.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use taskhold_domain::task::TaskId;
use taskhold_domain::user::UserId;

use super::batcher::Responses;
use crate::db::Database;
use crate::db::retry::Idempotence;
use crate::entities::task::{Column, Entity, TaskRow};

/// The alias of the batch's requests.
const REQUEST: &str = "request";

/// Reads the tasks of these owners and ids.
pub(super) async fn find(
    database: Database,
    requests: Vec<(UserId, TaskId)>,
) -> Responses<Option<TaskRow>> {
    let select = select(database.backend(), &requests);
    let found = database
        .execute_batch(
            "tasks.find",
            Idempotence::Read,
            requests.len(),
            async move |connection| {
                let rows = connection.query_all_raw(select).await?;
                rows.iter()
                    .map(|row| {
                        let owner: String = row.try_get_by_index(TaskRow::COLUMNS.len())?;
                        let row = TaskRow::read(row)?;
                        Ok(((owner, row.id()), row))
                    })
                    .collect::<Result<HashMap<_, _>, DbErr>>()
            },
        )
        .await?;
    let responses = requests.into_iter().map(|(owner, id)| {
        let row = found.get(&(owner.as_str().to_owned(), id));
        Some(row.cloned())
    });
    Ok(responses.collect())
}

fn select(backend: DbBackend, requests: &[(UserId, TaskId)]) -> Statement {
    let keys = requests
        .iter()
        .map(|(owner, id)| (id.as_uuid(), owner.as_str().to_owned()));
    let stored = |column: Column| Expr::col((Entity, column));
    let requested = |column: &'static str| Expr::col((REQUEST, column));
    // SQLite has no list of tuples, and an index serves a join on both stores.
    let select = Query::select()
        .columns(TaskRow::COLUMNS.map(|column| (Entity, column)))
        .column((Entity, Column::UserId))
        .from_values(keys, REQUEST)
        .from(Entity)
        .and_where(stored(Column::Id).eq(requested("column1")))
        .and_where(stored(Column::UserId).eq(requested("column2")))
        .take();
    backend.build(&select)
}
