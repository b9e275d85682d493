//! Writes with a key, which is kept on the disk until the person knows what became of them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use taskhold_client::{Client, Error, IdempotencyKey};
use taskhold_domain::task::TaskId;

use super::task_line;
use crate::clock::{age, words};
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::pending::PendingWrite;
use crate::workspace::Workspace;

/// What a write did, and its key, which is kept until the person has been told.
pub struct Sent<T> {
    pub value: T,
    pub pending: PendingWrite,
}

/// Sends a write with a key: that of the same command, if one before it was interrupted. `resolve` finds what the command
/// line names, which an interrupted command has found already. `not_found` is what is said if it does not exist any more.
pub async fn write<Target: Serialize + DeserializeOwned, T>(
    workspace: &mut Workspace,
    command: &[&str],
    output: &Output,
    resolve: impl AsyncFnOnce(&mut Workspace) -> Result<Target, Failure>,
    send: impl AsyncFnOnce(&Client, Target, &IdempotencyKey) -> Result<T, Error>,
    not_found: Option<&str>,
) -> Result<Sent<T>, Failure> {
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
    match send(&workspace.client, target, &pending.key()).await {
        Ok(value) => Ok(Sent { value, pending }),
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

impl PendingWrite {
    /// Forgets the write once what it did has been printed. A reader that has gone counts as told.
    pub fn finish_when(
        mut self,
        printed: Result<(), Failure>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let printed = printed.and_then(|()| output.flush().map_err(Failure::from));
        if matches!(printed, Ok(()) | Err(Failure::ClosedPipe)) {
            self.finish();
        }
        printed
    }

    /// Refuses to tell what an interrupted command did as if it were so now, if the task has changed since. `etag` is the
    /// tag that the write gave to the task; `None` if it deleted the task.
    pub async fn refuse_changed(
        &self,
        workspace: &mut Workspace,
        id: TaskId,
        etag: Option<&str>,
        output: &Output,
    ) -> Result<(), Failure> {
        if !self.is_resumed() {
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
        let message = format!(
            "The interrupted command did take effect, and the task has changed since. Give the command again if you \
             still mean it. Now: {now}"
        );
        self.forget();
        Err(Failure::new(Kind::Conflict, message))
    }
}
