//! Opaque cursors that belong to one user and one list. A digest keeps clients from mixing them up; a cursor that
//! somebody forges for themselves reaches nothing but their own list.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use sha2::{Digest as _, Sha256};
use taskhold_domain::user::UserId;

/// The length of the digest: half of it is enough to tell cursors apart.
const DIGEST_BYTES: usize = 16;

/// Returns the cursor with this content. `list` names the list.
pub(crate) fn seal(owner: &UserId, list: &str, content: &[u8]) -> String {
    let digest = digest(owner, list, content);
    BASE64_URL_SAFE_NO_PAD.encode([digest.as_slice(), content].concat())
}

/// Returns the content of a cursor, or `None` if it is malformed or belongs to another user or list.
pub(crate) fn open(owner: &UserId, list: &str, cursor: &str) -> Option<Vec<u8>> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (given, content) = bytes.split_first_chunk::<DIGEST_BYTES>()?;
    (*given == digest(owner, list, content)).then(|| content.to_vec())
}

fn digest(owner: &UserId, list: &str, content: &[u8]) -> [u8; DIGEST_BYTES] {
    let mut hash = Sha256::new();
    for part in [owner.as_str().as_bytes(), list.as_bytes(), content] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut half = [0; DIGEST_BYTES];
    for (to, from) in half.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_is_valid_for_its_user_and_list_only() {
        let user = |name| UserId::parse(name).expect("a user");
        let (anna, bob) = (user("anna"), user("bob"));
        let cursor = seal(&anna, "trash", b"content");
        assert_eq!(
            open(&anna, "trash", &cursor).as_deref(),
            Some(&b"content"[..])
        );
        assert_eq!(open(&bob, "trash", &cursor), None);
        assert_eq!(open(&anna, "changes", &cursor), None);
        for forged in ["", "a", "AAAA", &cursor[1..], &format!("{cursor}A")] {
            assert_eq!(open(&anna, "trash", forged), None, "{forged}");
        }
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(&cursor).expect("base64");
        for place in 0..bytes.len() {
            bytes[place] ^= 1;
            let forged = BASE64_URL_SAFE_NO_PAD.encode(&bytes);
            assert_eq!(open(&anna, "trash", &forged), None, "byte {place}");
            bytes[place] ^= 1;
        }
    }
}
