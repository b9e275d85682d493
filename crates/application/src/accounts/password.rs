//! Changing the password, and deleting the account: both require the password.

use taskhold_domain::account::PasswordHash;
use taskhold_domain::input::PasswordChange;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::{User, UserId};

use super::{AccountError, AccountService, Client, Grant, MAX_FRESH_AGE, logged, refused};
use crate::passwords::Verification;
use crate::rate_limits::Guesser;
use crate::security_log::Event;

impl AccountService {
    /// Changes the caller's password, ends every session and access token from before, and logs the caller in
    /// again. Personal access tokens stay, unless the change revokes them.
    ///
    /// # Errors
    /// [`AccountError`]: `UnsuitablePassword`, `WrongPassword`, `NoPassword`, `RateLimited`, `NotFound`,
    /// `Busy`, and those of the store.
    pub async fn change_password(
        &self,
        caller: &UserId,
        change: &PasswordChange,
        client: &Client,
    ) -> Result<Grant, AccountError> {
        let changed = self.try_change_password(caller, change, client).await;
        let events = (Event::PasswordChange, Event::PasswordChangeFailed);
        logged(changed, events, "password", Some(caller), client)
    }

    async fn try_change_password(
        &self,
        caller: &UserId,
        change: &PasswordChange,
        client: &Client,
    ) -> Result<Grant, AccountError> {
        let user = self.account(caller).await?;
        let user = user.ok_or(AccountError::NoPassword)?;
        change
            .new
            .refuse_own_words(user.email.as_ref(), user.name.as_ref())?;
        let verified = self
            .confirm_password(&user, &change.current, client)
            .await?;
        let request = client.hash_request(false);
        let password = self.passwords.hash(&change.new, request).await?;
        let now = self.clock.now();
        let revocation = self.revocation_of(caller, now);
        let (session, refresh_token) = self.new_session(caller, now)?;
        let changed = self
            .users
            .change_password(
                verified,
                &password,
                &revocation,
                &session,
                change.revoke_tokens,
            )
            .await?;
        let Some(revocation) = changed else {
            // The account changed while the passwords were hashed.
            return Err(match self.account(caller).await? {
                Some(_) => AccountError::WrongPassword,
                None => AccountError::NotFound,
            });
        };
        self.revocations.add(&revocation);
        if change.revoke_tokens {
            self.personal_tokens.evict(caller);
            Event::PersonalTokenRevoked.log("password_change", Some(caller), client.address);
        }
        // The new access token is not older than the revocation.
        self.grant_to(client, user, refresh_token, revocation.not_before)
            .await
    }

    /// Deletes the caller's account with all of the caller's data. Requires the password or, if the
    /// account has none, a token that was `issued` within [`MAX_FRESH_AGE`].
    ///
    /// # Errors
    /// [`AccountError`]: `PasswordRequired`, `WrongPassword`, `FreshTokenRequired`, `RateLimited`, `Busy`, and
    /// those of the store.
    pub async fn delete(
        &self,
        caller: &UserId,
        issued: Option<Timestamp>,
        password: Option<&str>,
        client: &Client,
    ) -> Result<(), AccountError> {
        let deleted = self.try_delete(caller, issued, password, client).await;
        let reason = *deleted.as_ref().unwrap_or(&"");
        let events = (Event::AccountDeletion, Event::AccountDeletionFailed);
        logged(deleted, events, reason, Some(caller), client).map(drop)
    }

    /// Deletes the caller's account, and returns what confirmed it.
    async fn try_delete(
        &self,
        caller: &UserId,
        issued: Option<Timestamp>,
        password: Option<&str>,
        client: &Client,
    ) -> Result<&'static str, AccountError> {
        let confirmed = match self.account(caller).await? {
            Some(user) if user.password.is_some() => {
                let password = password.ok_or(AccountError::PasswordRequired)?;
                self.confirm_password(&user, password, client).await?;
                "password"
            }
            _ => {
                let now = self.clock.now();
                if issued.is_none_or(|issued| issued.saturating_add(MAX_FRESH_AGE) < now) {
                    return Err(AccountError::FreshTokenRequired);
                }
                "fresh_token"
            }
        };
        let revocation = self.revocation_of(caller, self.clock.now());
        self.users.remove(&revocation).await?;
        self.revocations.add(&revocation);
        self.personal_tokens.evict(caller);
        Ok(confirmed)
    }

    /// Verifies the caller's password and returns its hash. The failures of a logged-in user are counted apart:
    /// a stolen token must not help to guess the password, and a stranger who guesses must not lock its owner
    /// out.
    async fn confirm_password<'a>(
        &self,
        user: &'a User,
        password: &str,
        client: &Client,
    ) -> Result<&'a PasswordHash, AccountError> {
        let (Some(email), Some(hash)) = (&user.email, &user.password) else {
            return Err(AccountError::NoPassword);
        };
        let (now, address, guesser) = (self.clock.now(), client.address, Guesser::Authenticated);
        let reason = guesser.name();
        let counted = self
            .limits
            .count_failure(guesser, email.as_str(), address, now);
        let attempt = counted
            .await
            .map_err(|error| refused(error, Event::LockOut, reason, Some(&user.id), address))?;
        let request = client.hash_request(false);
        match self.verify(password, Some(hash), request, &attempt).await? {
            Verification::Mismatch => Err(AccountError::WrongPassword),
            Verification::Match | Verification::MatchOutdatedHash => {
                self.limits.succeed(&attempt).await?;
                Ok(hash)
            }
        }
    }
}
