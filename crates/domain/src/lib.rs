//! Tasks, accounts and their rules, without a database, a web framework or an async runtime.
//!
//! Taskhold grew out of a command-line to-do app, the *console*. Its rules for tasks and their messages are
//! kept here to the letter, and no other crate repeats them. Add this crate to a program of your own to get
//! the same behaviour on any storage.
//!
//! | module | holds |
//! | --- | --- |
//! | [`task`] | [`Task`](task::Task), its parts and its changes |
//! | [`task::Priority`] | the priority of a task |
//! | [`task::Tags`] | [`Tag`](task::Tag): the tags of a task, compared without regard to case |
//! | [`task::Position`] | the order that an owner gives to the tasks by hand |
//! | [`user`] | [`User`](user::User), [`UserId`](user::UserId): the owner of tasks |
//! | [`account`] | [`Email`](account::Email), [`Password`](account::Password): the parts of an account |
//! | [`session`] | [`Session`](session::Session): a refresh token and its successor |
//! | [`personal_token`] | [`PersonalToken`](personal_token::PersonalToken): a credential for a program, and its scopes |
//! | [`revocation`] | [`Revocation`](revocation::Revocation): the time from which a user's tokens count |
//! | [`input`] | [`TaskInput`](input::TaskInput) and others: input of unknown shape |
//! | [`violation`] | [`Violations`](violation::Violations): the broken rules of an input |
//! | [`import`] | [`ConsoleRow`](import::ConsoleRow), [`NativeRow`](import::NativeRow): rows of files of tasks |
//! | [`lower_case`] | [`lower_case`](lower_case::lower_case): the form in which e-mail addresses and passwords are compared |
//! | [`predictable`] | [`surprises`](predictable::surprises): the part of a text that does not follow from its beginning |
//! | [`printable`] | [`is_printable`](printable::is_printable): the characters that are safe to print |
//! | [`quick_add`] | [`parse`](quick_add::parse): a task out of one line of text |
//! | [`search`] | [`fold`](search::fold): the form in which a search compares texts |
//! | `serialization` | tasks and their parts with serde, if the feature `serde` is on |
//! | [`timestamp`] | [`Timestamp`](timestamp::Timestamp): an instant with microsecond precision |
//! | [`zone`] | [`Zone`](zone::Zone): a time zone of the IANA database |
//!
//! A text goes through `parse` of its type. Input of unknown shape (JSON, a form) goes through a type of
//! [`input`], which handles missing members, nulls and wrong types and reports every broken rule at once.
//!
#![doc = include_str!("../README.md")]

pub mod account;
mod civil;
pub mod import;
pub mod input;
mod length;
pub mod lower_case;
pub mod personal_token;
pub mod predictable;
pub mod printable;
pub mod quick_add;
pub mod revocation;
mod scan;
pub mod search;
#[cfg(feature = "serde")]
pub mod serialization;
pub mod session;
pub mod task;
mod text;
pub mod timestamp;
pub mod user;
pub mod violation;
pub mod zone;
