//! The tools that write.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use taskhold_api::change_seq::count_appended;
use taskhold_api::changes::undo_change;
use taskhold_api::problem::Problem;
use taskhold_api::tasks::{
    UnderstoodBody, quick_text_of, task_input_of, task_json, task_member_schemas, understood_bodies,
};
use taskhold_application::actor::Actor;
use taskhold_application::tasks::{ChangeSeq, Precondition, WriteResult};
use taskhold_domain::task::Task;

use super::UseCases;
use super::arguments::Arguments;
use super::schema::WITH_TEXT;

/// The result of a write of one task.
#[derive(Serialize)]
struct Written {
    task: Box<RawValue>,
    /// The parts of a text that are not in the title.
    #[serde(skip_serializing_if = "Option::is_none")]
    understood: Option<Vec<UnderstoodBody>>,
    /// The follow-up of a task that repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Box<RawValue>>,
    /// The number that `undo` takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<i64>,
}

fn written(
    result: &WriteResult<Task>,
    understood: Option<Vec<UnderstoodBody>>,
) -> serde_json::Result<Box<RawValue>> {
    count_appended(result.seq, result.replayed);
    to_raw_value(&Written {
        task: task_json(&result.outcome)?,
        understood,
        next: result.next.first().map(task_json).transpose()?,
        seq: result.seq.map(ChangeSeq::get),
    })
}

pub(super) async fn add_task(
    actor: &Actor,
    use_cases: &UseCases,
    arguments: &Arguments,
) -> Result<Box<RawValue>, Problem> {
    if arguments.has("text") {
        return add_by_text(actor, use_cases, arguments).await;
    }
    arguments.refuse(WITH_TEXT, "goes with `text` only")?;
    let keyed = arguments.keyed()?;
    let input = task_input_of(arguments.without(&["key"]).into())?;
    let created = use_cases
        .tasks
        .create(actor, input.into_draft()?, keyed.as_ref())
        .await?;
    written(&created, None).map_err(Problem::internal)
}

async fn add_by_text(
    actor: &Actor,
    use_cases: &UseCases,
    arguments: &Arguments,
) -> Result<Box<RawValue>, Problem> {
    let fields = task_member_schemas();
    let fields = fields.iter().map(|(name, _)| name.as_str());
    arguments.refuse(fields, "does not go with `text`, which says everything")?;
    let keyed = arguments.keyed()?;
    let text = quick_text_of(arguments.without(&["key"]).into())?;
    let added = use_cases
        .tasks
        .quick_add(actor, &text, keyed.as_ref())
        .await?;
    let (task, understood) = added.outcome;
    let created = WriteResult {
        outcome: task,
        replayed: added.replayed,
        seq: added.seq,
        next: added.next,
    };
    written(&created, Some(understood_bodies(understood))).map_err(Problem::internal)
}

pub(super) async fn update_task(
    actor: &Actor,
    use_cases: &UseCases,
    arguments: &Arguments,
) -> Result<Box<RawValue>, Problem> {
    let id = arguments.id()?;
    let zone = arguments.zone()?;
    let keyed = arguments.keyed()?;
    let input = task_input_of(arguments.without(&["id", "timezone", "key"]).into())?;
    let change = input.into_patch()?;
    let changed = use_cases
        .tasks
        .change(
            actor,
            id,
            &change,
            &Precondition::None,
            zone,
            keyed.as_ref(),
        )
        .await?;
    written(&changed, None).map_err(Problem::internal)
}

pub(super) async fn undo(
    actor: &Actor,
    use_cases: &UseCases,
    arguments: &Arguments,
) -> Result<Box<RawValue>, Problem> {
    let seq = arguments.seq()?;
    let keyed = arguments.keyed()?;
    let undone = undo_change(actor, seq, &use_cases.tasks, keyed.as_ref()).await?;
    written(&undone, None).map_err(Problem::internal)
}

#[derive(Serialize)]
struct Completed {
    tasks: Vec<Box<RawValue>>,
    /// The follow-ups of those that repeat.
    next: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<i64>,
}

pub(super) async fn complete_tasks(
    actor: &Actor,
    use_cases: &UseCases,
    arguments: &Arguments,
) -> Result<Box<RawValue>, Problem> {
    let ids = arguments.ids()?;
    let zone = arguments.zone()?;
    let keyed = arguments.keyed()?;
    let done = use_cases
        .tasks
        .complete_all(actor, &ids, zone, keyed.as_ref())
        .await?;
    count_appended(done.seq, done.replayed);
    let json = |tasks: &[Task]| tasks.iter().map(task_json).collect::<Result<_, _>>();
    let completed = Completed {
        tasks: json(&done.outcome).map_err(Problem::internal)?,
        next: json(&done.next).map_err(Problem::internal)?,
        seq: done.seq.map(ChangeSeq::get),
    };
    to_raw_value(&completed).map_err(Problem::internal)
}

#[derive(Serialize)]
struct Deleted {
    removed: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<i64>,
}

pub(super) async fn delete_tasks(
    actor: &Actor,
    use_cases: &UseCases,
    arguments: &Arguments,
) -> Result<Box<RawValue>, Problem> {
    let ids = arguments.ids()?;
    let keyed = arguments.keyed()?;
    let deleted = use_cases
        .tasks
        .delete_all(actor, &ids, keyed.as_ref())
        .await?;
    count_appended(deleted.seq, deleted.replayed);
    let deleted = Deleted {
        removed: ids.as_slice().iter().map(ToString::to_string).collect(),
        seq: deleted.seq.map(ChangeSeq::get),
    };
    to_raw_value(&deleted).map_err(Problem::internal)
}
