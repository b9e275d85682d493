//! Shared secrets.

use std::collections::BTreeSet;
use std::fmt;

/// A secret shared with whoever issues tokens. Its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The fewest bytes that resist guessing: as many as HS256's hash has (RFC 7518, section 3.2).
    pub const MIN_BYTES: usize = 32;

    /// Takes the bytes of `text` as they are: nothing is trimmed, and digits stay digits.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into_bytes())
    }

    /// Whether it has fewer than [`MIN_BYTES`](Self::MIN_BYTES).
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.0.len() < Self::MIN_BYTES
    }

    /// Whether somebody has typed it, or copied it from an example: it has a word in it that such texts
    /// have, or few different bytes. One that is not may still be known to others.
    #[must_use]
    pub fn is_guessable(&self) -> bool {
        /// Of 32 random hexadecimal digits, fewer are different less than once in 10^9 times.
        const FEW: usize = 7;
        /// None so short that it is found in random letters.
        const WORDS: [&str; 6] = [
            "change", "default", "example", "password", "replace", "secret",
        ];
        let text = String::from_utf8_lossy(&self.0).to_lowercase();
        let different: BTreeSet<_> = self.0.iter().collect();
        different.len() < FEW || WORDS.iter().any(|word| text.contains(word))
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
