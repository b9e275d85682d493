//! Writes of several tasks at once.

use taskhold_api::problem::{Kind, Problem};
use taskhold_application::tasks::{ChangeSeq, KeyedRequest, Precondition, TaskService};
use taskhold_domain::task::{Task, TaskChange, TaskId};
use taskhold_domain::user::UserId;
use taskhold_domain::zone::Zone;

/// The result of a write of several tasks.
pub(super) struct BulkResult {
    pub(super) tasks: Vec<Task>,
    pub(super) next: Vec<Task>,
    pub(super) replayed: bool,
    pub(super) seq: Option<ChangeSeq>,
}

pub(super) async fn complete_all(
    tasks: &TaskService,
    caller: &UserId,
    ids: &[TaskId],
    zone: Zone,
    keyed: Option<&KeyedRequest>,
) -> Result<BulkResult, Problem> {
    let id = only(ids)?;
    let change = TaskChange::complete(true);
    let changed = tasks
        .change(caller, id, &change, &Precondition::None, zone, keyed)
        .await?;
    Ok(BulkResult {
        tasks: vec![changed.outcome],
        next: changed.next.map(|next| *next).into_iter().collect(),
        replayed: changed.replayed,
        seq: changed.seq,
    })
}

pub(super) async fn delete_all(
    tasks: &TaskService,
    caller: &UserId,
    ids: &[TaskId],
    keyed: Option<&KeyedRequest>,
) -> Result<BulkResult, Problem> {
    let id = only(ids)?;
    let deleted = tasks.delete(caller, id, &Precondition::None, keyed).await?;
    Ok(BulkResult {
        tasks: Vec::new(),
        next: Vec::new(),
        replayed: deleted.replayed,
        seq: deleted.seq,
    })
}

fn only(ids: &[TaskId]) -> Result<TaskId, Problem> {
    match ids {
        [id] => Ok(*id),
        _ => Err(Problem::new(
            Kind::ValidationError,
            "Several tasks at once are not supported yet.",
        )),
    }
}
