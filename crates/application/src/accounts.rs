//! The use cases of accounts: register, log in, refresh tokens, and leave.

mod device;
mod error;
mod grant;
mod login;
mod password;
mod sessions;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use taskhold_domain::input::Registration;
use taskhold_domain::revocation::Revocation;
pub use taskhold_domain::session::Session;
use taskhold_domain::timestamp::Timestamp;
pub use taskhold_domain::user::User;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::sessions::SessionRepository;
use taskhold_repository::users::UserRepository;

pub use self::device::{DEVICE_LIFETIME, DeviceToken, DeviceTokens};
pub use self::error::AccountError;
pub use self::grant::{Grant, RefreshToken};
use crate::clock::Clock;
use crate::ids::Ids;
use crate::passwords::{HashRequest, PasswordHasher};
use crate::personal_tokens::PersonalTokens;
pub use crate::rate_limits::Allowance;
use crate::rate_limits::{RateLimitError, RateLimiter, network};
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
    /// The device token of an earlier login, if the client sent one.
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
    /// The personal access tokens, which end with the account.
    pub personal_tokens: Arc<PersonalTokens>,
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
    /// `true` if anybody can register an account.
    pub registration: bool,
}

impl AccountService {
    /// Counts a request of an address to register an account.
    ///
    /// # Errors
    /// [`AccountError`]: `RegistrationDisabled`, `RateLimited`, and those of the store.
    pub async fn count_registration(&self, address: IpAddr) -> Result<Allowance, AccountError> {
        if !self.registration {
            Event::RegistrationFailed.log("registration_disabled", None, address);
            return Err(AccountError::RegistrationDisabled);
        }
        self.count_request(address).await
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

    /// Creates an account, after [`count_registration`](Self::count_registration).
    ///
    /// # Errors
    /// [`AccountError`]: `EmailTaken`, `Busy`, and those of the store.
    pub async fn register(
        &self,
        registration: Registration,
        client: &Client,
    ) -> Result<Grant, AccountError> {
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

    /// Returns the caller's account, or `None` if the store does not know the user yet.
    ///
    /// # Errors
    /// [`AccountError`]: those of the store.
    pub async fn find(&self, caller: &UserId) -> Result<Option<User>, AccountError> {
        Ok(self.users.find(caller).await?)
    }

    /// Returns the caller's account, if the store knows it. An account that was just deactivated is not
    /// found: this instance may not know of the revocation yet.
    async fn account(&self, caller: &UserId) -> Result<Option<User>, AccountError> {
        match self.users.find(caller).await? {
            Some(user) if !user.is_active => Err(AccountError::NotFound),
            found => Ok(found),
        }
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
        self.grant(user, refresh_token, device, now, now)
    }

    /// Issues an access token at `now`, which is before the refresh token was stored: whatever ended the
    /// session since then revokes the access token too. The user logged in at `started_at`.
    fn grant(
        &self,
        user: User,
        refresh_token: RefreshToken,
        device_token: Option<DeviceToken>,
        started_at: Timestamp,
        now: Timestamp,
    ) -> Result<Grant, AccountError> {
        let session_ends_at = started_at.saturating_add(self.lifetimes.session);
        Ok(Grant {
            access_token: self.tokens.sign(&user.id, refresh_token.family(), now)?,
            session_ends_in: session_ends_at.saturating_since(now),
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
