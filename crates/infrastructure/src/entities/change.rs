//! Rows of the table `changes`.

use sea_orm::QuerySelect as _;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use taskhold_domain::task::change_log::{
    ChangeAuthor, ChangeKind, ChangeSeq, ChangeStamp, FieldValues, LoggedChange,
};
use taskhold_domain::task::{Description, Position, TaskId, Title};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

use super::details::DetailsDocument;

#[derive(Clone, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "changes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub task_id: Uuid,
    pub kind: String,
    /// The old values of the fields that changed, as JSON, and the id of the task of the next change of the same write.
    pub before: String,
    pub at: i64,
    pub by: String,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The members of [`Model::before`].
#[derive(Serialize, Deserialize)]
struct Before {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_completed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<String>,
    #[serde(flatten)]
    details: DetailsDocument,
    /// [`LoggedChange::next`]: no old value, but stored beside them to need no column.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Uuid>,
}

impl Model {
    /// Converts the row to a change.
    ///
    /// # Errors
    /// [`DbErr::Custom`] if a value breaks a rule of the domain. The error does not quote the task.
    pub(crate) fn parse(self) -> Result<LoggedChange, DbErr> {
        let seq = self.seq;
        self.values()
            .map_err(|_| DbErr::Custom(format!("the row {seq} of the table changes is corrupt")))
    }

    fn values(self) -> Result<LoggedChange, Box<dyn std::error::Error + Send + Sync>> {
        let before: Before = serde_json::from_str(&self.before)?;
        Ok(LoggedChange {
            seq: ChangeSeq::parse(self.seq)?,
            task: TaskId::from_uuid(self.task_id),
            kind: ChangeKind::parse(&self.kind)?,
            before: FieldValues {
                title: before.title.map(Title::parse).transpose()?,
                description: before.description.map(Description::parse).transpose()?,
                completed: before.is_completed,
                completed_at: before
                    .completed_at
                    .map(Timestamp::from_micros)
                    .transpose()?,
                position: before.position.map(Position::parse).transpose()?,
                details: before.details.parse()?,
            },
            next: before.next.map(TaskId::from_uuid),
            stamp: ChangeStamp {
                at: Timestamp::from_micros(self.at)?,
                by: ChangeAuthor::named(self.by),
            },
        })
    }
}

/// Returns [`Model::before`].
pub(crate) fn to_json(before: &FieldValues, next: Option<TaskId>) -> Result<String, DbErr> {
    let FieldValues {
        title,
        description,
        completed,
        completed_at,
        position,
        details,
    } = before;
    let before = Before {
        title: title.as_ref().map(|title| title.as_str().to_owned()),
        description: description.as_ref().map(|text| text.as_str().to_owned()),
        is_completed: *completed,
        completed_at: completed_at.map(Timestamp::as_micros),
        position: position
            .as_ref()
            .map(|position| position.as_str().to_owned()),
        details: details.into(),
        next: next.map(TaskId::as_uuid),
    };
    serde_json::to_string(&before).map_err(|error| DbErr::Json(error.to_string()))
}

/// Returns the query for the changes of a task of this owner.
pub(crate) fn of_task(owner: &UserId, id: TaskId) -> Select<Entity> {
    Entity::find()
        .filter(Column::TaskId.eq(id.as_uuid()))
        .filter(Column::UserId.eq(owner.as_str()))
}

/// Returns the number of the first change of a task.
pub(crate) async fn first(
    connection: &impl ConnectionTrait,
    owner: &UserId,
    id: TaskId,
) -> Result<Option<ChangeSeq>, DbErr> {
    number(connection, owner, id, "min(seq)").await
}

/// Returns the number of the latest change of a task.
pub(crate) async fn latest(
    connection: &impl ConnectionTrait,
    owner: &UserId,
    id: TaskId,
) -> Result<Option<ChangeSeq>, DbErr> {
    number(connection, owner, id, "max(seq)").await
}

async fn number(
    connection: &impl ConnectionTrait,
    owner: &UserId,
    id: TaskId,
    which: &'static str,
) -> Result<Option<ChangeSeq>, DbErr> {
    let select = of_task(owner, id)
        .select_only()
        .expr(Expr::cust(which))
        .into_tuple::<Option<i64>>();
    let seq = select.one(connection).await?.flatten();
    seq.map(parse_seq).transpose()
}

/// Reads the number of a change at this index of a row.
pub(crate) fn seq_at(row: &QueryResult, index: usize) -> Result<ChangeSeq, DbErr> {
    parse_seq(row.try_get_by_index(index)?)
}

/// Returns the number that is stored.
pub(crate) fn parse_seq(raw: i64) -> Result<ChangeSeq, DbErr> {
    ChangeSeq::parse(raw).map_err(|error| DbErr::Type(error.to_string()))
}
