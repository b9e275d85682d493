//! Security events: what an operator bans clients by, and an integrator looks for.

use std::net::IpAddr;

use taskhold_domain::user::UserId;
use taskhold_repository::request;
use tracing::field::display;

use crate::pseudonym::Pseudonym;

/// The target of all security events in the log.
pub const TARGET: &str = "taskhold::security";

/// A security event. The names are a promise to those who read logs, as are the reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// An account was created.
    Registration,
    /// A registration was refused.
    RegistrationFailed,
    /// A user logged in. The reason says which budget of wrong passwords the login counted against.
    Login,
    /// A login was refused.
    LoginFailed,
    /// No password is verified for now, since too many were wrong.
    LockOut,
    /// A request was refused because there were too many, right or wrong.
    RateLimited,
    /// A user logged out, or ended a session.
    Logout,
    /// A session ended because its refresh token was used twice.
    RefreshTokenReuse,
    /// A refresh token was refused.
    RefreshRefused,
    /// An access token was refused.
    TokenRefused,
    /// A user changed the password.
    PasswordChange,
    /// A change of the password was refused.
    PasswordChangeFailed,
    /// A user deleted the account.
    AccountDeletion,
    /// A deletion of an account was refused.
    AccountDeletionFailed,
    /// A user issued a personal access token.
    PersonalTokenIssued,
    /// A user revoked a personal access token.
    PersonalTokenRevoked,
}

impl Event {
    /// All events.
    pub const ALL: [Self; 16] = [
        Self::Registration,
        Self::RegistrationFailed,
        Self::Login,
        Self::LoginFailed,
        Self::LockOut,
        Self::RateLimited,
        Self::Logout,
        Self::RefreshTokenReuse,
        Self::RefreshRefused,
        Self::TokenRefused,
        Self::PasswordChange,
        Self::PasswordChangeFailed,
        Self::AccountDeletion,
        Self::AccountDeletionFailed,
        Self::PersonalTokenIssued,
        Self::PersonalTokenRevoked,
    ];

    /// Returns the name in the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::RegistrationFailed => "registration_failed",
            Self::Login => "login",
            Self::LoginFailed => "login_failed",
            Self::LockOut => "lock_out",
            Self::RateLimited => "rate_limited",
            Self::Logout => "logout",
            Self::RefreshTokenReuse => "refresh_token_reuse",
            Self::RefreshRefused => "refresh_refused",
            Self::TokenRefused => "token_refused",
            Self::PasswordChange => "password_change",
            Self::PasswordChangeFailed => "password_change_failed",
            Self::AccountDeletion => "account_deletion",
            Self::AccountDeletionFailed => "account_deletion_failed",
            Self::PersonalTokenIssued => "personal_token_issued",
            Self::PersonalTokenRevoked => "personal_token_revoked",
        }
    }

    /// Logs the event with a reason of its own, the pseudonym of the user it concerns, if it is known, and the
    /// address of the client. Expected events have the level of information, all others that of a warning.
    pub fn log(self, reason: &'static str, user: Option<&UserId>, client: IpAddr) {
        let event = self.name();
        let user = user.map(|user| display(Pseudonym::of(user)));
        let request_id = request::current_id();
        let request_id = request_id.as_deref();
        match self {
            Self::Registration
            | Self::Login
            | Self::Logout
            | Self::PasswordChange
            | Self::AccountDeletion => {
                tracing::info!(target: TARGET, event, reason, user, %client, request_id, "security event");
            }
            _ => {
                tracing::warn!(target: TARGET, event, reason, user, %client, request_id, "security event");
            }
        }
    }
}
