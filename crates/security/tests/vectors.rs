//! Wycheproof's test vectors for each algorithm of tokens, among them signatures that other
//! implementations accepted by mistake.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use jsonwebtoken::{Algorithm, DecodingKey};
use wycheproof::TestResult::{Acceptable, Invalid, Valid};
use wycheproof::{ecdsa, eddsa, mac, rsa_pkcs1_verify};

/// The number of signatures that must be accepted and that must be rejected.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    valid: usize,
    invalid: usize,
}

impl Count {
    fn check(
        &mut self,
        (key, algorithm): (&DecodingKey, Algorithm),
        message: &[u8],
        signature: &[u8],
        (expected, about): (wycheproof::TestResult, &str),
    ) {
        let signature = base64url(signature);
        let verified = jsonwebtoken::crypto::verify(&signature, message, key, algorithm);
        let is_accepted = matches!(verified, Ok(true));
        match expected {
            Valid => self.valid += 1,
            Invalid => self.invalid += 1,
            // Implementations may differ.
            Acceptable => return,
        }
        assert_eq!(is_accepted, expected == Valid, "{algorithm:?}: {about}");
    }
}

fn base64url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn eddsa_vectors_verify_as_expected() {
    let mut count = Count::default();
    let vectors = eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("vectors");
    for group in vectors.test_groups {
        let key = DecodingKey::from_ed_components(&base64url(&group.key.pk)).expect("a key");
        for test in group.tests {
            let about = (test.result, test.comment.as_str());
            count.check((&key, Algorithm::EdDSA), &test.msg, &test.sig, about);
        }
    }
    assert!(count.valid > 50 && count.invalid > 50, "{count:?}");
}

#[test]
fn es256_vectors_verify_as_expected() {
    let mut count = Count::default();
    let name = ecdsa::TestName::EcdsaSecp256r1Sha256P1363;
    let vectors = ecdsa::TestSet::load(name).expect("vectors");
    for group in vectors.test_groups {
        let (_, point) = group.key.key.split_first().expect("an uncompressed point");
        let (x, y) = point.split_at(32);
        let key = DecodingKey::from_ec_components(&base64url(x), &base64url(y)).expect("a key");
        for test in group.tests {
            let about = (test.result, test.comment.as_str());
            count.check((&key, Algorithm::ES256), &test.msg, &test.sig, about);
        }
    }
    assert!(count.valid > 50 && count.invalid > 50, "{count:?}");
}

#[test]
fn rs256_vectors_verify_as_expected() {
    let mut count = Count::default();
    let name = rsa_pkcs1_verify::TestName::Rsa2048Sha256;
    let vectors = rsa_pkcs1_verify::TestSet::load(name).expect("vectors");
    for group in vectors.test_groups {
        let key = DecodingKey::from_rsa_raw_components(&group.key.n, &group.key.e);
        for test in group.tests {
            let about = (test.result, test.comment.as_str());
            count.check((&key, Algorithm::RS256), &test.msg, &test.sig, about);
        }
    }
    assert!(count.valid > 5 && count.invalid > 50, "{count:?}");
}

#[test]
fn hs256_vectors_verify_as_expected() {
    let mut count = Count::default();
    let vectors = mac::TestSet::load(mac::TestName::HmacSha256).expect("vectors");
    for group in vectors.test_groups {
        // Truncated tags are valid for some implementations, and never here.
        let is_whole = group.tag_size == 256;
        for test in group.tests {
            let key = DecodingKey::from_secret(&test.key);
            let expected = if is_whole { test.result } else { Invalid };
            let about = (expected, test.comment.as_str());
            count.check((&key, Algorithm::HS256), &test.msg, &test.tag, about);
        }
    }
    assert!(count.valid > 30 && count.invalid > 50, "{count:?}");
}
