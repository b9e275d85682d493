//! Revocations: from when on the access tokens of a user count.

use std::time::Duration;

use uuid::Uuid;

use crate::timestamp::Timestamp;
use crate::user::UserId;

/// The longest time until every instance of the service knows of a revocation.
pub const MAX_PROPAGATION: Duration = Duration::from_mins(1);

/// The rule that a user's tokens count only if they were issued at `not_before` or later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The user whose tokens are revoked.
    pub user: UserId,
    /// The session whose tokens are revoked, and with them those of the user that name no session; `None` for all
    /// of the user's tokens.
    pub session: Option<Uuid>,
    /// The earliest issue time that counts; [`Timestamp::LAST`] if no token does.
    pub not_before: Timestamp,
    /// When every token from before `not_before` has expired, by the lifetime that was accepted when the
    /// revocation was made. The version before this one deletes it then.
    pub kept_until: Timestamp,
}

impl Revocation {
    /// Revokes the tokens that were issued before `now`. Those
    /// live for `max_token_lifetime` and, since the clocks of instances differ, [`MAX_PROPAGATION`] longer.
    #[must_use]
    pub fn issued_before(user: &UserId, now: Timestamp, max_token_lifetime: Duration) -> Self {
        Self {
            user: user.clone(),
            session: None,
            not_before: now,
            kept_until: now
                .saturating_add(max_token_lifetime)
                .saturating_add(MAX_PROPAGATION),
        }
    }

    /// Limits the revocation to a session. A token of the user that names no session may be one of it.
    #[must_use]
    pub fn of_session(self, session: Uuid) -> Self {
        Self {
            session: Some(session),
            ..self
        }
    }

    /// Returns the revocation so that it also revokes tokens that were issued at `time`.
    #[must_use]
    pub fn covering(self, time: Timestamp) -> Self {
        let not_before = self.not_before.strictly_after(time);
        let later = not_before.as_micros().abs_diff(self.not_before.as_micros());
        Self {
            not_before,
            kept_until: self.kept_until.saturating_add(Duration::from_micros(later)),
            ..self
        }
    }

    /// Revokes every token, past and future.
    #[must_use]
    pub fn permanent(user: &UserId) -> Self {
        Self {
            user: user.clone(),
            session: None,
            not_before: Timestamp::LAST,
            kept_until: Timestamp::LAST,
        }
    }
}
