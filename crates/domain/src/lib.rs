//! Tasks, accounts and their rules, without a database, a web framework or an async runtime.
//!
//! Taskhold grew out of a command-line to-do app, the *console*. Its rules for tasks and their messages are
//! kept here to the letter, and no other crate repeats them. Add this crate to a program of your own to get
//! the same behaviour on any storage.
//!
//! | module | holds |
//! | --- | --- |
//! | [`task`] | [`Task`](task::Task), its parts and its changes |
//! | [`user`] | [`User`](user::User), [`UserId`](user::UserId): the owner of tasks |
//! | [`account`] | [`Email`](account::Email), [`Password`](account::Password): the parts of an account |
//! | [`session`] | [`Session`](session::Session): a refresh token and its successor |
//! | [`revocation`] | [`Revocation`](revocation::Revocation): from when on a user's tokens count |
//! | [`input`] | [`TaskInput`](input::TaskInput) and others: input of unknown shape |
//! | [`violation`] | [`Violations`](violation::Violations): the broken rules of an input |
//! | [`import`] | [`ConsoleRow`](import::ConsoleRow), [`NativeRow`](import::NativeRow): rows of files of tasks |
//! | [`lower_case`] | [`lower_case`](lower_case::lower_case): how e-mail addresses are compared |
//! | [`predictable`] | [`surprises`](predictable::surprises): how much of a text does not follow from its beginning |
//! | [`printable`] | [`is_printable`](printable::is_printable): which characters are safe to print |
//! | [`search`] | [`fold`](search::fold): how a search compares texts |
//! | [`timestamp`] | [`Timestamp`](timestamp::Timestamp): an instant with microsecond precision |
//!
//! A text goes through `parse` of its type. Input of unknown shape (JSON, a form) goes through a type of
//! [`input`], which handles missing members, nulls and wrong types and reports every broken rule at once.
//!
//! # Example
//!
//! A small console:
//!
//! ```
//! use taskhold_domain::input::{Member, TaskInput};
//! use taskhold_domain::task::{Task, TaskChange, TaskId};
//! use taskhold_domain::timestamp::Timestamp;
//! use taskhold_domain::user::UserId;
//! use uuid::Uuid;
//!
//! let owner = UserId::parse("default_user")?;
//! let mut tasks: Vec<Task> = Vec::new();
//! let mut shown = Vec::new();
//!
//! let commands = ["add Buy milk", "add ", "toggle 1", "delete 1", "toggle 1"];
//! for (tick, line) in (1_i64..).zip(commands) {
//!     let now = Timestamp::from_micros(tick)?;
//!     let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
//!     let position = rest.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
//!     shown.push(match (verb, position) {
//!         ("add", _) => {
//!             let input = TaskInput { title: Member::Given(rest.into()), ..TaskInput::default() };
//!             match input.into_draft() {
//!                 Ok(draft) => {
//!                     let id = TaskId::from_uuid(Uuid::from_u128(tick.unsigned_abs().into()));
//!                     tasks.push(Task::create(id, owner.clone(), draft, now));
//!                     format!("added {}", tasks.len())
//!                 }
//!                 Err(violations) => violations.to_string(),
//!             }
//!         }
//!         ("toggle", Some(position)) => match tasks.get_mut(position) {
//!             Some(task) => {
//!                 task.apply(&TaskChange::toggle(), now);
//!                 format!("completed: {}", task.completed)
//!             }
//!             None => "not found".into(),
//!         },
//!         ("delete", Some(position)) if position < tasks.len() => {
//!             tasks.remove(position);
//!             "deleted".into()
//!         }
//!         _ => "not understood".into(),
//!     });
//! }
//!
//! assert_eq!(
//!     shown,
//!     ["added 1", "Task title must be a non-empty string", "completed: true", "deleted", "not found"],
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod account;
pub mod import;
pub mod input;
mod length;
pub mod lower_case;
pub mod predictable;
pub mod printable;
pub mod revocation;
pub mod search;
pub mod session;
pub mod task;
pub mod timestamp;
pub mod user;
pub mod violation;
