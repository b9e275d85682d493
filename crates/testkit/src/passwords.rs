//! Password hashes that cost nothing.

use async_trait::async_trait;
use taskhold_application::passwords::{HashingError, PasswordHasher, Verification};
use taskhold_domain::account::{Password, PasswordHash};

/// Keeps a password as `$plain$PASSWORD`. One that is kept as `$old$PASSWORD` is outdated.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainPasswords;

#[async_trait]
impl PasswordHasher for PlainPasswords {
    async fn hash(&self, password: &Password) -> Result<PasswordHash, HashingError> {
        Ok(kept("plain", password.as_str()))
    }

    async fn verify(
        &self,
        password: &str,
        hash: Option<&PasswordHash>,
    ) -> Result<Verification, HashingError> {
        Ok(match hash {
            Some(hash) if *hash == kept("plain", password) => Verification::Match,
            Some(hash) if *hash == kept("old", password) => Verification::MatchOutdatedHash,
            _ => Verification::Mismatch,
        })
    }
}

fn kept(how: &str, password: &str) -> PasswordHash {
    PasswordHash::parse(format!("${how}${password}")).expect("it starts with a $")
}
