//! Password hashes without cost.

use async_trait::async_trait;
use taskhold_application::passwords::{HashingError, PasswordHash, PasswordHasher, Verified};
use taskhold_domain::account::Password;

/// A hasher that encodes a password as `$plain$PASSWORD` and treats `$old$PASSWORD` as outdated.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainPasswords;

#[async_trait]
impl PasswordHasher for PlainPasswords {
    async fn hash(&self, password: &Password) -> Result<PasswordHash, HashingError> {
        Ok(encode("plain", password.as_str()))
    }

    async fn verify(
        &self,
        password: &str,
        hash: Option<&PasswordHash>,
    ) -> Result<Verified, HashingError> {
        Ok(match hash {
            Some(hash) if *hash == encode("plain", password) => Verified::Right,
            Some(hash) if *hash == encode("old", password) => Verified::RightButOutdated,
            _ => Verified::Wrong,
        })
    }
}

fn encode(scheme: &str, password: &str) -> PasswordHash {
    PasswordHash::parse(format!("${scheme}${password}")).expect("it starts with a $")
}
