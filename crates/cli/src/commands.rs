//! What each command does.

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

use crate::arguments::Command;
use crate::failure::Failure;
use crate::output::Output;
use crate::workspace::Workspace;

/// Runs a command.
pub async fn run(command: Command, output: &mut Output) -> Result<(), Failure> {
    match &command {
        Command::Login(arguments) => return login::log_in(arguments, output).await,
        Command::Logout(common) => return login::log_out(common, output).await,
        Command::Completions(arguments) => {
            return definitions::print_completions(arguments.shell, output);
        }
        Command::Man(arguments) => return definitions::write_manual(&arguments.folder),
        _ => {}
    }
    let Some(common) = command.common() else {
        return Ok(());
    };
    if common.user_id.as_deref() == Some("") {
        return write::without_user(&command, output);
    }
    let mut workspace = Workspace::open(common)?;
    let workspace = &mut workspace;
    match &command {
        Command::Add(arguments) => write::add(workspace, arguments, output).await,
        Command::Update(arguments) => write::update(workspace, arguments, output).await,
        Command::Complete(task) => {
            write::complete(workspace, "complete", task, Some(true), output).await
        }
        Command::Incomplete(task) => {
            write::complete(workspace, "incomplete", task, Some(false), output).await
        }
        Command::Toggle(task) => write::complete(workspace, "toggle", task, None, output).await,
        Command::Delete(task) => write::delete(workspace, task, output).await,
        Command::List(arguments) => list::list(workspace, arguments, output).await,
        Command::Today(_) => list::today(workspace, output).await,
        Command::Search(arguments) => list::search(workspace, &arguments.text, output).await,
        Command::Show(task) => show::show(workspace, task, output).await,
        Command::Undo(arguments) => undo::undo(workspace, arguments.number, output).await,
        Command::Trash(_) => trash::list(workspace, output).await,
        Command::Restore(task) => trash::restore(workspace, task, output).await,
        Command::History(task) => history::print(workspace, task, output).await,
        Command::Watch(_) => watch::watch(workspace, output).await,
        Command::Export(arguments) => files::export(workspace, arguments, output).await,
        Command::Import(arguments) => files::import(workspace, arguments, output).await,
        Command::Tokens(arguments) => tokens::run(workspace, arguments, output).await,
        // Handled above, since they need no login.
        Command::Login(_) | Command::Logout(_) | Command::Completions(_) | Command::Man(_) => {
            Ok(())
        }
    }
}
