//! Rate limits on requests that hash a password and on refreshes. They are counted in the store, so that all
//! instances count together.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use taskhold_domain::lower_case::lower_case;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::rate_limits::{RateLimitKey, RateLimitRepository};
use uuid::Uuid;

/// The window in which requests are counted.
pub const REQUESTS_WINDOW: Duration = Duration::from_mins(1);
/// The window in which wrong passwords are counted.
pub const FAILURES_WINDOW: Duration = Duration::from_mins(15);
/// The time for which a network is known to an account after a login from it.
pub const KNOWN_NETWORK: Duration = Duration::from_hours(30 * 24);

/// The limits.
#[derive(Debug, Clone, Copy)]
pub struct RateLimits {
    /// Requests that hash a password from one address, and of one account, within [`REQUESTS_WINDOW`].
    pub requests: u32,
    /// Wrong passwords for one account within [`FAILURES_WINDOW`]: of one device, from one address, and of a
    /// logged-in user.
    pub failures_per_address: u32,
    /// Wrong passwords for one account from all addresses that are not known to it within
    /// [`FAILURES_WINDOW`].
    pub failures: u32,
    /// Refreshes from one address, and of one session, within [`REQUESTS_WINDOW`].
    pub refreshes: u32,
}

/// The rest of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// The number of requests that are allowed in a window.
    pub quota: u32,
    /// The length of a window.
    pub window: Duration,
    /// The number of requests that are left in the current window.
    pub remaining: u32,
    /// The time until the next window begins.
    pub reset_in: Duration,
}

/// Counts requests and failed logins, and refuses those over the limits.
#[derive(Clone)]
pub struct RateLimiter {
    counters: Arc<dyn RateLimitRepository>,
    secret: [u8; 32],
    limits: RateLimits,
}

/// Whose wrong passwords an attempt counts against. Each has a budget of its own, so that a stranger cannot use
/// up that of the account's owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guesser {
    /// A device that logged in to the account before, by the id of its token.
    Device(String),
    /// A client whose network the account logged in from.
    KnownNetwork,
    /// Any other client.
    Stranger,
    /// A user with a valid access token.
    Authenticated,
}

impl Guesser {
    /// Returns the name in security events.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Device(_) => "device",
            Self::KnownNetwork => "known_address",
            Self::Stranger => "stranger",
            Self::Authenticated => "authenticated",
        }
    }
}

/// An attempt that was counted as a failure before its password was verified.
#[derive(Debug)]
pub struct Attempt {
    /// The author of the attempt.
    pub guesser: Guesser,
    /// The counters of the attempt: first the one that a success resets, then the one from which a success only takes
    /// the attempt.
    keys: Vec<RateLimitKey>,
}

/// The reason that a request was not counted as allowed.
#[derive(Debug)]
pub enum RateLimitError {
    /// The limit is exceeded; nothing is left of the allowance.
    Exceeded(Allowance),
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for RateLimitError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl RateLimiter {
    /// Creates a limiter that counts in this store. All instances need the same `secret`, with which the keys of
    /// the counters are computed; after it has changed, the counters start at zero.
    #[must_use]
    pub fn new(
        counters: Arc<dyn RateLimitRepository>,
        secret: [u8; 32],
        limits: RateLimits,
    ) -> Self {
        Self {
            counters,
            secret,
            limits,
        }
    }

    fn key(&self, kind: &str, parts: &[&str]) -> RateLimitKey {
        RateLimitKey::of(&self.secret, kind, parts)
    }

    /// Counts a request of an address.
    ///
    /// # Errors
    /// [`RateLimitError`].
    pub async fn count_request(
        &self,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Allowance, RateLimitError> {
        let key = self.key("requests", &[&network(address).to_string()]);
        self.count(key, self.limits.requests, REQUESTS_WINDOW, now)
            .await
    }

    /// Counts a request of a logged-in user.
    ///
    /// # Errors
    /// [`RateLimitError`].
    pub async fn count_request_of(
        &self,
        user: &UserId,
        now: Timestamp,
    ) -> Result<Allowance, RateLimitError> {
        let key = self.key("requests of a user", &[user.as_str()]);
        self.count(key, self.limits.requests, REQUESTS_WINDOW, now)
            .await
    }

    /// Counts a refresh, by its address and by its session, if the token names one.
    ///
    /// # Errors
    /// [`RateLimitError`].
    pub async fn count_refresh(
        &self,
        address: IpAddr,
        session: Option<Uuid>,
        now: Timestamp,
    ) -> Result<(), RateLimitError> {
        let network = network(address).to_string();
        let session = session.map(|session| session.to_string());
        let keys = [
            Some(self.key("refreshes", &[&network])),
            session.map(|session| self.key("refreshes of a session", &[&session])),
        ];
        for key in keys.into_iter().flatten() {
            self.count(key, self.limits.refreshes, REQUESTS_WINDOW, now)
                .await?;
        }
        Ok(())
    }

    /// Returns who tries to log in to the account of this `user`, with the id of its `device` if that is known.
    /// Asks the store even if there is no such account, whose logins must take as long as others.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn guesser(
        &self,
        user: Option<&UserId>,
        address: IpAddr,
        device: Option<String>,
        now: Timestamp,
    ) -> Result<Guesser, StoreError> {
        if let Some(device) = device {
            return Ok(Guesser::Device(device));
        }
        let is_known = self
            .counters
            .is_marked(self.known_network(user, address), now)
            .await?;
        Ok(if is_known {
            Guesser::KnownNetwork
        } else {
            Guesser::Stranger
        })
    }

    /// Counts a failure before the password is verified, so that each of many concurrent attempts counts.
    ///
    /// # Errors
    /// [`RateLimitError`]; the password must not be verified then.
    pub async fn count_failure(
        &self,
        guesser: Guesser,
        email: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Attempt, RateLimitError> {
        let (email, network) = (lower_case(email), network(address).to_string());
        let own = match &guesser {
            Guesser::Device(id) => self.key("failures of a device", &[&email, id]),
            Guesser::KnownNetwork => self.key("failures of a known network", &[&email, &network]),
            Guesser::Stranger => self.key("failures", &[&email, &network]),
            Guesser::Authenticated => self.key("failures of the user", &[&email]),
        };
        let quota = self.limits.failures_per_address;
        self.count(own, quota, FAILURES_WINDOW, now).await?;
        let mut keys = vec![own];
        if guesser == Guesser::Stranger {
            let anywhere = self.key("failures", &[&email]);
            self.count(anywhere, self.limits.failures, FAILURES_WINDOW, now)
                .await?;
            keys.push(anywhere);
        }
        Ok(Attempt { guesser, keys })
    }

    /// Takes a counted failure back, because the password was not verified.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn refund(&self, attempt: &Attempt) -> Result<(), StoreError> {
        self.counters.refund(&attempt.keys).await
    }

    /// Resets the failures of whoever made a successful attempt. Those of all strangers together stay counted,
    /// so that the guesses of others do not become more with each login of the owner.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn succeed(&self, attempt: &Attempt) -> Result<(), StoreError> {
        if let Some((own, shared)) = attempt.keys.split_first() {
            self.counters.clear(std::slice::from_ref(own)).await?;
            if !shared.is_empty() {
                self.counters.refund(shared).await?;
            }
        }
        Ok(())
    }

    /// Makes the network of a client known to the account that it has logged in to.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remember_network(
        &self,
        user: &UserId,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let until = now.saturating_add(KNOWN_NETWORK);
        self.counters
            .mark(self.known_network(Some(user), address), until)
            .await
    }

    /// Returns the key of a network of a user. The id of an account is random and deleted with the account, so
    /// that nobody can find out afterwards which networks the user had.
    fn known_network(&self, user: Option<&UserId>, address: IpAddr) -> RateLimitKey {
        let network = network(address).to_string();
        match user {
            Some(user) => self.key("known network", &[user.as_str(), &network]),
            None => self.key("known network", &[&network]),
        }
    }

    async fn count(
        &self,
        key: RateLimitKey,
        quota: u32,
        window: Duration,
        now: Timestamp,
    ) -> Result<Allowance, RateLimitError> {
        let counted = self.counters.count(key, window, now).await?;
        let passed = now.saturating_since(counted.since);
        let allowance = Allowance {
            quota,
            window,
            remaining: quota.saturating_sub(counted.count),
            reset_in: window.saturating_sub(passed),
        };
        if counted.count > quota {
            Err(RateLimitError::Exceeded(allowance))
        } else {
            Ok(allowance)
        }
    }
}

/// Returns the part of an address that a customer of a provider cannot change at will: an IPv4
/// address, or the first 64 bits of an IPv6 address.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_customer_share_a_network() {
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ] {
            let network = |text: &str| network(text.parse().unwrap());
            assert_eq!(network(one) == network(other), same, "{one} {other}");
        }
    }
}
