//! The tools that read.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use taskhold_api::changes::read_changes;
use taskhold_api::problem::Problem;
use taskhold_api::tasks::{read_page, task_json};
use taskhold_domain::user::UserId;

use super::UseCases;
use super::arguments::Arguments;

/// The number of tasks on a page, unless a call says another: a list without end would fill a model's context.
const DEFAULT_LIMIT: u32 = 50;

pub(super) async fn list_tasks(
    caller: &UserId,
    use_cases: &UseCases,
    arguments: &Arguments,
) -> Result<Box<RawValue>, Problem> {
    let mut query = arguments.to_query();
    if !arguments.has("limit") {
        query = format!("limit={DEFAULT_LIMIT}&{query}");
    }
    let page = read_page(caller, &query, use_cases.clock.now(), &use_cases.tasks).await?;
    to_raw_value(&page).map_err(Problem::internal)
}

#[derive(Serialize)]
struct FoundTask {
    task: Box<RawValue>,
}

pub(super) async fn get_task(
    caller: &UserId,
    use_cases: &UseCases,
    arguments: &Arguments,
) -> Result<Box<RawValue>, Problem> {
    let task = use_cases.tasks.find(caller, arguments.id()?).await?;
    let task = task_json(&task).map_err(Problem::internal)?;
    to_raw_value(&FoundTask { task }).map_err(Problem::internal)
}

pub(super) async fn changes_since(
    caller: &UserId,
    use_cases: &UseCases,
    arguments: &Arguments,
) -> Result<Box<RawValue>, Problem> {
    let changes = read_changes(caller, &arguments.to_query(), &use_cases.log).await?;
    to_raw_value(&changes).map_err(Problem::internal)
}
