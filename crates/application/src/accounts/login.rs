//! Logging in with a password.

use taskhold_domain::account::{Email, Password, PasswordHash};
use taskhold_domain::input::Credentials;
use taskhold_domain::user::{User, UserId};

use super::{AccountError, AccountService, Client, Grant, refused};
use crate::passwords::{HashRequest, HashingError, Verification};
use crate::rate_limits::Attempt;
use crate::security_log::Event;

impl AccountService {
    /// Logs a user in. Wrong credentials take as long as right ones, whatever is wrong about them.
    ///
    /// # Errors
    /// [`AccountError`]: `WrongCredentials`, `RateLimited`, `Busy`, and those of the store.
    pub async fn log_in(
        &self,
        credentials: &Credentials,
        client: &Client,
    ) -> Result<Grant, AccountError> {
        let (email, address) = (credentials.email.as_str(), client.address);
        let now = self.clock.now();
        let device = client.device.as_ref();
        let device = device.and_then(|token| self.devices.verify(token, email, now));
        let mut user = self.find_by_email(email).await?;
        let id = user.as_ref().map(|user| &user.id);
        let guesser = self.limits.guesser(id, address, device, now).await?;
        let reason = guesser.name();
        let counted = self.limits.count_failure(guesser, email, address, now);
        let attempt = counted
            .await
            .map_err(|error| refused(error, Event::LockOut, reason, id, address))?;
        // Twice, since a concurrent login may replace the hash while it is compared with the password.
        for _ in 0..2 {
            let password = &credentials.password;
            if let Some(grant) = self.try_log_in(user, password, client, &attempt).await? {
                Event::Login.log(reason, Some(&grant.user.id), address);
                return Ok(grant);
            }
            user = self.find_by_email(email).await?;
        }
        Event::LoginFailed.log("account_changed", None, address);
        Err(AccountError::WrongCredentials)
    }

    async fn find_by_email(&self, email: &str) -> Result<Option<User>, AccountError> {
        match Email::parse(email) {
            Ok(email) => Ok(self.users.find_by_email(&email).await?),
            Err(_) => Ok(None),
        }
    }

    /// Logs a user in; returns `None` if the account changed while the password was verified.
    async fn try_log_in(
        &self,
        user: Option<User>,
        password: &str,
        client: &Client,
        attempt: &Attempt,
    ) -> Result<Option<Grant>, AccountError> {
        let hash = user.as_ref().and_then(|user| user.password.clone());
        let request = client.hash_request(true);
        let verified = self
            .verify(password, hash.as_ref(), request, attempt)
            .await?;
        let reason = match (&user, &hash) {
            (None, _) => Some("unknown_account"),
            (Some(_), None) => Some("no_password"),
            _ if verified == Verification::Mismatch => Some("wrong_password"),
            (Some(user), Some(_)) => (!user.is_active).then_some("deactivated"),
        };
        if let Some(reason) = reason {
            let user = user.as_ref().map(|user| &user.id);
            Event::LoginFailed.log(reason, user, client.address);
        }
        if reason == Some("deactivated")
            && let Some(user) = &user
            && self.users.has_moved(&user.id).await?
        {
            return Err(AccountError::Moved);
        }
        let (Some(user), Some(hash), None) = (user, hash, reason) else {
            return Err(AccountError::WrongCredentials);
        };
        self.limits.succeed(attempt).await?;
        let now = self.clock.now();
        let (session, refresh_token) = self.new_session(&user.id, now)?;
        if !self.sessions.start(&session, &hash).await? {
            return Ok(None);
        }
        if verified == Verification::MatchOutdatedHash
            && let Err(error) = self.rehash(&user.id, &hash, password, request).await
        {
            // The next login tries again.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "could not replace an outdated password hash"
            );
        }
        self.grant_to(client, user, refresh_token, now)
            .await
            .map(Some)
    }

    /// Verifies a password. If the hasher is too busy, the attempt does not count: a storm of logins must
    /// not lock users out.
    pub(super) async fn verify(
        &self,
        password: &str,
        hash: Option<&PasswordHash>,
        request: HashRequest,
        attempt: &Attempt,
    ) -> Result<Verification, AccountError> {
        match self.passwords.verify(password, hash, request).await {
            Err(HashingError::Busy) => {
                self.limits.refund(attempt).await?;
                Err(AccountError::Busy)
            }
            verified => Ok(verified?),
        }
    }

    async fn rehash(
        &self,
        user: &UserId,
        outdated: &PasswordHash,
        password: &str,
        request: HashRequest,
    ) -> Result<(), AccountError> {
        // A password that breaks a newer rule keeps its hash, which still works.
        if let Ok(password) = Password::parse(password) {
            let hash = self.passwords.hash(&password, request).await?;
            self.users.rehash(user, outdated, &hash).await?;
        }
        Ok(())
    }
}
