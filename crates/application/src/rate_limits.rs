//! Rate limits of registration and login, counted in the store so that all instances count together.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use taskhold_domain::search::fold;
use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::error::StoreError;
use taskhold_repository::rate_limits::{RateLimitKey, RateLimitRepository};

/// The window in which requests of an address are counted.
pub const REQUESTS_WINDOW: Duration = Duration::from_mins(1);
/// The window in which failed logins are counted.
pub const FAILURES_WINDOW: Duration = Duration::from_mins(15);

/// The limits.
#[derive(Debug, Clone, Copy)]
pub struct RateLimits {
    /// Requests from one address within [`REQUESTS_WINDOW`].
    pub requests: u32,
    /// Failed logins to one account from one address within [`FAILURES_WINDOW`].
    pub failures_per_address: u32,
    /// Failed logins to one account from anywhere within [`FAILURES_WINDOW`].
    pub failures: u32,
}

/// How much of a limit is left.
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
    limits: RateLimits,
}

/// Why a request was not counted as allowed.
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
    /// Creates a limiter that counts in this store.
    #[must_use]
    pub fn new(counters: Arc<dyn RateLimitRepository>, limits: RateLimits) -> Self {
        Self { counters, limits }
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
        let key = RateLimitKey::of("requests", &[&network(address)]);
        self.count(key, self.limits.requests, REQUESTS_WINDOW, now)
            .await
    }

    /// Counts a failed login before the password is verified, so that each of many concurrent attempts
    /// counts.
    ///
    /// # Errors
    /// [`RateLimitError`]; the password must not be verified then.
    pub async fn count_failure(
        &self,
        email: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(), RateLimitError> {
        let [here, anywhere] = failure_keys(email, address);
        let window = FAILURES_WINDOW;
        self.count(here, self.limits.failures_per_address, window, now)
            .await?;
        self.count(anywhere, self.limits.failures, window, now)
            .await?;
        Ok(())
    }

    /// Takes a counted failure back, because the password was not verified.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn refund_failure(&self, email: &str, address: IpAddr) -> Result<(), StoreError> {
        self.counters.refund(&failure_keys(email, address)).await
    }

    /// Resets the failures of an account after a successful login.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn clear_failures(&self, email: &str, address: IpAddr) -> Result<(), StoreError> {
        self.counters.clear(&failure_keys(email, address)).await
    }

    async fn count(
        &self,
        key: RateLimitKey,
        quota: u32,
        window: Duration,
        now: Timestamp,
    ) -> Result<Allowance, RateLimitError> {
        let counted = self.counters.count(key, window, now).await?;
        let passed = now.as_micros().saturating_sub(counted.since.as_micros());
        let passed = Duration::from_micros(u64::try_from(passed).unwrap_or_default());
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

fn failure_keys(email: &str, address: IpAddr) -> [RateLimitKey; 2] {
    let email = fold(email);
    [
        RateLimitKey::of("failures", &[&email, &network(address)]),
        RateLimitKey::of("failures", &[&email]),
    ]
}

/// Returns the part of an address that a customer of a provider cannot change at will: an IPv4
/// address, or the first 64 bits of an IPv6 address.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
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
