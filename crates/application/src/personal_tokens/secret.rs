//! The text of a personal access token.

use std::fmt;

use sha2::{Digest as _, Sha256};
use taskhold_domain::session::TokenHash;

/// A text that may be a personal access token: `th_`, 256 random bits and a checksum of 32 bits, both in hexadecimal.
/// The checksum is the beginning of the SHA-256 digest of what precedes it: it lets scanners of source code tell a
/// leaked token from any other text, and spares the store a query for a mistyped one. The `Debug` output hides the
/// token.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSecret(String);

const RANDOM_BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 4;
const CHECKSUM_DIGITS: usize = 2 * CHECKSUM_BYTES;

impl TokenSecret {
    /// The beginning of every token.
    pub const PREFIX: &'static str = "th_";

    /// The length of a token in bytes.
    pub const LENGTH: usize = Self::PREFIX.len() + 2 * (RANDOM_BYTES + CHECKSUM_BYTES);

    /// Takes the text of a request if it begins as a personal access token does.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        text.starts_with(Self::PREFIX)
            .then(|| Self(text.to_owned()))
    }

    /// Returns a new token.
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; RANDOM_BYTES];
        getrandom::fill(&mut bytes)?;
        let mut text = format!("{}{}", Self::PREFIX, hex::encode(bytes));
        text += &checksum(&text);
        Ok(Self(text))
    }

    /// Returns whether the text has the form of a token, and the right checksum.
    pub(super) fn is_well_formed(&self) -> bool {
        if self.0.len() != Self::LENGTH {
            return false;
        }
        match self.0.split_at_checked(Self::LENGTH - CHECKSUM_DIGITS) {
            Some((secret, given)) => checksum(secret) == given,
            None => false,
        }
    }

    /// Returns the digest that is stored.
    pub(super) fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(&self.0).into())
    }

    /// Returns the text of the token, which is a secret of its user.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn checksum(text: &str) -> String {
    let digest = Sha256::digest(text);
    let (checksum, _) = digest.split_at(CHECKSUM_BYTES);
    hex::encode(checksum)
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_character_breaks_the_form() {
        let token = TokenSecret::random().unwrap();
        assert!(token.is_well_formed());
        assert_eq!(token.as_str().len(), TokenSecret::LENGTH);
        assert_ne!(token, TokenSecret::random().unwrap());
        for place in 0..TokenSecret::LENGTH {
            let mut changed = token.as_str().to_owned();
            let other = if changed[place..].starts_with('a') {
                "b"
            } else {
                "a"
            };
            changed.replace_range(place..=place, other);
            assert!(!TokenSecret(changed).is_well_formed(), "{place}");
        }
        for text in [
            "th_",
            "th_é",
            &format!("{}0", token.as_str()),
            &"é".repeat(40),
        ] {
            assert!(!TokenSecret(text.to_owned()).is_well_formed(), "{text}");
        }
    }

    #[test]
    fn other_tokens_are_none() {
        assert_eq!(TokenSecret::of("eyJhbGciOiJIUzI1NiJ9.e30.x"), None);
        assert_eq!(TokenSecret::of("TH_00"), None);
    }
}
