//! The secrets that tokens are signed with.

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use taskhold_domain::predictable::surprises;

/// Secrets that are copied from tutorials and standards, such as RFC 7515, and that no word below gives away.
const PUBLISHED: [&str; 4] = [
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
    "3cfa76ef14937c1c0ea519f8fc057a80fcd04a7420f8e8bcd0a7567c272e007b",
];

/// Words of placeholders and examples, long enough not to occur in random letters.
const WORDS: [&str; 19] = [
    "batterystaple",
    "change",
    "default",
    "development",
    "example",
    "insecure",
    "jsonwebtoken",
    "letmein",
    "loremipsum",
    "passphrase",
    "password",
    "placeholder",
    "production",
    "quickbrown",
    "replace",
    "secret",
    "signingkey",
    "taskhold",
    "yourkey",
];

/// 32 random hexadecimal digits have fewer distinct ones less than once in 10^9 times.
const MIN_DISTINCT: usize = 7;

/// 32 random hexadecimal digits have about 25 that do not follow from others, 32 random digits about 18.
const MIN_SURPRISES: usize = 10;

fn why_guessable(text: &str) -> Option<&'static str> {
    let plain = text.to_lowercase();
    let letters: String = plain
        .chars()
        .filter(|char| char.is_alphanumeric())
        .map(|char| match char {
            '0' => 'o',
            '1' => 'i',
            '3' => 'e',
            '4' => 'a',
            '5' => 's',
            '7' => 't',
            other => other,
        })
        .collect();
    let distinct: BTreeSet<_> = text.chars().collect();
    if PUBLISHED
        .iter()
        .any(|published| plain.contains(&published.to_lowercase()))
    {
        Some("is printed in a tutorial, where others find it")
    } else if WORDS
        .iter()
        .any(|word| letters.contains(word) || plain.contains(word))
    {
        Some("contains words of an example or a placeholder, which others can guess")
    } else if distinct.len() < MIN_DISTINCT || surprises(text) < MIN_SURPRISES {
        Some("is a repetition, a sequence or a row of keys, which others can guess")
    } else if is_prose(text) {
        Some("consists of words, which others can guess")
    } else {
        None
    }
}

/// Returns whether the text is a sentence: at least four words of letters.
fn is_prose(text: &str) -> bool {
    let words = text.split([' ', '-', '_', '.', ',', '!', '\'']);
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.len() >= 4
        && words
            .iter()
            .all(|word| word.chars().all(char::is_alphabetic))
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let decoded = BASE64_STANDARD_NO_PAD.decode(text);
    decoded
        .or_else(|_| BASE64_URL_SAFE_NO_PAD.decode(text))
        .ok()
}

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

    /// Returns why others can guess the secret, as a clause that follows its name. A secret without a reason
    /// may still be known to others.
    #[must_use]
    pub fn why_guessable(&self) -> Option<&'static str> {
        let text = String::from_utf8_lossy(&self.0);
        // Text does not become random by being encoded.
        let hidden = [hex::decode(text.as_bytes()).ok(), decode_base64(&text)];
        let hidden = hidden.into_iter().flatten();
        let hidden = hidden.filter_map(|bytes| String::from_utf8(bytes).ok());
        let hidden = hidden.filter(|text| {
            text.bytes()
                .all(|byte| byte.is_ascii_graphic() || byte == b' ')
        });
        std::iter::once(text.clone().into_owned())
            .chain(hidden)
            .find_map(|text| why_guessable(&text))
    }

    /// Derives a key for another purpose, which reveals nothing about the secret.
    #[must_use]
    pub fn derive_key(&self, purpose: &str) -> [u8; 32] {
        Sha256::new()
            .chain_update(b"a key derived from a secret of taskhold\0")
            .chain_update(purpose)
            .chain_update([0])
            .chain_update(&self.0)
            .finalize()
            .into()
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
