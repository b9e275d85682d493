//! Statements on tasks, and their parts.

use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, Func, Query};
use sea_orm::{ColumnTrait, Condition, DbBackend, EntityTrait, QueryFilter, QueryTrait, Statement};
use taskhold_domain::lower_case::lower_case;
use taskhold_domain::search::fold;
use taskhold_domain::task::{TaskChange, TaskId};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::tasks::{Key, Position, Precondition, Sort, SortKey};

use crate::entities::task::{Column, Entity, Searched, TaskRow, assignments};

/// Returns the statement that changes a task and returns its new [row](TaskRow).
pub(super) fn update(
    backend: DbBackend,
    owner: &UserId,
    id: TaskId,
    change: &TaskChange,
    precondition: &Precondition,
    now: Timestamp,
) -> Statement {
    let update = Entity::update_many()
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(
            Column::UpdatedAt,
            strictly_after_last_change(Expr::col(Column::UpdatedAt), now.as_micros()),
        )
        .filter(owned(owner, id))
        .filter(allowed(precondition));
    let mut update = update.into_query();
    update
        .values(assignments(change))
        .returning(Query::returning().columns(TaskRow::COLUMNS));
    backend.build(&update)
}

/// Returns the statement that removes a task.
pub(super) fn removal(
    backend: DbBackend,
    owner: &UserId,
    id: TaskId,
    precondition: &Precondition,
) -> Statement {
    Entity::delete_many()
        .filter(owned(owner, id))
        .filter(allowed(precondition))
        .build(backend)
}

/// Returns the condition for the row of this owner and id.
pub(super) fn owned(owner: &UserId, id: TaskId) -> Condition {
    Condition::all()
        .add(Column::Id.eq(id.as_uuid()))
        .add(Column::UserId.eq(owner.as_str()))
}

fn allowed(precondition: &Precondition) -> Condition {
    match precondition {
        Precondition::None => Condition::all(),
        // An empty `OR` would be true.
        Precondition::RevisionIn(revisions) if revisions.is_empty() => {
            Condition::all().add(Expr::value(false))
        }
        Precondition::RevisionIn(revisions) => {
            revisions.iter().fold(Condition::any(), |any, revision| {
                any.add(
                    Condition::all()
                        .add(Column::Version.eq(revision.version.get()))
                        .add(Column::UpdatedAt.eq(revision.updated_at.as_micros())),
                )
            })
        }
    }
}

pub(super) fn column(key: SortKey) -> Column {
    match key {
        SortKey::CreatedAt => Column::CreatedAt,
        SortKey::UpdatedAt => Column::UpdatedAt,
        SortKey::Title => Column::Title,
    }
}

/// Returns the condition for the rows after a position, as a comparison of pairs, which an index on both
/// columns serves.
pub(super) fn after(sort: Sort, position: &Position) -> Result<Expr, StoreError> {
    let key = match (sort.key, &position.key) {
        (SortKey::CreatedAt | SortKey::UpdatedAt, Key::Instant(instant)) => {
            Expr::value(instant.as_micros())
        }
        (SortKey::Title, Key::Title(title)) => Expr::value(title.as_str()),
        _ => return Err(StoreError::Defect("a position of another order".into())),
    };
    let row = Expr::tuple([Expr::col(column(sort.key)), Expr::col(Column::Id)]);
    let place = Expr::tuple([key, Expr::value(position.id.as_uuid())]);
    Ok(if sort.descending {
        row.lt(place)
    } else {
        row.gt(place)
    })
}

/// Returns the condition that either text contains this part. Both functions compare code points and have no
/// wildcards. A row whose texts for the search are out of date is searched as the version before does.
pub(super) fn contains(backend: DbBackend, part: &str) -> Expr {
    let find = if backend == DbBackend::Sqlite {
        "instr"
    } else {
        "strpos"
    };
    let either_has = |columns: [Searched; 2], part: String| {
        columns.into_iter().fold(Condition::any(), |any, column| {
            let place = Func::cust(find).arg(Expr::col(column)).arg(part.as_str());
            any.add(Expr::expr(place).gt(0))
        })
    };
    let is_current = Expr::col(Searched::SearchVersion).eq(Expr::col(Column::Version));
    let (current, outdated) = (
        [Searched::TitleSearch, Searched::DescriptionSearch],
        [Searched::TitleFolded, Searched::DescriptionFolded],
    );
    CaseStatement::new()
        .case(is_current, either_has(current, fold(part)))
        .finally(either_has(outdated, lower_case(part)))
        .into()
}

/// Returns [`Timestamp::strictly_after`] in SQL, for the row as it is when the statement runs.
pub(crate) fn strictly_after_last_change(last: Expr, now: impl Into<Expr>) -> Expr {
    let now = now.into();
    CaseStatement::new()
        .case(last.clone().gte(now.clone()), last.add(1_i64))
        .finally(now)
        .into()
}
