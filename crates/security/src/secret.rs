//! The secrets that tokens are signed with.

use std::collections::BTreeSet;
use std::fmt;

/// A secret shared with the issuer of tokens. Its `Debug` output does not contain it.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The minimum length, that of the hash of HS256 (RFC 7518, section 3.2).
    pub const MIN_BYTES: usize = 32;

    /// Returns a secret of the bytes of `text`, untrimmed.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into_bytes())
    }

    /// Returns whether the secret has fewer than [`MIN_BYTES`](Self::MIN_BYTES).
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.0.len() < Self::MIN_BYTES
    }

    /// Returns whether the secret looks typed or copied from an example: it contains a word that is usual
    /// in such texts, or few distinct bytes. A secret that passes may still be known to others.
    #[must_use]
    pub fn is_guessable(&self) -> bool {
        /// 32 random hexadecimal digits have fewer distinct ones less than once in 10^9 times.
        const MIN_DISTINCT: usize = 7;
        /// Long enough not to occur in random letters.
        const WORDS: [&str; 6] = [
            "change", "default", "example", "password", "replace", "secret",
        ];
        let text = String::from_utf8_lossy(&self.0).to_lowercase();
        let distinct: BTreeSet<_> = self.0.iter().collect();
        distinct.len() < MIN_DISTINCT || WORDS.iter().any(|word| text.contains(word))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
