//! The texts of the table `tasks` that a search compares, where the version before this one has written the row.

use sea_orm::sea_query::{
    Expr, ExprTrait as _, IntoIden as _, LockBehavior, LockType, Order, Query, TableRef,
};
use sea_orm::{ConnectionTrait, DbErr, QueryResult};
use taskhold_domain::search::fold;
use uuid::Uuid;

use crate::entities::task::{Column, Entity, Searched};

/// The alias of the new texts.
const REBUILT: &str = "rebuilt";

/// Rebuilds the next rows, as
/// [`SearchRepository::rebuild`](taskhold_repository::search::SearchRepository::rebuild) does, in the transaction of
/// this connection.
pub(crate) async fn rebuild(
    connection: &impl ConnectionTrait,
    after: Option<Uuid>,
    most: u32,
) -> Result<Vec<Uuid>, DbErr> {
    let differs = Expr::col(Searched::SearchVersion).ne(Expr::col(Column::Version));
    let outdated = Query::select()
        .columns([Column::Id, Column::Title, Column::Description])
        .from(Entity)
        .and_where(Expr::col(Searched::SearchVersion).is_null().or(differs))
        .and_where_option(after.map(|after| Expr::col(Column::Id).gt(after)))
        .order_by(Column::Id, Order::Asc)
        .limit(u64::from(most))
        // Waiting for a row that another transaction changes could deadlock with it. SQLite ignores this.
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .take();
    let rows = connection.query_all(&outdated).await?;
    let rows: Vec<(Uuid, String, String)> = rows
        .iter()
        .map(QueryResult::try_get_many_by_index)
        .collect::<Result<_, _>>()?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids = rows.iter().map(|(id, ..)| *id).collect();
    let texts = rows
        .into_iter()
        .map(|(id, title, description)| (id, fold(&title), fold(&description)).into())
        .collect();
    let rebuilt = |column: &'static str| Expr::col((REBUILT, column));
    let update = Query::update()
        .table(Entity)
        .value(Searched::TitleSearch, rebuilt("column2"))
        .value(Searched::DescriptionSearch, rebuilt("column3"))
        .value(
            Searched::SearchVersion,
            Expr::col((Entity, Column::Version)),
        )
        .from(TableRef::ValuesList(texts, REBUILT.into_iden()))
        .and_where(Expr::col((Entity, Column::Id)).eq(rebuilt("column1")))
        .take();
    connection.execute(&update).await?;
    Ok(ids)
}
