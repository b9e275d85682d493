//! What a person can do with an account: register, log in, stay logged in, and leave.

mod error;
mod grant;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use taskhold_domain::account::{Email, Password};
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
use crate::passwords::{HashingError, PasswordHash, PasswordHasher, Verified};
pub use crate::rate_limits::Allowance;
use crate::rate_limits::RateLimiter;
use crate::revocations::Revocations;
use crate::tokens::TokenSigner;

/// How young a token must be to delete an account that has no password.
pub const FRESH_FOR: Duration = Duration::from_mins(5);

/// How long what is given out lives.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// A refresh token.
    pub refresh_token: Duration,
    /// The longest that any token lives which this service takes, also those of another issuer: for so
    /// long it is remembered that they were revoked.
    pub max_token_lifetime: Duration,
}

/// People's accounts.
#[derive(Clone)]
pub struct AccountService {
    /// The users port.
    pub users: Arc<dyn UserRepository>,
    /// The sessions port.
    pub sessions: Arc<dyn SessionRepository>,
    /// Hashes passwords.
    pub passwords: Arc<dyn PasswordHasher>,
    /// Makes access tokens.
    pub tokens: Arc<dyn TokenSigner>,
    /// What is told at once of a revocation.
    pub revocations: Arc<Revocations>,
    /// How often somebody may try.
    pub limits: RateLimiter,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The ids of users and of logins.
    pub ids: Arc<dyn Ids>,
    /// How long what is given out lives.
    pub lifetimes: Lifetimes,
}

impl AccountService {
    /// Counts a request of an address that wants to register or log in.
    ///
    /// # Errors
    /// [`AccountError::TooOften`], and those of the store.
    pub async fn admit(&self, address: IpAddr) -> Result<Allowance, AccountError> {
        Ok(self.limits.request(address, self.clock.now()).await?)
    }

    /// Makes an account.
    ///
    /// # Errors
    /// [`AccountError`]: `EmailTaken`, `Busy`, and those of the store.
    pub async fn register(&self, registration: Registration) -> Result<Grant, AccountError> {
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

    /// Lets somebody in. What is wrong costs as much as what is right, whatever is wrong about it.
    ///
    /// # Errors
    /// [`AccountError`]: `WrongCredentials`, `TooOften`, `Busy`, and those of the store.
    pub async fn log_in(
        &self,
        credentials: &Credentials,
        address: IpAddr,
    ) -> Result<Grant, AccountError> {
        let now = self.clock.now();
        self.limits
            .failure(&credentials.email, address, now)
            .await?;
        // Twice, since another login may make the hash anew while the password is compared with it.
        for _ in 0..2 {
            if let Some(grant) = self.let_in(credentials, address).await? {
                return Ok(grant);
            }
        }
        Err(AccountError::WrongCredentials)
    }

    /// `None` where the account has changed while the password was compared.
    async fn let_in(
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
        if verified == Verified::Wrong || !user.is_active {
            return Err(AccountError::WrongCredentials);
        }
        self.limits.success(email, address).await?;
        let now = self.clock.now();
        let (session, refresh_token) = self.new_session(&user.id, now)?;
        if !self.sessions.start(&session, &hash).await? {
            return Ok(None);
        }
        if verified == Verified::RightButOutdated
            && let Err(error) = self.rehash(&user.id, &hash, password).await
        {
            // There will be another login.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "could not make an outdated hash anew"
            );
        }
        self.grant(user, refresh_token, now).map(Some)
    }

    /// Compares a password. Where there is no time for that, the attempt does not count: a storm of
    /// logins must not lock out who was right.
    async fn verify(
        &self,
        email: &str,
        password: &str,
        hash: Option<&PasswordHash>,
        address: IpAddr,
    ) -> Result<Verified, AccountError> {
        match self.passwords.verify(password, hash).await {
            Err(HashingError::Busy) => {
                self.limits.refund(email, address).await?;
                Err(AccountError::Busy)
            }
            verified => Ok(verified?),
        }
    }

    /// Gives new tokens for a refresh token, which is used up by that.
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

    /// Ends what came of the login that this refresh token came of, or of every login, and every access
    /// token until now.
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
        self.revocations.note(&revocation);
        Ok(())
    }

    /// Who the caller is; `None` where the store does not know the user yet.
    ///
    /// # Errors
    /// [`AccountError`]: those of the store.
    pub async fn find(&self, caller: &UserId) -> Result<Option<User>, AccountError> {
        Ok(self.users.find(caller).await?)
    }

    /// Gives the caller another password, ends everything that was given out before, and lets the
    /// caller in anew.
    ///
    /// # Errors
    /// [`AccountError`]: `WrongPassword`, `NoPassword`, `TooOften`, `NotFound`, `Busy`, and those of the
    /// store.
    pub async fn change_password(
        &self,
        caller: &UserId,
        change: &PasswordChange,
        address: IpAddr,
    ) -> Result<Grant, AccountError> {
        let user = self.account(caller).await?;
        let user = user.ok_or(AccountError::NoPassword)?;
        let verified = self.ask_password(&user, &change.current, address).await?;
        let password = self.passwords.hash(&change.new).await?;
        let now = self.clock.now();
        let revocation = self.revocation_of(caller, now);
        let (session, refresh_token) = self.new_session(caller, now)?;
        let is_changed = self
            .users
            .change_password(verified, &password, &revocation, &session)
            .await?;
        if !is_changed {
            // The account has changed while the passwords were hashed.
            return Err(match self.account(caller).await? {
                Some(_) => AccountError::WrongPassword,
                None => AccountError::NotFound,
            });
        }
        self.revocations.note(&revocation);
        self.grant(user, refresh_token, now)
    }

    /// Deletes the caller's account with all that is the caller's. Asks for the password, or where there
    /// is none for a token that was `issued` a moment ago.
    ///
    /// # Errors
    /// [`AccountError`]: `WrongPassword`, `StaleToken`, `TooOften`, `Busy`, and those of the store.
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
                self.ask_password(&user, password, address).await?;
            }
            _ => {
                let now = self.clock.now();
                if issued.is_none_or(|issued| issued.saturating_add(FRESH_FOR) < now) {
                    return Err(AccountError::StaleToken);
                }
            }
        }
        let revocation = self.revocation_of(caller, self.clock.now());
        self.users.remove(&revocation).await?;
        self.revocations.note(&revocation);
        Ok(())
    }

    /// The caller's account, where the store knows it. The caller's token may have been taken only because
    /// this instance has not heard yet that the account is deactivated.
    async fn account(&self, caller: &UserId) -> Result<Option<User>, AccountError> {
        match self.users.find(caller).await? {
            Some(user) if !user.is_active => Err(AccountError::NotFound),
            found => Ok(found),
        }
    }

    /// The hash of the right password.
    async fn ask_password<'a>(
        &self,
        user: &'a User,
        password: &str,
        address: IpAddr,
    ) -> Result<&'a PasswordHash, AccountError> {
        let (Some(email), Some(hash)) = (&user.email, &user.password) else {
            return Err(AccountError::NoPassword);
        };
        // Who has stolen a token must not be able to guess.
        let now = self.clock.now();
        self.limits.failure(email.as_str(), address, now).await?;
        let verified = self.verify(email.as_str(), password, Some(hash), address);
        match verified.await? {
            Verified::Wrong => Err(AccountError::WrongPassword),
            Verified::Right | Verified::RightButOutdated => {
                self.limits.success(email.as_str(), address).await?;
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
        // Rules that came later are no reason to keep an outdated hash, but nothing is lost by it.
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

    /// `now` is from before the refresh token was kept: what ends that one since, ends the access token
    /// too.
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

    /// That no token counts which was issued before now.
    fn revocation_of(&self, user: &UserId, now: Timestamp) -> Revocation {
        Revocation::issued_before(user, now, self.lifetimes.max_token_lifetime)
    }
}
