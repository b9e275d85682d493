//! What the log says of requests.

use std::fmt;

use sha2::{Digest as _, Sha256};
use taskhold_domain::user::UserId;
use tracing::Level;

/// The target of the line that is logged for every request.
pub(crate) const TARGET: &str = "taskhold::request";

/// Returns `true` if requests are logged.
pub(crate) fn is_enabled() -> bool {
    tracing::event_enabled!(target: TARGET, Level::INFO)
}

/// A user in the log: the first 16 hexadecimal digits of the SHA-256 of the id. The same user always
/// has the same pseudonym, which does not reveal the id.
#[derive(Clone, Copy)]
pub(crate) struct Pseudonym(u64);

impl Pseudonym {
    pub(crate) fn of(user: &UserId) -> Self {
        let digest = Sha256::digest(user.as_str());
        let (first, _) = digest.split_first_chunk().unwrap_or((&[0; 8], &[]));
        Self(u64::from_be_bytes(*first))
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
