//! Tasks and the rules they obey, apart from any database, web framework or async runtime.
//!
//! The rules are those of the console to-do app that Taskhold grew out of; this crate is the
//! only place that decides them, and its messages are the console's own. Add it to a program
//! of your own and you get the same behaviour on whatever storage you like.
//!
//! # Map
//!
//! | module | holds |
//! | --- | --- |
//! | [`task`] | [`Task`](task::Task), its parts, and what can be done to it |
//! | [`input`] | [`TaskInput`](input::TaskInput) and its like: input of unknown shape, and the rules that it broke |
//! | [`account`] | [`Email`](account::Email), [`Password`](account::Password): how people who register are known |
//! | [`import`] | [`ConsoleRow`](import::ConsoleRow), [`NativeRow`](import::NativeRow): tasks that come out of a file |
//! | [`search`] | [`fold`](search::fold), how texts are compared when tasks are looked for |
//! | [`user`] | [`User`](user::User), [`UserId`](user::UserId): the owner of tasks |
//! | [`session`] | [`Session`](session::Session), a refresh token and its successor |
//! | [`revocation`] | [`Revocation`](revocation::Revocation), from when on a user's tokens count |
//! | [`timestamp`] | [`Timestamp`](timestamp::Timestamp), an instant in whole microseconds |
//! | [`violation`] | [`Violations`](violation::Violations), the rules that an input broke, in the order of the checks |
//!
//! # Two ways in
//!
//! Text that is known to be text goes through `parse` of its type. Input of unknown shape (JSON,
//! a form) goes through [`TaskInput`](input::TaskInput), which knows about missing members, nulls
//! and wrong types and reports every broken rule at once.
//!
//! # A console in a few lines
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
pub mod revocation;
pub mod search;
pub mod session;
pub mod task;
pub mod timestamp;
pub mod user;
pub mod violation;
