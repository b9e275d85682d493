//! Password hashes without cost.

use async_trait::async_trait;
use taskhold_application::passwords::{HashRequest, HashingError, PasswordHasher, Verification};
use taskhold_domain::account::{Password, PasswordHash};

/// A hasher that encodes a password as `$plain$PASSWORD` and treats `$old$PASSWORD` as outdated.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainPasswords;

#[async_trait]
impl PasswordHasher for PlainPasswords {
    async fn hash(
        &self,
        password: &Password,
        _: HashRequest,
    ) -> Result<PasswordHash, HashingError> {
        Ok(encode("plain", password.as_str()))
    }

    async fn verify(
        &self,
        password: &str,
        hash: Option<&PasswordHash>,
        _: HashRequest,
    ) -> Result<Verification, HashingError> {
        Ok(match hash {
            Some(hash) if *hash == encode("plain", password) => Verification::Match,
            Some(hash) if *hash == encode("old", password) => Verification::MatchOutdatedHash,
            _ => Verification::Mismatch,
        })
    }
}

fn encode(scheme: &str, password: &str) -> PasswordHash {
    PasswordHash::parse(format!("${scheme}${password}")).expect("it starts with a $")
}
