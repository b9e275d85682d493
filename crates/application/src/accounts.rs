//! What a user can do with an account: register, log in, refresh tokens, and leave.

mod error;
mod grant;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use taskhold_domain::account::{Email, Password, PasswordHash};
use taskhold_domain::input::{Credentials, PasswordChange, Registration};
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::{Rotation, Session, Successor};
use taskhold_domain::timestamp::Timestamp;
pub use taskhold_domain::user::User;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::sessions::SessionRepository;
use taskhold_repository::users::UserRepository;

pub use self::error::AccountError;
pub use self::grant::{Grant, RefreshToken};
use crate::clock::Clock;
use crate::ids::Ids;
use crate::passwords::{HashingError, PasswordHasher, Verification};
pub use crate::rate_limits::Allowance;
use crate::rate_limits::RateLimiter;
use crate::revocations::Revocations;
use crate::tokens::TokenSigner;

/// The greatest age of a token that may delete an account without a password.
pub const MAX_FRESH_AGE: Duration = Duration::from_mins(5);

/// The lifetimes of tokens.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// The lifetime of a refresh token.
    pub refresh_token: Duration,
    /// The longest lifetime of an access token that the service accepts, also of another issuer.
    /// Revocations are kept for as long.
    pub max_token_lifetime: Duration,
}

/// The accounts of users.
#[derive(Clone)]
pub struct AccountService {
    /// The users.
    pub users: Arc<dyn UserRepository>,
    /// The refresh tokens.
    pub sessions: Arc<dyn SessionRepository>,
    /// The password hasher.
    pub passwords: Arc<dyn PasswordHasher>,
    /// The signer of access tokens.
    pub tokens: Arc<dyn TokenSigner>,
    /// The cache that learns of each revocation at once.
    pub revocations: Arc<Revocations>,
    /// The limits on registration and login.
    pub limits: RateLimiter,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The generator of the ids of users and logins.
    pub ids: Arc<dyn Ids>,
    /// The lifetimes of tokens.
    pub lifetimes: Lifetimes,
    /// Whether people may make accounts themselves.
    pub registration: bool,
}

impl AccountService {
    /// Checks that people may make accounts themselves.
    ///
    /// # Errors
    /// [`AccountError::RegistrationDisabled`].
    pub fn allow_registration(&self) -> Result<(), AccountError> {
        if self.registration {
            Ok(())
        } else {
            Err(AccountError::RegistrationDisabled)
        }
    }

    /// Counts a request of an address to register or log in.
    ///
    /// # Errors
    /// [`AccountError::RateLimited`], and those of the store.
    pub async fn count_request(&self, address: IpAddr) -> Result<Allowance, AccountError> {
        let now = self.clock.now();
        Ok(self.limits.count_request(address, now).await?)
    }

    /// Creates an account.
    ///
    /// # Errors
    /// [`AccountError`]: `RegistrationDisabled`, `EmailTaken`, `Busy`, and those of the store.
    pub async fn register(&self, registration: Registration) -> Result<Grant, AccountError> {
        self.allow_registration()?;
        let Registration {
            email,
            password,
            name,
        } = registration;
        let password = self.passwords.hash(&password).await?;
        let now = self.clock.now();
        let user = User {
            id: UserId::parse(self.ids.next().to_string())
                .map_err(|error| AccountError::Defect(error.into()))?,
            email: Some(email),
            name,
            password: Some(password),
            is_active: true,
            created_at: now,
        };
        let (session, refresh_token) = self.new_session(&user.id, now)?;
        match self.users.register(&user, &session).await {
            Ok(()) => self.grant(user, refresh_token, now),
            Err(StoreError::Duplicate) => Err(AccountError::EmailTaken),
            Err(error) => Err(error.into()),
        }
    }

    /// Logs a user in. Wrong credentials take as long as right ones, whatever is wrong about them.
    ///
    /// # Errors
    /// [`AccountError`]: `WrongCredentials`, `RateLimited`, `Busy`, and those of the store.
    pub async fn log_in(
        &self,
        credentials: &Credentials,
        address: IpAddr,
    ) -> Result<Grant, AccountError> {
        let now = self.clock.now();
        self.limits
            .count_failure(&credentials.email, address, now)
            .await?;
        // Twice, since a concurrent login may replace the hash while it is compared with the password.
        for _ in 0..2 {
            if let Some(grant) = self.try_log_in(credentials, address).await? {
                return Ok(grant);
            }
        }
        Err(AccountError::WrongCredentials)
    }

    /// Logs a user in; returns `None` if the account changed while the password was verified.
    async fn try_log_in(
        &self,
        credentials: &Credentials,
        address: IpAddr,
    ) -> Result<Option<Grant>, AccountError> {
        let Credentials { email, password } = credentials;
        let user = match Email::parse(email.as_str()) {
            Ok(email) => self.users.find_by_email(&email).await?,
            Err(_) => None,
        };
        let hash = user.as_ref().and_then(|user| user.password.clone());
        let verified = self.verify(email, password, hash.as_ref(), address).await?;
        let (Some(user), Some(hash)) = (user, hash) else {
            return Err(AccountError::WrongCredentials);
        };
        if verified == Verification::Mismatch || !user.is_active {
            return Err(AccountError::WrongCredentials);
        }
        self.limits.clear_failures(email, address).await?;
        let now = self.clock.now();
        let (session, refresh_token) = self.new_session(&user.id, now)?;
        if !self.sessions.start(&session, &hash).await? {
            return Ok(None);
        }
        if verified == Verification::MatchOutdatedHash
            && let Err(error) = self.rehash(&user.id, &hash, password).await
        {
            // The next login tries again.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "could not replace an outdated password hash"
            );
        }
        self.grant(user, refresh_token, now).map(Some)
    }

    /// Verifies a password. If the hasher is too busy, the attempt does not count: a storm of logins must
    /// not lock users out.
    async fn verify(
        &self,
        email: &str,
        password: &str,
        hash: Option<&PasswordHash>,
        address: IpAddr,
    ) -> Result<Verification, AccountError> {
        match self.passwords.verify(password, hash).await {
            Err(HashingError::Busy) => {
                self.limits.refund_failure(email, address).await?;
                Err(AccountError::Busy)
            }
            verified => Ok(verified?),
        }
    }

    /// Exchanges a refresh token, which is used up, for new tokens.
    ///
    /// # Errors
    /// [`AccountError`]: `InvalidRefreshToken`, and those of the store.
    pub async fn refresh(&self, token: &RefreshToken) -> Result<Grant, AccountError> {
        let next = RefreshToken::random()?;
        let now = self.clock.now();
        let successor = Successor {
            token: next.hash(),
            created_at: now,
            expires_at: now.saturating_add(self.lifetimes.refresh_token),
        };
        match self.sessions.rotate(token.hash(), &successor).await? {
            Rotation::Rotated(user) => self.grant(user, next, now),
            Rotation::Reused => {
                tracing::warn!("a refresh token was used twice: its sessions are ended");
                Err(AccountError::InvalidRefreshToken)
            }
            Rotation::Refused => Err(AccountError::InvalidRefreshToken),
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
    ) -> Result<(), AccountError> {
        let revocation = self.revocation_of(caller, self.clock.now());
        let token = token.map(RefreshToken::hash);
        self.sessions.end(token, &revocation).await?;
        self.revocations.add(&revocation);
        Ok(())
    }

    /// Returns the caller's account, or `None` if the store does not know the user yet.
    ///
    /// # Errors
    /// [`AccountError`]: those of the store.
    pub async fn find(&self, caller: &UserId) -> Result<Option<User>, AccountError> {
        Ok(self.users.find(caller).await?)
    }

    /// Changes the caller's password, ends every session and token from before, and logs the caller in
    /// again.
    ///
    /// # Errors
    /// [`AccountError`]: `UnsuitablePassword`, `WrongPassword`, `NoPassword`, `RateLimited`, `NotFound`,
    /// `Busy`, and those of the store.
    pub async fn change_password(
        &self,
        caller: &UserId,
        change: &PasswordChange,
        address: IpAddr,
    ) -> Result<Grant, AccountError> {
        let user = self.account(caller).await?;
        let user = user.ok_or(AccountError::NoPassword)?;
        change
            .new
            .refuse_own_words(user.email.as_ref(), user.name.as_ref())?;
        let verified = self
            .confirm_password(&user, &change.current, address)
            .await?;
        let password = self.passwords.hash(&change.new).await?;
        let now = self.clock.now();
        let revocation = self.revocation_of(caller, now);
        let (session, refresh_token) = self.new_session(caller, now)?;
        let is_changed = self
            .users
            .change_password(verified, &password, &revocation, &session)
            .await?;
        if !is_changed {
            // The account changed while the passwords were hashed.
            return Err(match self.account(caller).await? {
                Some(_) => AccountError::WrongPassword,
                None => AccountError::NotFound,
            });
        }
        self.revocations.add(&revocation);
        self.grant(user, refresh_token, now)
    }

    /// Deletes the caller's account with all of the caller's data. Requires the password or, if the
    /// account has none, a token that was `issued` within [`MAX_FRESH_AGE`].
    ///
    /// # Errors
    /// [`AccountError`]: `WrongPassword`, `FreshTokenRequired`, `RateLimited`, `Busy`, and those of the
    /// store.
    pub async fn delete(
        &self,
        caller: &UserId,
        issued: Option<Timestamp>,
        password: Option<&str>,
        address: IpAddr,
    ) -> Result<(), AccountError> {
        match self.account(caller).await? {
            Some(user) if user.password.is_some() => {
                let password = password.ok_or(AccountError::WrongPassword)?;
                self.confirm_password(&user, password, address).await?;
            }
            _ => {
                let now = self.clock.now();
                if issued.is_none_or(|issued| issued.saturating_add(MAX_FRESH_AGE) < now) {
                    return Err(AccountError::FreshTokenRequired);
                }
            }
        }
        let revocation = self.revocation_of(caller, self.clock.now());
        self.users.remove(&revocation).await?;
        self.revocations.add(&revocation);
        Ok(())
    }

    /// Returns the caller's account, if the store knows it. An account that was just deactivated is not
    /// found: this instance may not know of the revocation yet.
    async fn account(&self, caller: &UserId) -> Result<Option<User>, AccountError> {
        match self.users.find(caller).await? {
            Some(user) if !user.is_active => Err(AccountError::NotFound),
            found => Ok(found),
        }
    }

    /// Verifies the caller's password and returns its hash.
    async fn confirm_password<'a>(
        &self,
        user: &'a User,
        password: &str,
        address: IpAddr,
    ) -> Result<&'a PasswordHash, AccountError> {
        let (Some(email), Some(hash)) = (&user.email, &user.password) else {
            return Err(AccountError::NoPassword);
        };
        // A stolen token must not help to guess the password.
        let now = self.clock.now();
        self.limits
            .count_failure(email.as_str(), address, now)
            .await?;
        let verified = self.verify(email.as_str(), password, Some(hash), address);
        match verified.await? {
            Verification::Mismatch => Err(AccountError::WrongPassword),
            Verification::Match | Verification::MatchOutdatedHash => {
                self.limits.clear_failures(email.as_str(), address).await?;
                Ok(hash)
            }
        }
    }

    async fn rehash(
        &self,
        user: &UserId,
        outdated: &PasswordHash,
        password: &str,
    ) -> Result<(), AccountError> {
        // A password that breaks a newer rule keeps its hash, which still works.
        if let Ok(password) = Password::parse(password) {
            let hash = self.passwords.hash(&password).await?;
            self.users.rehash(user, outdated, &hash).await?;
        }
        Ok(())
    }

    fn new_session(
        &self,
        user: &UserId,
        now: Timestamp,
    ) -> Result<(Session, RefreshToken), AccountError> {
        let token = RefreshToken::random()?;
        let session = Session {
            token: token.hash(),
            family: self.ids.next(),
            user: user.clone(),
            created_at: now,
            expires_at: now.saturating_add(self.lifetimes.refresh_token),
        };
        Ok((session, token))
    }

    /// Issues an access token at `now`, which is before the refresh token was stored: whatever ended the
    /// session since then revokes the access token too.
    fn grant(
        &self,
        user: User,
        refresh_token: RefreshToken,
        now: Timestamp,
    ) -> Result<Grant, AccountError> {
        Ok(Grant {
            access_token: self.tokens.sign(&user.id, now)?,
            user,
            refresh_token,
        })
    }

    /// The revocation of all tokens that were issued before `now`.
    fn revocation_of(&self, user: &UserId, now: Timestamp) -> Revocation {
        Revocation::issued_before(user, now, self.lifetimes.max_token_lifetime)
    }
}
