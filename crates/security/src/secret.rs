//! Shared secrets.

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

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
