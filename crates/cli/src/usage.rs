//! Errors in the command line, in the words of the console.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::FromArgMatches as _;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use crate::arguments::{Cli, definition};

/// The exit status for a command line that cannot be understood, as the console's.
pub const WRONG_USAGE: u8 = 2;

/// A command line that asks for help or for the version, or that cannot be understood.
#[derive(Debug)]
pub enum Usage {
    /// A text that was asked for.
    Help(Error),
    /// The help, since nothing was asked for.
    Nothing(Error),
    /// An error, and the command that was meant.
    Wrong {
        command: Option<String>,
        message: String,
    },
}

/// Reads a command line.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, Usage> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let parsed = definition().try_get_matches_from(&arguments);
    let parsed = parsed.and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Usage::Help(error),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            Usage::Nothing(error)
        }
        _ => Usage::Wrong {
            command: named_command(&arguments),
            message: message(&error, &arguments),
        },
    })
}

impl Usage {
    /// Returns the usage of a command that was given something that is no id of a task.
    pub fn no_task_id(command: &str, text: &str) -> Self {
        Self::Wrong {
            command: Some(command.to_owned()),
            message: format!(
                "Invalid value for 'TASK_ID': {} is not the end of a task's id.",
                quoted(text)
            ),
        }
    }

    /// Prints it, and returns the exit status.
    pub fn print(self) -> ExitCode {
        match self {
            Self::Help(error) => match error.print() {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            },
            Self::Nothing(error) => {
                // Without an argument the console prints its help as an error.
                _ = write!(io::stderr(), "{}", error.render());
                ExitCode::from(WRONG_USAGE)
            }
            Self::Wrong { command, message } => {
                let mut cli = definition();
                cli.build();
                let named = command.as_deref();
                let known = named.and_then(|name| cli.find_subcommand_mut(name));
                let (usage, path) = match known {
                    Some(known) => (known.render_usage(), format!("todo {}", known.get_name())),
                    None => (cli.render_usage(), "todo".to_owned()),
                };
                _ = writeln!(
                    io::stderr(),
                    "{usage}\nTry '{path} --help' for help.\n\nError: {message}"
                );
                ExitCode::from(WRONG_USAGE)
            }
        }
    }
}

/// Returns the first argument, if it names a command.
fn named_command(arguments: &[OsString]) -> Option<String> {
    let first = arguments.get(1)?.to_str()?;
    definition()
        .find_subcommand(first)
        .map(|command| command.get_name().to_owned())
}

fn message(error: &Error, arguments: &[OsString]) -> String {
    let argument = || text(error, ContextKind::InvalidArg);
    let message = match error.kind() {
        ErrorKind::MissingRequiredArgument => {
            let name = argument().unwrap_or_default();
            let name = first_word(&name).trim_matches(['<', '>']);
            format!("Missing argument {}.", quoted(name))
        }
        ErrorKind::UnknownArgument => {
            let unknown = argument().unwrap_or_default();
            match unknown.strip_prefix('-') {
                Some(_) => format!("No such option {}.", quoted(&unknown)),
                None => unexpected(&unknown, arguments),
            }
        }
        ErrorKind::InvalidSubcommand => {
            let unknown = text(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            format!("No such command {}.", quoted(&unknown))
        }
        ErrorKind::InvalidUtf8 => "An argument is not valid UTF-8.".to_owned(),
        ErrorKind::TooManyValues => {
            let option = argument().unwrap_or_default();
            format!(
                "Option {} does not take a value.",
                quoted(first_word(&option))
            )
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let named = argument().unwrap_or_default();
            let value = text(error, ContextKind::InvalidValue).unwrap_or_default();
            let valid = text(error, ContextKind::ValidValue);
            match (value.as_str(), valid) {
                ("", None) if named.starts_with('-') => {
                    format!(
                        "Option {} requires an argument.",
                        quoted(first_word(&named))
                    )
                }
                (value, Some(valid)) => {
                    let name = first_word(&named).trim_matches(['<', '>', '[', ']']);
                    format!(
                        "Invalid value for '{name}': {} is not one of {valid}.",
                        quoted(value)
                    )
                }
                (value, None) => {
                    let name = first_word(&named).trim_matches(['<', '>', '[', ']']);
                    format!(
                        "Invalid value for '{name}': {} cannot be used.",
                        quoted(value)
                    )
                }
            }
        }
        // The console has no options that exclude each other, so no words for them.
        _ => {
            let rendered = error.render().to_string();
            let line = rendered.lines().next().unwrap_or_default();
            line.trim_start_matches("error: ").to_owned()
        }
    };
    match suggestion(error) {
        Some(name) => format!("{message} Did you mean {}?", quoted(&name)),
        None => message,
    }
}

/// Returns what is said of arguments that no command takes: all of them, from the first one.
fn unexpected(first: &str, arguments: &[OsString]) -> String {
    let rest = arguments.iter().skip_while(|argument| *argument != first);
    let rest: Vec<_> = rest
        .filter_map(|argument| argument.to_str())
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let noun = if rest.len() > 1 {
        "arguments"
    } else {
        "argument"
    };
    format!("Got unexpected extra {noun} ({})", rest.join(" "))
}

fn suggestion(error: &Error) -> Option<String> {
    text(error, ContextKind::SuggestedArg).or_else(|| text(error, ContextKind::SuggestedSubcommand))
}

/// Returns a part of what clap knows of an error as text: the first one, except of values.
fn text(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) if kind == ContextKind::ValidValue => {
            let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
            (!texts.is_empty()).then(|| texts.join(", "))
        }
        ContextValue::Strings(texts) => texts.first().cloned(),
        _ => None,
    }
}

fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

/// Returns a text in quotes, as Python writes it.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut quoted = String::from(quote);
    for char in text.chars() {
        match char {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\\' => quoted.push_str("\\\\"),
            char if char == quote => {
                quoted.push('\\');
                quoted.push(char);
            }
            char if u32::from(char) < 0x20 || char == '\u{7f}' => {
                _ = write!(quoted, "\\x{:02x}", u32::from(char));
            }
            char => quoted.push(char),
        }
    }
    quoted.push(quote);
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(arguments: &[&str]) -> String {
        let arguments = std::iter::once("todo").chain(arguments.iter().copied());
        match parse(arguments.map(OsString::from)) {
            Err(Usage::Wrong { message, .. }) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definitions_of_the_arguments_are_consistent() {
        definition().debug_assert();
    }

    #[test]
    fn wrong_usage_is_named_in_the_words_of_the_console() {
        for (arguments, message) in [
            (&["add"][..], "Missing argument 'TITLE'."),
            (&["complete"], "Missing argument 'TASK_ID'."),
            (&["update", "1"], "Missing argument 'TITLE'."),
            (&["update"], "Missing argument 'TASK_ID'."),
            (&["complete", "-1"], "No such option '-1'."),
            (&["complete", "1", "2"], "Got unexpected extra argument (2)"),
            (&["add", "a", "b", "c"], "Got unexpected extra argument (c)"),
            (
                &["add", "a", "b", "c", "--json", "d"],
                "Got unexpected extra arguments (c d)",
            ),
            (&["list", "extra"], "Got unexpected extra argument (extra)"),
            (&["list", "--bogus"], "No such option '--bogus'."),
            (&["nosuch"], "No such command 'nosuch'."),
            (&["--nosuch"], "No such option '--nosuch'."),
            (
                &["list", "--user-id"],
                "Option '--user-id' requires an argument.",
            ),
            (
                &["list", "--json=1"],
                "Option '--json' does not take a value.",
            ),
            (&["lists"], "No such command 'lists'. Did you mean 'list'?"),
            (
                &["list", "--jsn"],
                "No such option '--jsn'. Did you mean '--json'?",
            ),
            (
                &["completions", "cmd"],
                "Invalid value for 'SHELL': 'cmd' is not one of 'bash', 'elvish', 'fish', 'powershell', 'zsh'.",
            ),
            (
                &["undo", "x"],
                "Invalid value for 'NUMBER': 'x' cannot be used.",
            ),
        ] {
            assert_eq!(refused(arguments), message, "{arguments:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn arguments_that_are_not_utf_8_are_refused() {
        use std::os::unix::ffi::OsStringExt as _;

        let arguments = ["todo", "add"].map(OsString::from).into_iter();
        let parsed = parse(arguments.chain([OsString::from_vec(vec![b'a', 0xff])]));
        assert!(
            matches!(parsed, Err(Usage::Wrong { message, .. }) if message == "An argument is not valid UTF-8.")
        );
    }
}
