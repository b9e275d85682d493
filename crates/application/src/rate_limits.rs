//! How often somebody may try to log in or register: counted in the store, so that all instances
//! count together.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use taskhold_domain::search::fold;
use taskhold_domain::timestamp::Timestamp;
use taskhold_repository::error::StoreError;
use taskhold_repository::rate_limits::{RateLimitKey, RateLimitRepository};

/// In what time requests of one address are counted.
pub const REQUESTS_WINDOW: Duration = Duration::from_mins(1);
/// In what time failures are counted.
pub const FAILURES_WINDOW: Duration = Duration::from_mins(15);

/// How many of each are allowed.
#[derive(Debug, Clone, Copy)]
pub struct Allowed {
    /// Requests from one address within [`REQUESTS_WINDOW`].
    pub requests: u32,
    /// Failures to log in to one account from one address within [`FAILURES_WINDOW`].
    pub failures_per_address: u32,
    /// Failures to log in to one account from anywhere within [`FAILURES_WINDOW`].
    pub failures: u32,
}

/// What is left of an allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// How many are allowed in a window.
    pub quota: u32,
    /// How long a window lasts.
    pub window: Duration,
    /// How many are left in this one.
    pub left: u32,
    /// When the next one begins.
    pub renewed_in: Duration,
}

/// Counts and refuses.
#[derive(Clone)]
pub struct RateLimiter {
    attempts: Arc<dyn RateLimitRepository>,
    allowed: Allowed,
}

/// Nothing more is allowed for now, or it cannot be counted.
#[derive(Debug)]
pub enum Refused {
    /// It was done too often; nothing is left.
    TooOften(Allowance),
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl RateLimiter {
    /// These limits, counted here.
    #[must_use]
    pub fn new(attempts: Arc<dyn RateLimitRepository>, allowed: Allowed) -> Self {
        Self { attempts, allowed }
    }

    /// Counts a request of an address.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn request(&self, address: IpAddr, now: Timestamp) -> Result<Allowance, Refused> {
        let bucket = RateLimitKey::of("requests", &[&block(address)]);
        self.count(bucket, self.allowed.requests, REQUESTS_WINDOW, now)
            .await
    }

    /// Counts a failure to log in, before it is known whether it is one: of many at the same time,
    /// each must count.
    ///
    /// # Errors
    /// [`Refused`]; then the password must not even be looked at.
    pub async fn failure(
        &self,
        email: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let [here, anywhere] = failures(email, address);
        let window = FAILURES_WINDOW;
        self.count(here, self.allowed.failures_per_address, window, now)
            .await?;
        self.count(anywhere, self.allowed.failures, window, now)
            .await?;
        Ok(())
    }

    /// It was neither a failure nor a success: nobody has looked at the password.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn refund(&self, email: &str, address: IpAddr) -> Result<(), StoreError> {
        self.attempts.refund(&failures(email, address)).await
    }

    /// It was none: the account's failures are forgotten.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn success(&self, email: &str, address: IpAddr) -> Result<(), StoreError> {
        self.attempts.clear(&failures(email, address)).await
    }

    async fn count(
        &self,
        bucket: RateLimitKey,
        quota: u32,
        window: Duration,
        now: Timestamp,
    ) -> Result<Allowance, Refused> {
        let counted = self.attempts.count(bucket, window, now).await?;
        let passed = now.as_micros().saturating_sub(counted.since.as_micros());
        let passed = Duration::from_micros(u64::try_from(passed).unwrap_or_default());
        let allowance = Allowance {
            quota,
            window,
            left: quota.saturating_sub(counted.count),
            renewed_in: window.saturating_sub(passed),
        };
        if counted.count > quota {
            Err(Refused::TooOften(allowance))
        } else {
            Ok(allowance)
        }
    }
}

fn failures(email: &str, address: IpAddr) -> [RateLimitKey; 2] {
    let email = fold(email);
    [
        RateLimitKey::of("failures", &[&email, &block(address)]),
        RateLimitKey::of("failures", &[&email]),
    ]
}

/// The part of an address that one customer of a provider cannot change at will: of IPv6, the first
/// 64 bits.
fn block(address: IpAddr) -> String {
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
    fn one_customer_is_one_address() {
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ] {
            let block = |text: &str| block(text.parse().unwrap());
            assert_eq!(block(one) == block(other), same, "{one} {other}");
        }
    }
}
