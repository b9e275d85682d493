//! Sessions: refreshing them, listing them and ending them.

use std::net::IpAddr;

use taskhold_domain::session::{Ending, Rotation, Session, Successor};
use taskhold_domain::user::UserId;
use uuid::Uuid;

use super::{AccountError, AccountService, Grant, RefreshToken, refused};
use crate::security_log::Event;

impl AccountService {
    /// Exchanges a refresh token, which is used up, for new tokens. If the token was used before, its session
    /// ends, and the user's access tokens are revoked.
    ///
    /// # Errors
    /// [`AccountError`]: `InvalidRefreshToken`, `RateLimited`, and those of the store.
    pub async fn refresh(
        &self,
        token: &RefreshToken,
        address: IpAddr,
    ) -> Result<Grant, AccountError> {
        let now = self.clock.now();
        let presented = token.presented();
        let counted = self.limits.count_refresh(address, presented.family, now);
        counted
            .await
            .map_err(|error| refused(error, Event::RateLimited, "refreshes", None, address))?;
        let next = token.successor()?;
        let successor = Successor {
            token: next.hash(),
            created_at: now,
            expires_at: now.saturating_add(self.lifetimes.refresh_token),
            max_session_age: self.lifetimes.session,
        };
        let lifetime = self.lifetimes.max_token_lifetime;
        match self
            .sessions
            .rotate(presented, &successor, lifetime)
            .await?
        {
            Rotation::Rotated(user) => self.grant(user, next, None, now),
            Rotation::Reused(revocation) => {
                self.revocations.add(&revocation);
                Event::RefreshTokenReuse.log("session_ended", Some(&revocation.user), address);
                Err(AccountError::InvalidRefreshToken)
            }
            Rotation::Refused => {
                Event::RefreshRefused.log("unknown_or_expired", None, address);
                Err(AccountError::InvalidRefreshToken)
            }
        }
    }

    /// Ends the login that this refresh token descends from, or every login of the caller without one,
    /// and revokes the caller's access tokens.
    ///
    /// # Errors
    /// [`AccountError`]: those of the store.
    pub async fn log_out(
        &self,
        caller: &UserId,
        token: Option<&RefreshToken>,
        address: IpAddr,
    ) -> Result<(), AccountError> {
        let (ending, reason) = match token {
            Some(token) => (Ending::OfToken(token.presented()), "session"),
            None => (Ending::All, "all_sessions"),
        };
        self.end(caller, ending, reason, address).await.map(drop)
    }

    /// Returns the caller's sessions, the one that was refreshed last first.
    ///
    /// # Errors
    /// [`AccountError`]: those of the store.
    pub async fn sessions(&self, caller: &UserId) -> Result<Vec<Session>, AccountError> {
        Ok(self.sessions.list(caller, self.clock.now()).await?)
    }

    /// Ends the caller's session of this family, and revokes the caller's access tokens. Returns whether there
    /// was one.
    ///
    /// # Errors
    /// [`AccountError`]: those of the store.
    pub async fn end_session(
        &self,
        caller: &UserId,
        family: Uuid,
        address: IpAddr,
    ) -> Result<bool, AccountError> {
        self.end(caller, Ending::OfFamily(family), "session", address)
            .await
    }

    async fn end(
        &self,
        caller: &UserId,
        ending: Ending,
        reason: &'static str,
        address: IpAddr,
    ) -> Result<bool, AccountError> {
        let revocation = self.revocation_of(caller, self.clock.now());
        let ended = self.sessions.end(ending, &revocation).await?;
        if let Some(revocation) = &ended {
            self.revocations.add(revocation);
            Event::Logout.log(reason, Some(caller), address);
        }
        Ok(ended.is_some())
    }
}
