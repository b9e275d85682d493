//! Commands that change one task. Each is sent with a key that is kept until the outcome is known.

use serde::Serialize;
use serde::de::DeserializeOwned;
use taskhold_client::tasks::{NewTask, Task};
use taskhold_client::{Client, Error, IdempotencyKey};
use taskhold_domain::input::{Member, TaskInput};
use taskhold_domain::task::TaskId;

use super::list::{EMPTY, TaskList};
use super::task_line;
use crate::arguments::{Add, Command, OneTask, Update};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::pending::PendingWrite;
use crate::workspace::{Row, Workspace, age};

/// A written task in JSON, as the console prints it.
#[derive(Serialize)]
struct WrittenTask<'a> {
    success: bool,
    task: Row<'a>,
    /// The follow-up of a completed task that repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Row<'a>>,
    /// The number of the change, which `todo undo` takes.
    change: Option<i64>,
}

/// A deletion in JSON, as the console prints it.
#[derive(Serialize)]
struct Deletion<'a> {
    success: bool,
    message: &'a str,
    /// The number of the change, which `todo undo` takes.
    change: Option<i64>,
}

/// Adds a task.
pub async fn add(
    workspace: &mut Workspace,
    arguments: &Add,
    output: &mut Output,
) -> Result<(), Failure> {
    let Add {
        title,
        description,
        quick,
        ..
    } = arguments;
    let zone = workspace.zone.name().to_owned();
    let command = ["add", title, description, if *quick { "quick" } else { "" }];
    let added = write(
        workspace,
        &command,
        output,
        async |_| Ok(()),
        async |client, (), key| {
            if *quick {
                let written = client.quick_add(title, &zone, key).await?;
                return Ok((written.value.task, written.seq));
            }
            let task = NewTask {
                description: description.clone(),
                ..NewTask::titled(title)
            };
            let written = client.create(&task, key).await?;
            Ok((written.value, written.seq))
        },
        "",
    );
    let (task, change) = added.await?;
    // The end by which it is shown must not be that of a task that this computer does not know yet.
    _ = workspace.cache.update(&workspace.client).await;
    if output.is_json() {
        return print_task(workspace, &task, None, change, output);
    }
    let id = workspace.tail(task.id);
    output.cells(
        &format!("Task '{}' added successfully with ID {id}", task.title),
        &task_line::details(&task, &workspace.zone),
    )?;
    Ok(())
}

/// Replaces title and description.
pub async fn update(
    workspace: &mut Workspace,
    arguments: &Update,
    output: &mut Output,
) -> Result<(), Failure> {
    let Update {
        task: text,
        title,
        description,
        ..
    } = arguments;
    let command = ["update", text, title, description];
    let written = change_task(workspace, &command, output, async |client, id, key| {
        let written = client.update(id, title, description, key).await?;
        Ok((written.value, written.seq))
    });
    let (task, change) = written.await?;
    if output.is_json() {
        return print_task(workspace, &task, None, change, output);
    }
    let id = workspace.tail(task.id);
    Ok(output.line(&format!("Task {id} updated successfully"))?)
}

/// Completes a task, reopens it, or toggles it if told neither.
pub async fn complete(
    workspace: &mut Workspace,
    command: &'static str,
    arguments: &OneTask,
    completed: Option<bool>,
    output: &mut Output,
) -> Result<(), Failure> {
    let zone = workspace.zone.name().to_owned();
    let command = [command, &arguments.task];
    let written = change_task(workspace, &command, output, async |client, id, key| {
        let written = client.complete(id, completed, &zone, key).await?;
        Ok((written.value, written.seq))
    });
    let (done, change) = written.await?;
    if output.is_json() {
        return print_task(workspace, &done.task, done.next.as_ref(), change, output);
    }
    let id = workspace.tail(done.task.id);
    let state = if done.task.completed {
        "complete"
    } else {
        "incomplete"
    };
    output.line(&format!("Task {id} marked as {state}"))?;
    if let Some(next) = &done.next {
        let id = workspace.tail(next.id);
        let details = task_line::details(next, &workspace.zone);
        output.cells(&format!("Next: {}", task_line::line(&id, next)), &details)?;
    }
    Ok(())
}

/// Moves a task to the trash.
pub async fn delete(
    workspace: &mut Workspace,
    arguments: &OneTask,
    output: &mut Output,
) -> Result<(), Failure> {
    let command = ["delete", &arguments.task];
    let deleted = change_task(workspace, &command, output, async |client, id, key| {
        let written = client.delete(id, key).await?;
        Ok((id, written.seq))
    });
    let (id, change) = deleted.await?;
    let id = workspace.tail(id);
    let message = format!("Task {id} deleted successfully");
    if output.is_json() {
        let deletion = Deletion {
            success: true,
            message: &message,
            change,
        };
        return Ok(output.json(&deletion)?);
    }
    Ok(output.line(&message)?)
}

/// Prints what the console does for a user without a name, who has no tasks and can have none.
pub fn without_user(command: &Command, output: &mut Output) -> Result<(), Failure> {
    match command {
        Command::Add(arguments) => {
            let input = TaskInput {
                title: Member::Given(arguments.title.clone()),
                description: Member::Given(arguments.description.clone()),
                ..TaskInput::default()
            };
            let message = match input.into_draft() {
                Ok(_) => "Task user_id must be a non-empty string".to_owned(),
                Err(violations) => violations.to_string(),
            };
            Err(Failure::new(Kind::BrokenRule, message))
        }
        Command::List(_) if output.is_json() => Ok(output.json(&TaskList {
            tasks: Vec::new(),
            offline_since: None,
        })?),
        Command::List(_) => Ok(output.line(EMPTY)?),
        Command::Complete(task)
        | Command::Incomplete(task)
        | Command::Toggle(task)
        | Command::Delete(task) => Err(Failure::no_task(task.task.trim())),
        Command::Update(arguments) => Err(Failure::no_task(arguments.task.trim())),
        _ => Err(Failure::new(
            Kind::BrokenRule,
            "Task user_id must be a non-empty string",
        )),
    }
}

/// Prints a written task as JSON.
pub fn print_task(
    workspace: &mut Workspace,
    task: &Task,
    next: Option<&Task>,
    change: Option<i64>,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut rows = workspace
        .rows(std::iter::once(task).chain(next))
        .into_iter();
    let Some(task) = rows.next() else {
        return Ok(());
    };
    let written = WrittenTask {
        success: true,
        task,
        next: rows.next(),
        change,
    };
    Ok(output.json(&written)?)
}

/// Writes to the task that the second word of a command names, among those that are not in the trash.
async fn change_task<T>(
    workspace: &mut Workspace,
    command: &[&str],
    output: &Output,
    send: impl AsyncFnOnce(&Client, TaskId, &IdempotencyKey) -> Result<T, Error>,
) -> Result<T, Failure> {
    let [name, text, ..] = command else {
        return Err(Failure::new(Kind::BrokenRule, "the command names no task"));
    };
    let resolve = async |workspace: &mut Workspace| {
        workspace.update(output).await?;
        let id = workspace.find(name, text, &workspace.ids())?;
        Ok(id)
    };
    let not_found = format!("Task with ID {} not found", text.trim());
    write(workspace, command, output, resolve, send, &not_found).await
}

/// Sends a write with a key: that of the same command, if one before it was interrupted. `resolve` finds what the command
/// line names, which an interrupted command has found already. `not_found` is what is said if it does not exist any more.
pub async fn write<Target: Serialize + DeserializeOwned, T>(
    workspace: &mut Workspace,
    command: &[&str],
    output: &Output,
    resolve: impl AsyncFnOnce(&mut Workspace) -> Result<Target, Failure>,
    send: impl AsyncFnOnce(&Client, Target, &IdempotencyKey) -> Result<T, Error>,
    not_found: &str,
) -> Result<T, Failure> {
    let words = [&[workspace.account.as_str()], command].concat();
    let mut pending = PendingWrite::start(&workspace.pending, &words);
    let target = match pending.resumed() {
        Some((target, started_at)) => {
            let age = age(started_at);
            output.note(&format!(
                "The same command {age} ago did not learn its outcome: this one finishes it, so that it takes effect once."
            ));
            target
        }
        None => match resolve(workspace).await {
            Ok(target) => target,
            Err(failure) => {
                pending.finish();
                return Err(failure);
            }
        },
    };
    pending.aim(&target);
    let outcome = send(&workspace.client, target, &pending.key()).await;
    if !outcome.as_ref().is_err_and(Error::leaves_outcome_unknown) {
        pending.finish();
    }
    match outcome {
        Err(Error::NotFound(_)) => Err(Failure::new(Kind::NotFound, not_found)),
        outcome => Ok(outcome?),
    }
}
