//! Sessions: refreshing them, listing them and ending them.

use std::net::IpAddr;

use taskhold_domain::revocation::Revocation;
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
        let counted = self.limits.count_refresh(address, presented.family, now);
        counted
            .await
            .map_err(|error| refused(error, Event::RateLimited, "refreshes", None, address))?;
        let lifetime = self.lifetimes.max_token_lifetime;
        let ended = self.sessions.end_of_token(presented, now, lifetime).await?;
        Ok(self.ended(ended.as_ref(), "session", address))
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
        self.ended(ended.as_ref(), "all_sessions", address);
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
        Ok(self.ended(ended.await?.as_ref(), "session", address))
    }

    /// Takes note of the sessions that the store ended, and returns whether there were any.
    fn ended(&self, ended: Option<&Revocation>, reason: &'static str, address: IpAddr) -> bool {
        if let Some(revocation) = ended {
            self.revocations.add(revocation);
            Event::Logout.log(reason, Some(&revocation.user), address);
        }
        ended.is_some()
    }
}
