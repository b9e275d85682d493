//! Sessions: refreshing them, listing them and ending them.

use std::net::IpAddr;

use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::{Ending, PresentedToken, Rotation, Session, Successor};
use taskhold_domain::timestamp::Timestamp;
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
        let (now, presented) = (self.clock.now(), token.presented());
        self.count_refresh(presented, address, now).await?;
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
            Rotation::Rotated { user, started_at } => self.grant(user, next, None, started_at, now),
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

    /// Ends the session of a refresh token, and revokes its access tokens. Possession of the token suffices
    /// (RFC 7009): it could do more by refreshing. Returns whether there was such a session.
    ///
    /// # Errors
    /// [`AccountError`]: `RateLimited`, and those of the store.
    pub async fn end_session_of_token(
        &self,
        token: &RefreshToken,
        address: IpAddr,
    ) -> Result<bool, AccountError> {
        let (now, presented) = (self.clock.now(), token.presented());
        self.count_refresh(presented, address, now).await?;
        let lifetime = self.lifetimes.max_token_lifetime;
        let ended = self.sessions.end_of_token(presented, now, lifetime).await?;
        Ok(self.record_end(ended.as_ref(), "session", address))
    }

    /// Ends every session of the caller, and revokes the caller's access tokens.
    ///
    /// # Errors
    /// [`AccountError`]: those of the store.
    pub async fn end_all_sessions(
        &self,
        caller: &UserId,
        address: IpAddr,
    ) -> Result<(), AccountError> {
        let revocation = self.revocation_of(caller, self.clock.now());
        let ended = self.sessions.end(Ending::All, &revocation).await?;
        self.record_end(ended.as_ref(), "all_sessions", address);
        Ok(())
    }

    /// Returns the caller's sessions, the one that was refreshed last first.
    ///
    /// # Errors
    /// [`AccountError`]: those of the store.
    pub async fn sessions(&self, caller: &UserId) -> Result<Vec<Session>, AccountError> {
        Ok(self.sessions.list(caller, self.clock.now()).await?)
    }

    /// Ends the caller's session of this family, and revokes its access tokens. Returns whether there was one.
    ///
    /// # Errors
    /// [`AccountError`]: those of the store.
    pub async fn end_session(
        &self,
        caller: &UserId,
        family: Uuid,
        address: IpAddr,
    ) -> Result<bool, AccountError> {
        let revocation = self.revocation_of(caller, self.clock.now());
        let revocation = revocation.of_session(family);
        let ended = self.sessions.end(Ending::OfFamily(family), &revocation);
        Ok(self.record_end(ended.await?.as_ref(), "session", address))
    }

    /// Counts a use of a refresh token, and logs a refusal.
    async fn count_refresh(
        &self,
        token: PresentedToken,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(), AccountError> {
        let counted = self.limits.count_refresh(address, token.family, now).await;
        counted.map_err(|error| refused(error, Event::RateLimited, "refreshes", None, address))
    }

    /// Caches and logs the revocation with which the store ended sessions. Returns `false` if it ended none.
    fn record_end(
        &self,
        ended: Option<&Revocation>,
        reason: &'static str,
        address: IpAddr,
    ) -> bool {
        if let Some(revocation) = ended {
            self.revocations.add(revocation);
            Event::Logout.log(reason, Some(&revocation.user), address);
        }
        ended.is_some()
    }
}
