//! `todo history`.

use futures_util::TryStreamExt as _;
use serde::Serialize;
use serde_json::Value;
use taskhold_client::tasks::Change;

use crate::arguments::OneTask;
use crate::failure::Failure;
use crate::output::Output;
use crate::workspace::Workspace;

#[derive(Serialize)]
struct History<'a> {
    history: &'a [Change],
}

/// Prints the changes of a task, the last one first.
pub async fn print(
    workspace: &mut Workspace,
    arguments: &OneTask,
    output: &mut Output,
) -> Result<(), Failure> {
    workspace.update(output).await?;
    let id = workspace.find("history", &arguments.task, &workspace.ids())?;
    let history: Vec<Change> = workspace.client.history(id).try_collect().await?;
    if output.is_json() {
        return Ok(output.json(&History { history: &history })?);
    }
    output.page(history.len());
    for change in &history {
        let at = workspace.zone.local(change.at).strftime("%Y-%m-%d %H:%M");
        let line = format!("{:>6}  {at}  {:<9}", change.seq, change.kind);
        output.line_with(&line, &format!("  {}", fields(change)))?;
    }
    Ok(())
}

/// Returns which members a change set, from what to what. The values of a creation are those of the task.
fn fields(change: &Change) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        value => value.to_string(),
    };
    let of = |(name, field): (&String, &taskhold_client::tasks::FieldChange)| match &field.from {
        Value::Null => format!("{name}: {}", text(&field.to)),
        from => format!("{name}: {} → {}", text(from), text(&field.to)),
    };
    let fields: Vec<_> = change.fields.iter().map(of).collect();
    format!("{} (by {})", fields.join(", "), change.by)
}
