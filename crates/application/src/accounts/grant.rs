//! Tokens that are issued at login.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use taskhold_domain::session::{PresentedToken, TokenHash};
use taskhold_domain::user::User;
use uuid::Uuid;

use super::{AccountError, DeviceToken};
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
    /// The time until the login ends, however often it is refreshed.
    pub session_ends_in: Duration,
    /// The token that distinguishes the client from a stranger at its next login; a refresh issues none.
    pub device_token: Option<DeviceToken>,
}

/// The length of the random bytes with which all refresh tokens of a login begin. The family is a digest of these
/// bytes, so a client that knows them had a token of the family.
const FAMILY_BYTES: usize = 16;
/// The length of the random bytes that no other token has.
const OWN_BYTES: usize = 32;

/// A refresh token: 128 random bits of its login, and 256 of its own. A token of an earlier version has only its
/// own. The `Debug` output hides the token.
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

    /// Returns the first token of a login.
    pub(super) fn first() -> Result<Self, AccountError> {
        Ok(Self::with(&random::<FAMILY_BYTES>()?, &random()?))
    }

    /// Returns another token of the same login.
    pub(super) fn successor(&self) -> Result<Self, AccountError> {
        let login = self.login();
        Ok(Self::with(login.as_deref().unwrap_or_default(), &random()?))
    }

    fn with(login: &[u8], own: &[u8; OWN_BYTES]) -> Self {
        Self(URL_SAFE_NO_PAD.encode([login, own].concat()))
    }

    /// Returns the bytes that all tokens of the login begin with.
    fn login(&self) -> Option<Vec<u8>> {
        let mut bytes = URL_SAFE_NO_PAD.decode(&self.0).ok()?;
        (bytes.len() == FAMILY_BYTES + OWN_BYTES).then(|| {
            bytes.truncate(FAMILY_BYTES);
            bytes
        })
    }

    /// Returns the family, unless the token is of an earlier version.
    pub(super) fn family(&self) -> Option<Uuid> {
        let digest = Sha256::digest(self.login()?);
        digest
            .first_chunk()
            .map(|first| uuid::Builder::from_custom_bytes(*first).into_uuid())
    }

    pub(super) fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(&self.0).into())
    }

    pub(super) fn presented(&self) -> PresentedToken {
        PresentedToken {
            hash: self.hash(),
            family: self.family(),
        }
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(…)")
    }
}

fn random<const BYTES: usize>() -> Result<[u8; BYTES], AccountError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| AccountError::Defect(error.into()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_a_login_share_its_family_and_nothing_else() {
        let first = RefreshToken::first().unwrap();
        let second = first.successor().unwrap();
        assert_ne!(first, second);
        assert!(first.family().is_some());
        assert_eq!(second.family(), first.family());
        assert_eq!(second.successor().unwrap().family(), first.family());
        assert_ne!(RefreshToken::first().unwrap().family(), first.family());
    }

    #[test]
    fn token_of_an_earlier_version_stays_without_a_family() {
        let token = RefreshToken::new("nq6SYnDyPlWx0gAuKXmF0nR3oCMaUkvQXZ1O3AzvYJ8");
        assert_eq!(token.family(), None);
        let next = token.successor().unwrap();
        assert_eq!(next.as_str().len(), token.as_str().len());
        for malformed in ["", "x", "no base64!"] {
            assert_eq!(RefreshToken::new(malformed).family(), None);
        }
    }
}
