//! The due dates that filters and orders compare, where they were never computed, or by another time zone database.

use sea_orm::sea_query::{
    Expr, ExprTrait as _, IntoIden as _, LockBehavior, LockType, Order, Query, TableRef,
};
use sea_orm::{ConnectionTrait, DbErr, QueryResult};
use uuid::Uuid;

use crate::entities::details::{due_columns, parse};
use crate::entities::task::{Column, Searched};

/// The tables with due dates.
pub(crate) const TABLES: [&str; 2] = ["tasks", "trash"];

/// The alias of the new values.
const REBUILT: &str = "rebuilt";

/// A row: its id, document, and the columns as they are.
type Row = (Uuid, String, Option<i64>, Option<i64>);

/// Computes the due dates of at most `most` rows after the id `after` from their documents, and writes those that
/// differ. Returns the last id; `None` if there are no more rows with a due date. A corrupt row is left as it is.
pub(crate) async fn rebuild(
    connection: &impl ConnectionTrait,
    table: &'static str,
    after: Option<Uuid>,
    most: u32,
) -> Result<Option<Uuid>, DbErr> {
    let select = Query::select()
        .columns([Column::Id, Column::Details])
        .columns([Searched::DueDate, Searched::DueAt])
        .from(table)
        .and_where(Expr::col(Column::Details).like("%\"due\":%"))
        .and_where_option(after.map(|after| Expr::col(Column::Id).gt(after)))
        .order_by(Column::Id, Order::Asc)
        .limit(u64::from(most))
        // Waiting for a row that another transaction changes could deadlock with it. SQLite ignores this.
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .take();
    let rows = connection.query_all(&select).await?;
    let rows: Vec<Row> = rows
        .iter()
        .map(QueryResult::try_get_many_by_index)
        .collect::<Result<_, _>>()?;
    let last = rows.last().map(|(id, ..)| *id);
    let differing: Vec<_> = rows
        .into_iter()
        .filter_map(|(id, details, date, at)| {
            let details = parse(Some(&details)).ok()?;
            let (new_date, new_at) = due_columns(details.due.as_ref());
            ((new_date, new_at) != (date, at)).then(|| (id, new_date, new_at).into())
        })
        .collect();
    if !differing.is_empty() {
        let rebuilt = |column: &'static str| Expr::col((REBUILT, column));
        let update = Query::update()
            .table(table)
            .value(Searched::DueDate, rebuilt("column2"))
            .value(Searched::DueAt, rebuilt("column3"))
            .from(TableRef::ValuesList(differing, REBUILT.into_iden()))
            .and_where(Expr::col((table, Column::Id)).eq(rebuilt("column1")))
            .take();
        connection.execute(&update).await?;
    }
    Ok(last)
}
