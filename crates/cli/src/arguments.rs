//! The commands, arguments and options. The first seven commands have the words and usage lines of the console.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

/// The name of the login that is used unless another is named.
pub const DEFAULT_LOGIN: &str = "default";

/// Like the console's help: the usage first, and no subcommand `help`, which would be a word that it does not know.
const HELP: &str = "\
{usage-heading} {usage}

  {about}

{all-args}{after-help}";

/// The command line of Taskhold: your tasks, from any terminal.
///
/// Start with `todo login URL`. Tasks are named by the end of their ids: the shortest that is unambiguous is shown, and
/// any that is unambiguous is taken.
#[derive(Debug, Parser)]
#[command(
    name = "todo",
    bin_name = "todo",
    version,
    long_version = crate::version::LONG_VERSION.as_str(),
    override_usage = "todo [OPTIONS] COMMAND [ARGS]...",
    help_template = HELP,
    after_help = AFTER_HELP,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Exit status: 0 done; 1 a rule is broken; 2 no such task, or wrong usage; 3 not logged in, or not allowed; 4 the service \
cannot be reached or failed; 5 what was to be changed has changed since; 6 a file of this computer cannot be read or \
written; 130 interrupted.

TODO_URL and TODO_TOKEN name a service and a token in place of a login. NO_COLOR switches colours off, TODO_PAGER or \
PAGER names the program that shows long lists, and TZ the time zone.";

#[derive(Debug, Subcommand)]
pub enum Command {
    #[command(flatten)]
    Tasks(TaskCommand),
    /// Log in to a service.
    Login(Login),
    /// End a login, here and on the service.
    Logout(Common),
    /// Print what completes commands in a shell.
    Completions(Completions),
    /// Write the manual pages into a folder, for packages.
    #[command(hide = true)]
    Man(Man),
}

/// A command that works with the tasks of a login.
#[derive(Debug, Subcommand)]
pub enum TaskCommand {
    /// Add a new task to the todo list.
    Add(Add),
    /// Mark a task as complete.
    Complete(OneTask),
    /// Delete a task from the todo list.
    Delete(OneTask),
    /// Mark a task as incomplete.
    Incomplete(OneTask),
    /// List all tasks in the todo list.
    List(List),
    /// Toggle a task between complete and incomplete.
    Toggle(OneTask),
    /// Update the title and description of a task.
    Update(Update),
    /// Show one task with all that is known of it.
    Show(OneTask),
    /// List the open tasks that are due today or overdue.
    Today(Common),
    /// List the tasks with a text in title or description.
    Search(Search),
    /// Take a change back: the last one, or the one of a number; twice to do it again.
    Undo(Undo),
    /// List the deleted tasks, the last deleted first.
    Trash(Common),
    /// Take a task out of the trash.
    Restore(OneTask),
    /// List the changes of a task, the last one first, with the numbers that undo takes.
    History(OneTask),
    /// Print each change as it happens, until Ctrl-C.
    Watch(Common),
    /// Write all tasks to a file or to standard output.
    Export(Export),
    /// Make the tasks in a file yours: one of the console, or one of `todo export`.
    Import(Import),
    /// List, make and revoke tokens for programs.
    Tokens(Tokens),
}

#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Output in JSON format
    #[arg(long)]
    pub json: bool,
    /// The login to use: that of `todo login --name` [default: default]
    #[arg(long, value_name = "TEXT")]
    pub user_id: Option<String>,
}

#[derive(Debug, Args)]
pub struct Texts {
    /// The title of the task
    #[arg(value_name = "TITLE")]
    pub title: String,
    /// The description of the task; an update without one makes it empty, as in the console
    #[arg(
        value_name = "DESCRIPTION",
        default_value = "",
        hide_default_value = true
    )]
    pub description: String,
}

#[derive(Debug, Args)]
pub struct Add {
    #[command(flatten)]
    pub texts: Texts,
    /// Understand due date, repeat, #tags and !priority in the title, such as "Pay rent tomorrow 9am #home !high"
    #[arg(long)]
    pub quick: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Args)]
pub struct OneTask {
    /// The end of the task's id
    #[arg(value_name = "TASK_ID")]
    pub task: String,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Args)]
pub struct Update {
    /// The end of the task's id
    #[arg(value_name = "TASK_ID")]
    pub task: String,
    #[command(flatten)]
    pub texts: Texts,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Args)]
pub struct List {
    /// Only tasks that are not done
    #[arg(long, conflicts_with = "done")]
    pub open: bool,
    /// Only tasks that are done
    #[arg(long)]
    pub done: bool,
    /// Only tasks with this tag; several times for all of them
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Args)]
pub struct Search {
    /// A part of the title or the description, in any case
    #[arg(value_name = "TEXT")]
    pub text: String,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Args)]
pub struct Undo {
    /// The number of the change, as `todo history` shows it [default: the last change]
    #[arg(value_name = "NUMBER")]
    pub number: Option<i64>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Args)]
pub struct Export {
    /// The file, which must not exist; - for standard output [default: -]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The format: that of the console, or one that keeps everything
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    pub format: Format,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Format {
    /// The file of the original command-line app
    Console,
    /// A task with all its members on each line
    Ndjson,
}

#[derive(Debug, Args)]
pub struct Import {
    /// The file; - for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Say what would happen, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Args)]
pub struct Tokens {
    /// Make a token of this name, and print it; nobody can print it again
    #[arg(long, value_name = "NAME", conflicts_with = "revoke")]
    pub new: Option<String>,
    /// Let the new token only read
    #[arg(long, requires = "new")]
    pub read_only: bool,
    /// After how many days the new token ends [default: never]
    #[arg(long, value_name = "NUMBER", requires = "new")]
    pub days: Option<u32>,
    /// Revoke the token of this id
    #[arg(long, value_name = "ID")]
    pub revoke: Option<String>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Args)]
pub struct Login {
    #[arg(
        value_name = "URL",
        help = "The address of the service, such as https://todo.example.org",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub url: String,
    /// A name for the login, which --user-id takes, to have several
    #[arg(long, value_name = "NAME", default_value = DEFAULT_LOGIN)]
    pub name: String,
    /// The e-mail address [default: asked for]
    #[arg(long, value_name = "ADDRESS", conflicts_with = "token")]
    pub email: Option<String>,
    /// The password; - reads it from standard input, so that nobody sees it in the list of processes [default: asked
    /// for]
    #[arg(long, value_name = "PASSWORD", conflicts_with = "token")]
    pub password: Option<String>,
    /// A token in place of a password; - reads it from standard input
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// The place of the token: the system's keyring, or a file that only you can read [default: the keyring if
    /// there is one]
    #[arg(long, value_enum, value_name = "PLACE")]
    pub store: Option<Place>,
    /// A file with the certificate of a private authority to trust (PEM)
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Output in JSON format
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Place {
    /// The system's keyring
    Keyring,
    /// A file of mode 0600
    File,
}

#[derive(Debug, Args)]
pub struct Completions {
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub struct Man {
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}

/// Returns the definition of the command line. The usage line of each command is that of the console: its options, and
/// its arguments in capitals, in brackets if they can be left out.
pub fn definition() -> clap::Command {
    Cli::command().mut_subcommands(|command| {
        let mut usage = format!("todo {} [OPTIONS]", command.get_name());
        for argument in command.get_positionals() {
            for name in argument.get_value_names().unwrap_or_default() {
                let name = if argument.is_required_set() {
                    format!(" {name}")
                } else {
                    format!(" [{name}]")
                };
                usage.push_str(&name);
            }
        }
        command.override_usage(usage).help_template(HELP)
    })
}

impl Command {
    /// Returns whether the output is to be JSON.
    pub fn is_json(&self) -> bool {
        match self {
            Self::Tasks(command) => command.common().json,
            Self::Login(login) => login.json,
            Self::Logout(common) => common.json,
            Self::Completions(_) | Self::Man(_) => false,
        }
    }
}

impl TaskCommand {
    /// Returns the options that these commands have in common.
    pub fn common(&self) -> &Common {
        match self {
            Self::Add(arguments) => &arguments.common,
            Self::Complete(arguments)
            | Self::Delete(arguments)
            | Self::Incomplete(arguments)
            | Self::Toggle(arguments)
            | Self::Show(arguments)
            | Self::Restore(arguments)
            | Self::History(arguments) => &arguments.common,
            Self::Update(arguments) => &arguments.common,
            Self::List(arguments) => &arguments.common,
            Self::Search(arguments) => &arguments.common,
            Self::Undo(arguments) => &arguments.common,
            Self::Today(common) | Self::Trash(common) | Self::Watch(common) => common,
            Self::Export(arguments) => &arguments.common,
            Self::Import(arguments) => &arguments.common,
            Self::Tokens(arguments) => &arguments.common,
        }
    }
}
