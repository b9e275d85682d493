//! The names of users in the log.

use std::fmt;
use std::sync::OnceLock;

use taskhold_domain::user::UserId;
use taskhold_repository::keyed_digest::keyed_digest;

/// The key of this process. It is as global as the log that the pseudonyms are for.
static KEY: OnceLock<[u8; 32]> = OnceLock::new();

/// A user in the log: the first 16 hexadecimal digits of the HMAC-SHA-256 of the id. Under one key the same
/// user always has the same pseudonym, and who does not have the key cannot find the id by trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pseudonym(u64);

impl Pseudonym {
    /// Sets the key of this process, once. Without one, pseudonyms are random for each process.
    pub fn set_key(key: [u8; 32]) {
        KEY.get_or_init(|| key);
    }

    /// Computes the pseudonym of a user.
    #[must_use]
    pub fn of(user: &UserId) -> Self {
        let key = KEY.get_or_init(|| {
            let mut random = [0; 32];
            if let Err(error) = getrandom::fill(&mut random) {
                tracing::error!(%error, "pseudonyms in this log are not secret");
            }
            random
        });
        let digest = keyed_digest(key, user.as_str().as_bytes());
        let (first, _) = digest.split_first_chunk().unwrap_or((&[0; 8], &[]));
        Self(u64::from_be_bytes(*first))
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
