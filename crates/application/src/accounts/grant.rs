//! Tokens that are issued at login.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use taskhold_domain::session::TokenHash;
use taskhold_domain::user::User;

use super::AccountError;
use crate::tokens::SignedToken;

/// The result of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The user who logged in.
    pub user: User,
    /// The token that authorizes requests.
    pub access_token: SignedToken,
    /// The token that is exchanged for the next grant.
    pub refresh_token: RefreshToken,
}

/// A refresh token: 256 random bits. Its `Debug` output hides them.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken(String);

impl RefreshToken {
    /// Wraps a text that may be a refresh token.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text of the token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn random() -> Result<Self, AccountError> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(|error| AccountError::Defect(error.into()))?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    pub(super) fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(&self.0).into())
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(…)")
    }
}
