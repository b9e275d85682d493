//! What a user can do with an account: register, log in, refresh tokens, and leave.

mod device;
mod error;
mod grant;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use taskhold_domain::account::{Email, Password, PasswordHash};
use taskhold_domain::input::{Credentials, PasswordChange, Registration};
use taskhold_domain::revocation::Revocation;
pub use taskhold_domain::session::Session;
use taskhold_domain::session::{Ending, Rotation, Successor};
use taskhold_domain::timestamp::Timestamp;
pub use taskhold_domain::user::User;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::sessions::SessionRepository;
use taskhold_repository::users::UserRepository;
use uuid::Uuid;

pub use self::device::{DEVICE_LIFETIME, DeviceToken, DeviceTokens};
pub use self::error::AccountError;
pub use self::grant::{Grant, RefreshToken};
use crate::clock::Clock;
use crate::ids::Ids;
use crate::passwords::{HashRequest, HashingError, PasswordHasher, Verification};
pub use crate::rate_limits::Allowance;
use crate::rate_limits::{Attempt, Guesser, RateLimitError, RateLimiter, network};
use crate::revocations::Revocations;
use crate::security_log::Event;
use crate::tokens::TokenSigner;

/// The greatest age of a token that may delete an account without a password.
pub const MAX_FRESH_AGE: Duration = Duration::from_mins(5);

/// The lifetimes of tokens.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// The lifetime of a refresh token.
    pub refresh_token: Duration,
    /// The longest time from a login to the end of its session, however often it is refreshed.
    pub session: Duration,
    /// The longest lifetime of an access token that the service accepts, also of another issuer.
    /// Revocations are kept for as long.
    pub max_token_lifetime: Duration,
}

/// The client that sent a request.
#[derive(Debug, Clone)]
pub struct Client {
    /// The address of the client.
    pub address: IpAddr,
    /// What the client shows to be told from a stranger.
    pub device: Option<DeviceToken>,
}

impl Client {
    fn hash_request(&self, is_login: bool) -> HashRequest {
        HashRequest {
            network: Some(network(self.address)),
            is_login,
        }
    }
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
    /// The issuer of device tokens.
    pub devices: DeviceTokens,
    /// The limits on logins, on other requests that hash a password, and on refreshes.
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
    pub fn allow_registration(&self, address: IpAddr) -> Result<(), AccountError> {
        if self.registration {
            Ok(())
        } else {
            Event::RegistrationFailed.log("registration_disabled", None, address);
            Err(AccountError::RegistrationDisabled)
        }
    }

    /// Counts a request of an address that hashes a password.
    ///
    /// # Errors
    /// [`AccountError::RateLimited`], and those of the store.
    pub async fn count_request(&self, address: IpAddr) -> Result<Allowance, AccountError> {
        let now = self.clock.now();
        let counted = self.limits.count_request(address, now).await;
        counted.map_err(|error| refused(error, Event::RateLimited, "requests", None, address))
    }

    /// Counts a request of a logged-in user that hashes a password, by its address and by the user.
    ///
    /// # Errors
    /// [`AccountError::RateLimited`], and those of the store.
    pub async fn count_request_of(
        &self,
        caller: &UserId,
        address: IpAddr,
    ) -> Result<(), AccountError> {
        self.count_request(address).await?;
        let now = self.clock.now();
        let counted = self.limits.count_request_of(caller, now).await;
        counted.map(drop).map_err(|error| {
            let reason = "requests_of_user";
            refused(error, Event::RateLimited, reason, Some(caller), address)
        })
    }

    /// Creates an account.
    ///
    /// # Errors
    /// [`AccountError`]: `RegistrationDisabled`, `EmailTaken`, `Busy`, and those of the store.
    pub async fn register(
        &self,
        registration: Registration,
        client: &Client,
    ) -> Result<Grant, AccountError> {
        self.allow_registration(client.address)?;
        let registered = self.try_register(registration, client).await;
        let user = registered.as_ref().ok().map(|grant| grant.user.id.clone());
        let events = (Event::Registration, Event::RegistrationFailed);
        logged(registered, events, "password", user.as_ref(), client)
    }

    async fn try_register(
        &self,
        registration: Registration,
        client: &Client,
    ) -> Result<Grant, AccountError> {
        let Registration {
            email,
            password,
            name,
        } = registration;
        let request = client.hash_request(false);
        let password = self.passwords.hash(&password, request).await?;
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
            Ok(()) => self.grant_to(client, user, refresh_token, now).await,
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
    async fn verify(
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
            .change_password(verified, &password, &revocation, &session)
            .await?;
        let Some(revocation) = changed else {
            // The account changed while the passwords were hashed.
            return Err(match self.account(caller).await? {
                Some(_) => AccountError::WrongPassword,
                None => AccountError::NotFound,
            });
        };
        self.revocations.add(&revocation);
        // The new access token is not older than the revocation.
        self.grant_to(client, user, refresh_token, revocation.not_before)
            .await
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
                let password = password.ok_or(AccountError::WrongPassword)?;
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
        Ok(confirmed)
    }

    /// Returns the caller's account, if the store knows it. An account that was just deactivated is not
    /// found: this instance may not know of the revocation yet.
    async fn account(&self, caller: &UserId) -> Result<Option<User>, AccountError> {
        match self.users.find(caller).await? {
            Some(user) if !user.is_active => Err(AccountError::NotFound),
            found => Ok(found),
        }
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

    fn new_session(
        &self,
        user: &UserId,
        now: Timestamp,
    ) -> Result<(Session, RefreshToken), AccountError> {
        let token = RefreshToken::first()?;
        let session = Session {
            token: token.hash(),
            family: token.family().unwrap_or_else(|| self.ids.next()),
            user: user.clone(),
            started_at: now,
            created_at: now,
            expires_at: now
                .saturating_add(self.lifetimes.refresh_token.min(self.lifetimes.session)),
        };
        Ok((session, token))
    }

    /// Grants a login to a client, which is known from now on by its network and by a new device token.
    async fn grant_to(
        &self,
        client: &Client,
        user: User,
        refresh_token: RefreshToken,
        now: Timestamp,
    ) -> Result<Grant, AccountError> {
        let mut device = None;
        if let Some(email) = &user.email {
            device = Some(self.devices.issue(email.as_str(), now)?);
            let remembered = self.limits.remember_network(&user.id, client.address, now);
            if let Err(error) = remembered.await {
                // The user is logged in, and the next login tries again.
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "could not remember the network of a login"
                );
            }
        }
        self.grant(user, refresh_token, device, now)
    }

    /// Issues an access token at `now`, which is before the refresh token was stored: whatever ended the
    /// session since then revokes the access token too.
    fn grant(
        &self,
        user: User,
        refresh_token: RefreshToken,
        device_token: Option<DeviceToken>,
        now: Timestamp,
    ) -> Result<Grant, AccountError> {
        Ok(Grant {
            access_token: self.tokens.sign(&user.id, now)?,
            user,
            refresh_token,
            device_token,
        })
    }

    /// The revocation of all tokens that were issued before `now`.
    fn revocation_of(&self, user: &UserId, now: Timestamp) -> Revocation {
        Revocation::issued_before(user, now, self.lifetimes.max_token_lifetime)
    }
}

/// Converts the error of a limit, and logs it if the limit is exceeded.
fn refused(
    error: RateLimitError,
    event: Event,
    reason: &'static str,
    user: Option<&UserId>,
    address: IpAddr,
) -> AccountError {
    if let RateLimitError::Exceeded(_) = error {
        event.log(reason, user, address);
    }
    error.into()
}

/// Logs the event of a success or of a refusal. A failure of the service itself is neither.
fn logged<T>(
    outcome: Result<T, AccountError>,
    (success, failure): (Event, Event),
    reason: &'static str,
    user: Option<&UserId>,
    client: &Client,
) -> Result<T, AccountError> {
    match &outcome {
        Ok(_) => success.log(reason, user, client.address),
        Err(error) => {
            if let Some(reason) = error.refusal() {
                failure.log(reason, user, client.address);
            }
        }
    }
    outcome
}
