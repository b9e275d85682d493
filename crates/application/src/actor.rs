//! The user for whom a write acts, and the author that the change log names.

use taskhold_domain::task::change_log::ChangeAuthor;
use taskhold_domain::user::UserId;

/// The user for whom a write acts, and the author that the change log names: the session of the user, or a personal
/// access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The user, who owns the tasks.
    pub user: UserId,
    /// The author of the changes.
    pub by: ChangeAuthor,
}

impl Actor {
    /// Returns a user who is logged in.
    #[must_use]
    pub fn session(user: UserId) -> Self {
        Self {
            user,
            by: ChangeAuthor::session(),
        }
    }
}
