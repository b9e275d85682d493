//! Input of unknown shape, such as a JSON body, a form or a row of a file.
//!
//! Each type takes the members as they were given and reports every broken rule at once.

mod account;
mod personal_token;
mod quick_add;
mod task;

pub use self::account::{
    Credentials, CredentialsInput, PasswordChange, PasswordChangeInput, Registration,
    RegistrationInput,
};
pub use self::personal_token::TokenInput;
pub use self::quick_add::{QuickText, QuickTextInput};
pub use self::task::{DetailsInput, MoveInput, TaskInput};

/// A member of an input, before its rules are checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Member<T> {
    /// The member is missing.
    #[default]
    Absent,
    /// The member is null.
    Null,
    /// The member has the expected type.
    Given(T),
    /// The member has another type.
    WrongType,
}
