//! Digests that nobody can find the text of by trying, without the key.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The bytes that HMAC-SHA-256 takes as a key.
const BLOCK_BYTES: usize = 64;

/// Computes the HMAC-SHA-256 of a text (RFC 2104).
#[must_use]
pub fn keyed_digest(key: &[u8; 32], text: &[u8]) -> [u8; 32] {
    let mut block = [0; BLOCK_BYTES];
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(text);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test case 1 of RFC 4231, whose key of 20 bytes is padded with zeros.
    #[test]
    fn digest_is_that_of_the_standard() {
        let mut key = [0; 32];
        for byte in key.iter_mut().take(20) {
            *byte = 0x0b;
        }
        let digest = keyed_digest(&key, b"Hi There");
        assert_eq!(digest[..4], [0xb0, 0x34, 0x4c, 0x61]);
        assert_eq!(digest[28..], [0x2e, 0x32, 0xcf, 0xf7]);
    }
}
