//! The check of the token that comes with a request, whatever its kind.

use std::sync::Arc;

use taskhold_domain::user::UserId;
use taskhold_repository::error::StoreError;
use taskhold_repository::users::UserRepository;

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
    /// The users, who may have been moved to another store.
    pub users: Arc<dyn UserRepository>,
}

impl Authenticator {
    /// Returns what a valid token says. May wait for the store, and for the keys of another issuer.
    ///
    /// # Errors
    /// [`AuthenticationError`].
    pub async fn authenticate(&self, token: &str) -> Result<Identity, AuthenticationError> {
        let identity = if let Some(secret) = TokenSecret::of(token) {
            self.personal_tokens.verify(&secret).await?
        } else {
            let identity = self.tokens.verify(token).await?;
            if !self.revocations.admits(&identity).await? {
                return Err(AuthenticationError::Revoked(identity.user));
            }
            identity
        };
        if self.has_moved(&identity.user).await? {
            return Err(AuthenticationError::Moved(identity.user));
        }
        Ok(identity)
    }

    /// Returns whether a token that was verified before is still accepted.
    ///
    /// # Errors
    /// [`StoreError`], if the store must be asked and fails.
    pub async fn admits(&self, identity: &Identity) -> Result<bool, StoreError> {
        let is_valid = match &identity.personal_token {
            Some(token) => self.personal_tokens.admits(token).await?,
            None => self.revocations.admits(identity).await?,
        };
        Ok(is_valid && !self.has_moved(&identity.user).await?)
    }

    /// Returns whether the user lives in another store. Only for a user who is being moved, or was, the store is asked:
    /// every instance knows of such users before one of them can have moved.
    async fn has_moved(&self, user: &UserId) -> Result<bool, StoreError> {
        Ok(self.revocations.may_have_moved(user).await? && self.users.has_moved(user).await?)
    }
}
