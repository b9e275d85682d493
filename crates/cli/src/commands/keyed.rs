//! Writes with an idempotency key, which is kept on the disk until the person knows their result.

use serde::Serialize;
use serde::de::DeserializeOwned;
use taskhold_client::tasks::{ChangedTask, Written};
use taskhold_client::{Client, Error, IdempotencyKey};
use taskhold_domain::task::TaskId;

use super::task_line;
use crate::clock::{age, words};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::pending::PendingWrite;
use crate::workspace::{Row, Workspace};

/// The result of a write, and its record, which is kept until the result is printed.
pub struct Answered<Target, T> {
    /// The task or the change that the command line names.
    pub target: Target,
    pub written: Written<T>,
    pub pending: PendingWrite,
}

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

/// Sends a write with the key of the same command, if that was interrupted before, or with a new one. `resolve` finds the
/// target that the command line names; an interrupted command has found it already. `not_found` is the message for a
/// target that does not exist any more.
pub async fn write<Target: Serialize + DeserializeOwned, T>(
    workspace: &mut Workspace,
    command: &[&str],
    output: &Output,
    resolve: impl AsyncFnOnce(&mut Workspace) -> Result<Target, Failure>,
    send: impl AsyncFnOnce(&Client, &Target, &IdempotencyKey) -> Result<Written<T>, Error>,
    not_found: Option<&str>,
) -> Result<Answered<Target, T>, Failure> {
    let command = [&[workspace.account.as_str()], command].concat();
    let mut pending = PendingWrite::start(&workspace.pending, &command);
    let target = match pending.resumed() {
        Some((target, started_at)) => {
            let age = words(age(started_at));
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
    match send(&workspace.client, &target, &pending.key()).await {
        Ok(written) => Ok(Answered {
            target,
            written,
            pending,
        }),
        Err(error) => {
            if !error.leaves_outcome_unknown() {
                pending.finish();
            }
            match (error, not_found) {
                (Error::NotFound(_), Some(message)) => Err(Failure::new(Kind::NotFound, message)),
                (error, _) => Err(error.into()),
            }
        }
    }
}

impl<Target> Answered<Target, ChangedTask> {
    /// Refuses to print the result of an interrupted command if the task has changed since.
    pub async fn refuse_changed(
        &self,
        workspace: &mut Workspace,
        output: &Output,
    ) -> Result<(), Failure> {
        let task = &self.written.value.task;
        let etag = Some(task.etag.as_str());
        refuse_changed(&self.pending, workspace, task.id, etag, output).await
    }

    /// Prints the task as JSON, or a text about it, and then forgets the write.
    pub fn print(
        self,
        workspace: &mut Workspace,
        output: &mut Output,
        print_text: impl FnOnce(&mut Workspace, &ChangedTask, &mut Output) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let changed = &self.written.value;
        let printed = if output.is_json() {
            let tasks = std::iter::once(&changed.task).chain(&changed.next);
            let mut rows = workspace.rows(tasks).into_iter();
            let (task, next) = (rows.next(), rows.next());
            let written = task.map(|task| WrittenTask {
                success: true,
                task,
                next,
                change: self.written.seq,
            });
            output.json(&written).map_err(Failure::from)
        } else {
            print_text(workspace, changed, output)
        };
        finish_when(self.pending, printed, output)
    }
}

/// Forgets a write once its result has been printed. A reader that has gone counts as told.
pub fn finish_when(
    mut pending: PendingWrite,
    printed: Result<(), Failure>,
    output: &mut Output,
) -> Result<(), Failure> {
    let printed = printed.and_then(|()| output.flush().map_err(Failure::from));
    if matches!(printed, Ok(()) | Err(Failure::ClosedPipe)) {
        pending.finish();
    }
    printed
}

/// Refuses to print the result of an interrupted command if the task has changed since. `etag` is the tag that the write
/// gave to the task; `None` if it deleted the task.
pub async fn refuse_changed(
    pending: &PendingWrite,
    workspace: &mut Workspace,
    id: TaskId,
    etag: Option<&str>,
    output: &Output,
) -> Result<(), Failure> {
    if !pending.is_resumed() {
        return Ok(());
    }
    workspace.update(output).await?;
    let tasks = workspace.cache.tasks();
    let present = tasks.iter().find(|task| task.id == id).cloned();
    if present.as_ref().map(|task| task.etag.as_str()) == etag {
        return Ok(());
    }
    let end = workspace.end(id);
    let now = match &present {
        Some(task) => task_line::line(&end, task),
        None => format!("task {end} is deleted"),
    };
    pending.forget();
    let message = format!(
        "The interrupted command did take effect, and the task has changed since. Give the command again if you still \
         mean it. Now: {now}"
    );
    Err(Failure::new(Kind::Conflict, message))
}
