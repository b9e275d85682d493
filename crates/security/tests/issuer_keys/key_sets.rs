//! The keys of a published set: which ones are used.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::{Value, json};
use taskhold_security::jwks::KeySet;
use taskhold_testkit::issuer::{IssuerKey, key_set};

use super::{SECRET, every_kind};

fn usable(keys: &[Value]) -> usize {
    KeySet::parse(key_set(keys).to_string().as_bytes())
        .expect("a key set")
        .len()
}

#[test]
fn keys_for_other_uses_are_skipped() {
    let with = |key: &IssuerKey, member: &str, value: Value| {
        let mut jwk = key.jwk_with_id("k");
        jwk[member] = value;
        jwk
    };
    let [ed25519, p256, rsa] = every_kind();
    for (key, own) in [(&ed25519, "EdDSA"), (&p256, "ES256"), (&rsa, "RS256")] {
        for valid in [
            key.jwk(),
            with(key, "alg", json!(own)),
            with(key, "use", json!("sig")),
            with(key, "key_ops", json!(["sign", "verify"])),
            with(key, "x5c", json!([7])),
        ] {
            assert_eq!(usable(std::slice::from_ref(&valid)), 1, "{valid}");
        }
        for (member, value) in [
            ("alg", json!("RS384")),
            ("alg", json!("HS256")),
            ("alg", json!("none")),
            ("use", json!("enc")),
            ("use", json!(7)),
            ("key_ops", json!(["encrypt"])),
            ("key_ops", json!(["sign"])),
            ("key_ops", json!(["verify", "encrypt"])),
            ("key_ops", json!(["verify", "deriveKey"])),
            ("key_ops", json!([])),
            ("kty", json!("oct")),
            ("kty", json!("rsa")),
            ("kid", json!(7)),
            ("d", json!("a private key is nobody's")),
            ("d", json!(null)),
            ("p", json!("AQAB")),
            ("q", json!("AQAB")),
            ("dp", json!("AQAB")),
            ("qi", json!("AQAB")),
            ("k", json!("AQAB")),
        ] {
            let excluded = with(key, member, value);
            assert_eq!(usable(std::slice::from_ref(&excluded)), 0, "{excluded}");
        }
    }
    let secret = json!({"kty": "oct", "k": BASE64_URL_SAFE_NO_PAD.encode(SECRET), "kid": "k"});
    assert_eq!(usable(&[secret]), 0);
    assert_eq!(
        usable(&[rsa.jwk(), json!(7), json!(null), json!([]), json!({})]),
        1
    );
}

#[test]
fn damaged_and_weak_keys_are_skipped() {
    let without_last_bytes = |text: &str| text[..text.len() - 4].to_owned();
    for (key, members) in [
        (IssuerKey::ed25519(), &["x"][..]),
        (IssuerKey::p256(), &["x", "y"]),
    ] {
        for member in members {
            let valid = key.jwk();
            let text = valid[*member].as_str().expect("a string").to_owned();
            for damaged in [
                without_last_bytes(&text),
                format!("{text}AAAA"),
                String::new(),
                "AA".to_owned(),
                format!("{text}="),
                "!".repeat(text.len()),
            ] {
                let mut jwk = valid.clone();
                jwk[*member] = json!(damaged);
                assert_eq!(usable(std::slice::from_ref(&jwk)), 0, "{jwk}");
            }
        }
    }
    let mut off_the_curve = IssuerKey::p256().jwk();
    off_the_curve["y"] = off_the_curve["x"].clone();
    assert_eq!(usable(&[off_the_curve]), 0);
    let mut other_curve = IssuerKey::p256().jwk();
    other_curve["crv"] = json!("P-384");
    assert_eq!(usable(&[other_curve]), 0);
    for (bits, expected) in [(1024, 0), (2040, 0), (2048, 1), (3072, 1), (4104, 0)] {
        assert_eq!(
            usable(&[IssuerKey::rsa(bits).jwk()]),
            expected,
            "{bits} bits"
        );
    }
    let mut padded = IssuerKey::rsa(1024).jwk();
    let small = BASE64_URL_SAFE_NO_PAD.decode(padded["n"].as_str().expect("a string"));
    let zeros = [vec![0; 128], small.expect("base64url")].concat();
    padded["n"] = json!(BASE64_URL_SAFE_NO_PAD.encode(zeros));
    assert_eq!(usable(&[padded]), 0, "zeros in front are no strength");
}

#[test]
fn other_json_is_a_malformed_key_set() {
    for text in [
        "",
        "{}",
        "[]",
        "null",
        "<html>",
        r#"{"keys":{}}"#,
        r#"{"keys":null}"#,
    ] {
        assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
    }
    assert!(
        KeySet::parse(br#"{"keys":[],"more":1}"#)
            .expect("a key set")
            .is_empty()
    );
}

/// The points of small order of Ed25519 in every encoding that is decoded, also those that RFC 8032 forbids.
/// A signature of zeros, and others that need no private key, are valid for them.
const SMALL_ORDER: [&str; 14] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

#[tokio::test]
async fn keys_that_anyone_can_sign_with_are_skipped() {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    for point in SMALL_ORDER {
        let x = encode(&hex::decode(point).expect("hex"));
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "k"});
        assert_eq!(usable(std::slice::from_ref(&jwk)), 0, "{point}");
    }
    // The encoding of a point of full order that is not the one of RFC 8032: y = 3 + p.
    let mut above = [0xff_u8; 32];
    (above[0], above[31]) = (0xf0, 0x7f);
    let mut below = [0; 32];
    below[0] = 3;
    for (bytes, expected) in [(above, 0), (below, 1)] {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&bytes)});
        assert_eq!(usable(&[jwk]), expected, "{bytes:?}");
    }
    let with = |member: &str, bytes: &[u8]| {
        let mut jwk = IssuerKey::rsa(2048).jwk();
        jwk[member] = json!(encode(bytes));
        usable(&[jwk])
    };
    for (exponent, expected) in [
        (&[1][..], 0),
        (&[0, 0, 1], 0),
        (&[0], 0),
        (&[], 0),
        (&[2], 0),
        (&[1, 0, 0], 0),
        (&[3], 1),
        (&[1, 0, 1], 1),
        (&[1, 0, 0, 0, 0, 0, 0, 0, 1], 0),
    ] {
        assert_eq!(with("e", exponent), expected, "{exponent:?}");
    }
    let mut even = [0xff; 256];
    even[255] = 0xfe;
    assert_eq!(with("n", &even), 0, "an even modulus");
    let zeros = encode(&[0; 32]);
    let infinity = json!({"kty": "EC", "crv": "P-256", "x": zeros, "y": zeros});
    assert_eq!(usable(&[infinity]), 0);
}
