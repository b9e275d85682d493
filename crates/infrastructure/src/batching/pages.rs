//! Pages of the newest tasks, batched into one statement.
//!
//! Most pages have the default order: the newest tasks of an owner, or those after a position. They differ
//! by values only, so PostgreSQL finds several of them with one lateral join.

use sea_orm::sea_query::{Expr, ExprTrait, JoinType, Order, Query};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use taskhold_domain::user::UserId;
use taskhold_repository::tasks::{Key, Sort, Start, TaskQuery};
use uuid::Uuid;

use super::batcher::Responses;
use crate::db::Database;
use crate::db::retry::Idempotence;
use crate::entities::task::{Column, Entity, TaskRow};

/// Longer pages are read alone: a batch would save little of what they cost.
const MAX_LIMIT: u32 = 100;

/// The alias of the batch's requests, and that of the page of each.
const REQUEST: &str = "request";
const PAGE: &str = "page";

/// A request for a page of the newest tasks of an owner.
#[derive(Debug)]
pub(super) struct NewestPage {
    owner: UserId,
    /// The position before the page: a creation time and an id.
    after: (i64, Uuid),
    limit: u32,
}

impl NewestPage {
    /// Returns the request if the query asks for such a page.
    pub(super) fn of(owner: &UserId, query: &TaskQuery) -> Option<Self> {
        let limit = query.limit.filter(|limit| *limit <= MAX_LIMIT)?;
        if query.is_filtered() || query.sort != Sort::default() {
            return None;
        }
        let after = match &query.start {
            // Every task was created before this.
            Start::First => (i64::MAX, Uuid::max()),
            Start::After(position) => match &position.key {
                Key::Instant(instant) => (instant.as_micros(), position.id.as_uuid()),
                _ => return None,
            },
            Start::Offset(_) => return None,
        };
        Some(Self {
            owner: owner.clone(),
            after,
            limit,
        })
    }
}

/// Reads the rows of each page, and one row more if there is one.
pub(super) async fn read(database: Database, requests: Vec<NewestPage>) -> Responses<Vec<TaskRow>> {
    let select = select(&requests);
    let rows = database
        .execute_batch(
            "tasks.list",
            Idempotence::Read,
            requests.len(),
            async move |connection| {
                let rows = connection.query_all_raw(select).await?;
                rows.iter()
                    .map(|row| {
                        let request: i32 = row.try_get_by_index(TaskRow::COLUMNS.len())?;
                        let request = usize::try_from(request)
                            .map_err(|error| DbErr::Type(error.to_string()))?;
                        Ok((request, TaskRow::read(row)?))
                    })
                    .collect::<Result<Vec<_>, DbErr>>()
            },
        )
        .await?;
    let mut pages: Vec<_> = requests.iter().map(|_| Vec::new()).collect();
    for (request, row) in rows {
        if let Some(page) = pages.get_mut(request) {
            page.push(row);
        }
    }
    let pages = pages.into_iter().zip(requests).map(|(mut page, request)| {
        // SQL promises no order of joined rows. Sorting costs nothing if they are sorted already.
        page.sort_by(TaskRow::newest_first);
        page.truncate(request.limit as usize + 1);
        Some(page)
    });
    Ok(pages.collect())
}

fn select(requests: &[NewestPage]) -> Statement {
    let max_limit = requests.iter().map(|request| request.limit).max();
    let values = (0_i32..).zip(requests).map(|(place, request)| {
        let owner = request.owner.as_str().to_owned();
        (place, owner, request.after.0, request.after.1)
    });
    let requested = |column: &'static str| Expr::col((REQUEST, column));
    let page = Query::select()
        .columns(TaskRow::COLUMNS)
        .from(Entity)
        .and_where(Expr::col(Column::UserId).eq(requested("column2")))
        .and_where(
            Expr::tuple([Expr::col(Column::CreatedAt), Expr::col(Column::Id)])
                .lt(Expr::tuple([requested("column3"), requested("column4")])),
        )
        .order_by(Column::CreatedAt, Order::Desc)
        .order_by(Column::Id, Order::Desc)
        .limit(u64::from(max_limit.unwrap_or_default()) + 1)
        .take();
    let select = Query::select()
        .columns(TaskRow::COLUMNS.map(|column| (PAGE, column)))
        .expr(requested("column1"))
        .from_values(values, REQUEST)
        .join_lateral(JoinType::InnerJoin, page, PAGE, Expr::cust("TRUE"))
        .take();
    DbBackend::Postgres.build(&select)
}
