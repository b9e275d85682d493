//! Pages that wait together, as one statement.
//!
//! Most pages are asked for in the order that is the default: the newest tasks of an owner, or those that
//! come after a place. They differ only by values, so PostgreSQL finds several of them at once.

use sea_orm::sea_query::{Expr, ExprTrait, JoinType, Order, Query};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};
use taskhold_domain::user::UserId;
use taskhold_repository::tasks::{Key, Sort, Start, TaskQuery};
use uuid::Uuid;

use crate::error::Failure;
use crate::store::Store;
use crate::tasks::row::{Column, Entity, Listed};

/// Longer pages are read alone: what they would save is small beside what they are.
const LONGEST: u32 = 100;

const ASKED: &str = "asked";
const PAGE: &str = "page";

/// A page of the newest tasks of an owner.
#[derive(Debug)]
pub(super) struct Newest {
    owner: UserId,
    /// Tasks come after this place: when they were created, and their id.
    after: (i64, Uuid),
    limit: u32,
}

impl Newest {
    /// What is asked for, where it is such a page.
    pub(super) fn of(owner: &UserId, query: &TaskQuery) -> Option<Self> {
        let limit = query.limit.filter(|limit| *limit <= LONGEST)?;
        let is_plain = query.completed.is_none() && query.text.is_none();
        if !is_plain || query.sort != Sort::default() {
            return None;
        }
        let after = match &query.start {
            // No instant is as late.
            Start::First => (i64::MAX, Uuid::max()),
            Start::After(place) => match &place.key {
                Key::Instant(instant) => (instant.as_micros(), place.id.as_uuid()),
                Key::Title(_) => return None,
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

/// The rows of each page, and one more where there is one.
pub(super) async fn read(
    store: Store,
    asks: Vec<Newest>,
) -> Result<Vec<Option<Vec<Listed>>>, Failure> {
    let statement = select(&asks);
    let rows = store
        .once("tasks.list", async |connection| {
            Found::read_all(&connection, statement).await
        })
        .await?;
    let mut pages: Vec<_> = asks.iter().map(|_| Vec::new()).collect();
    for Found { place, row } in rows {
        if let Some(page) = pages.get_mut(place) {
            page.push(row);
        }
    }
    let pages = pages.into_iter().zip(asks).map(|(mut page, ask)| {
        // SQL promises no order of what is joined. (Sorting costs nothing where it is kept all the same.)
        page.sort_by(Listed::newest_first);
        page.truncate(ask.limit as usize + 1);
        Some(page)
    });
    Ok(pages.collect())
}

/// A row of the page that was asked for at this place.
struct Found {
    row: Listed,
    place: usize,
}

impl Found {
    async fn read_all(
        connection: &impl ConnectionTrait,
        statement: Statement,
    ) -> Result<Vec<Self>, DbErr> {
        let rows = connection.query_all_raw(statement).await?;
        rows.iter().map(Self::read).collect()
    }

    fn read(found: &QueryResult) -> Result<Self, DbErr> {
        let place: i32 = found.try_get_by_index(Listed::COLUMNS.len())?;
        Ok(Self {
            row: Listed::read(found)?,
            place: usize::try_from(place).map_err(|error| DbErr::Type(error.to_string()))?,
        })
    }
}

fn select(asks: &[Newest]) -> Statement {
    let longest = asks.iter().map(|ask| ask.limit).max().unwrap_or_default();
    let places = (0_i32..).zip(asks);
    let values = places.map(|(place, Newest { owner, after, .. })| {
        (place, owner.as_str().to_owned(), after.0, after.1)
    });
    let asked = |column: &'static str| Expr::col((ASKED, column));
    let page = Query::select()
        .columns(Listed::COLUMNS)
        .from(Entity)
        .and_where(Expr::col(Column::UserId).eq(asked("column2")))
        .and_where(
            Expr::tuple([Expr::col(Column::CreatedAt), Expr::col(Column::Id)])
                .lt(Expr::tuple([asked("column3"), asked("column4")])),
        )
        .order_by(Column::CreatedAt, Order::Desc)
        .order_by(Column::Id, Order::Desc)
        .limit(u64::from(longest) + 1)
        .take();
    let select = Query::select()
        .columns(Listed::COLUMNS.map(|column| (PAGE, column)))
        .expr(asked("column1"))
        .from_values(values, ASKED)
        .join_lateral(JoinType::InnerJoin, page, PAGE, Expr::cust("TRUE"))
        .take();
    DbBackend::Postgres.build(&select)
}
