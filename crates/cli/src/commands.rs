//! The commands: a module for each, or for several that are alike.

mod definitions;
mod files;
mod history;
mod keyed;
mod list;
mod login;
mod show;
mod task_line;
mod tokens;
mod trash;
mod undo;
mod watch;
mod write;

use crate::arguments::{Command, TaskCommand};
use crate::failure::Failure;
use crate::output::Output;
use crate::workspace::Workspace;

/// Runs a command.
pub async fn run(command: &Command, output: &mut Output) -> Result<(), Failure> {
    match command {
        Command::Tasks(command) if command.common().user_id.as_deref() == Some("") => {
            write::without_user(command, output)
        }
        Command::Tasks(command) => {
            let mut workspace = Workspace::open(command.common())?;
            let done = work(&mut workspace, command, output).await;
            workspace.keep_last_change();
            done
        }
        Command::Login(arguments) => login::log_in(arguments, output).await,
        Command::Logout(common) => login::log_out(common, output).await,
        Command::Completions(arguments) => definitions::print_completions(arguments.shell, output),
        Command::Man(arguments) => definitions::write_manual(&arguments.folder),
    }
}

async fn work(
    workspace: &mut Workspace,
    command: &TaskCommand,
    output: &mut Output,
) -> Result<(), Failure> {
    match command {
        TaskCommand::Add(arguments) => write::add(workspace, arguments, output).await,
        TaskCommand::Update(arguments) => write::update(workspace, arguments, output).await,
        TaskCommand::Complete(task) => {
            write::complete(workspace, "complete", task, Some(true), output).await
        }
        TaskCommand::Incomplete(task) => {
            write::complete(workspace, "incomplete", task, Some(false), output).await
        }
        TaskCommand::Toggle(task) => write::complete(workspace, "toggle", task, None, output).await,
        TaskCommand::Delete(task) => write::delete(workspace, task, output).await,
        TaskCommand::List(arguments) => list::list(workspace, arguments, output).await,
        TaskCommand::Today(_) => list::today(workspace, output).await,
        TaskCommand::Search(arguments) => list::search(workspace, &arguments.text, output).await,
        TaskCommand::Show(task) => show::show(workspace, task, output).await,
        TaskCommand::Undo(arguments) => undo::undo(workspace, arguments.number, output).await,
        TaskCommand::Trash(_) => trash::list(workspace, output).await,
        TaskCommand::Restore(task) => trash::restore(workspace, task, output).await,
        TaskCommand::History(task) => history::print(workspace, task, output).await,
        TaskCommand::Watch(_) => watch::watch(workspace, output).await,
        TaskCommand::Export(arguments) => files::export(workspace, arguments, output).await,
        TaskCommand::Import(arguments) => files::import(workspace, arguments, output).await,
        TaskCommand::Tokens(arguments) => tokens::run(workspace, arguments, output).await,
    }
}
