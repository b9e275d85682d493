//! The check of the token that comes with a request, whatever its kind.

use std::sync::Arc;

use taskhold_repository::error::StoreError;

use crate::personal_tokens::{PersonalTokens, TokenSecret};
use crate::revocations::Revocations;
use crate::tokens::{AuthenticationError, Identity, TokenVerifier};

/// Verifies access tokens and personal access tokens.
#[derive(Clone)]
pub struct Authenticator {
    /// The verifier of access tokens.
    pub tokens: Arc<dyn TokenVerifier>,
    /// The valid access tokens that were revoked.
    pub revocations: Arc<Revocations>,
    /// The personal access tokens.
    pub personal_tokens: Arc<PersonalTokens>,
}

impl Authenticator {
    /// Returns what a valid token says. May wait for the store, and for the keys of another issuer.
    ///
    /// # Errors
    /// [`AuthenticationError`].
    pub async fn authenticate(&self, token: &str) -> Result<Identity, AuthenticationError> {
        if let Some(secret) = TokenSecret::of(token) {
            return self.personal_tokens.verify(&secret).await;
        }
        let identity = self.tokens.verify(token).await?;
        if self.revocations.admits(&identity).await? {
            Ok(identity)
        } else {
            Err(AuthenticationError::Revoked(identity.user))
        }
    }

    /// Returns whether a token that was verified before is still accepted.
    ///
    /// # Errors
    /// [`StoreError`], if the store must be asked and fails.
    pub async fn admits(&self, identity: &Identity) -> Result<bool, StoreError> {
        match &identity.personal_token {
            Some(token) => self.personal_tokens.admits(token).await,
            None => self.revocations.admits(identity).await,
        }
    }
}
