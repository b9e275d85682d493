//! Commands that change one task. Each is sent with a key that is kept until the outcome is known.

use serde::Serialize;
use taskhold_client::tasks::{Completed, NewTask, Task};
use taskhold_client::{Client, Error, IdempotencyKey};
use taskhold_domain::input::{Member, TaskInput};
use taskhold_domain::task::TaskId;

use super::keyed::{Sent, write};
use super::list::{EMPTY, TaskList};
use super::task_line;
use crate::arguments::{Add, Command, OneTask, Update};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::workspace::{Row, Workspace};

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
    let command = ["add", title, description, if *quick { "quick" } else { "" }];
    let added = write(
        workspace,
        &command,
        output,
        // A key is for one request, and the time zone is a part of it.
        async |workspace| Ok(workspace.zone.name().to_owned()),
        async |client, zone: String, key| {
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
        None,
    );
    let Sent {
        value: (task, change),
        pending,
    } = added.await?;
    if !pending.is_resumed() {
        // The end by which it is shown must not be that of a task that this computer does not know yet.
        _ = workspace.cache.update(&workspace.client).await;
    }
    pending
        .refuse_changed(workspace, task.id, Some(&task.etag), output)
        .await?;
    let printed = if output.is_json() {
        print_task(workspace, &task, None, change, output)
    } else {
        let id = workspace.end(task.id);
        let line = format!("Task '{}' added successfully with ID {id}", task.title);
        let details = task_line::details(&task, &workspace.zone);
        output.line_with(&line, &details).map_err(Failure::from)
    };
    pending.finish_when(printed, output)
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
    let written = change_task(
        workspace,
        "update",
        text,
        &command,
        output,
        async |client, id, _, key| {
            let written = client.update(id, title, description, key).await?;
            Ok((written.value, written.seq))
        },
    );
    let Sent {
        value: (task, change),
        pending,
    } = written.await?;
    pending
        .refuse_changed(workspace, task.id, Some(&task.etag), output)
        .await?;
    let printed = if output.is_json() {
        print_task(workspace, &task, None, change, output)
    } else {
        let id = workspace.end(task.id);
        let line = format!("Task {id} updated successfully");
        output.line(&line).map_err(Failure::from)
    };
    pending.finish_when(printed, output)
}

/// Completes a task, reopens it, or toggles it if told neither.
pub async fn complete(
    workspace: &mut Workspace,
    name: &'static str,
    arguments: &OneTask,
    completed: Option<bool>,
    output: &mut Output,
) -> Result<(), Failure> {
    let text = &arguments.task;
    let command = [name, text];
    let written = change_task(
        workspace,
        name,
        text,
        &command,
        output,
        async |client, id, zone, key| {
            let written = client.complete(id, completed, zone, key).await?;
            Ok((written.value, written.seq))
        },
    );
    let Sent {
        value: (done, change),
        pending,
    } = written.await?;
    pending
        .refuse_changed(workspace, done.task.id, Some(&done.task.etag), output)
        .await?;
    let printed = print_completed(workspace, &done, change, output);
    pending.finish_when(printed, output)
}

fn print_completed(
    workspace: &mut Workspace,
    done: &Completed,
    change: Option<i64>,
    output: &mut Output,
) -> Result<(), Failure> {
    if output.is_json() {
        return print_task(workspace, &done.task, done.next.as_ref(), change, output);
    }
    let id = workspace.end(done.task.id);
    let state = if done.task.completed {
        "complete"
    } else {
        "incomplete"
    };
    output.line(&format!("Task {id} marked as {state}"))?;
    if let Some(next) = &done.next {
        let id = workspace.end(next.id);
        let details = task_line::details(next, &workspace.zone);
        output.line_with(&format!("Next: {}", task_line::line(&id, next)), &details)?;
    }
    Ok(())
}

/// Moves a task to the trash.
pub async fn delete(
    workspace: &mut Workspace,
    arguments: &OneTask,
    output: &mut Output,
) -> Result<(), Failure> {
    let text = &arguments.task;
    let command = ["delete", text];
    let deleted = change_task(
        workspace,
        "delete",
        text,
        &command,
        output,
        async |client, id, _, key| {
            let written = client.delete(id, key).await?;
            Ok((id, written.seq))
        },
    );
    let Sent {
        value: (id, change),
        pending,
    } = deleted.await?;
    pending.refuse_changed(workspace, id, None, output).await?;
    let id = workspace.end(id);
    let message = format!("Task {id} deleted successfully");
    let printed = if output.is_json() {
        output.json(&Deletion {
            success: true,
            message: &message,
            change,
        })
    } else {
        output.line(&message)
    };
    pending.finish_when(printed.map_err(Failure::from), output)
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

/// Writes to the task that a text names, among those that are not in the trash. `send` gets the time zone, too.
async fn change_task<T>(
    workspace: &mut Workspace,
    name: &str,
    text: &str,
    command: &[&str],
    output: &Output,
    send: impl AsyncFnOnce(&Client, TaskId, &str, &IdempotencyKey) -> Result<T, Error>,
) -> Result<Sent<T>, Failure> {
    let resolve = async |workspace: &mut Workspace| {
        workspace.update(output).await?;
        let id = workspace.find(name, text, &workspace.ids())?;
        // A key is for one request, and the time zone is a part of it.
        Ok((id, workspace.zone.name().to_owned()))
    };
    let not_found = format!("Task with ID {} not found", text.trim());
    let send = async |client: &Client, (id, zone): (TaskId, String), key: &IdempotencyKey| {
        send(client, id, &zone, key).await
    };
    write(workspace, command, output, resolve, send, Some(&not_found)).await
}
