//! Sets of public keys (RFC 7517).

use std::sync::Arc;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// The largest key set that is read. Those of large issuers have about 10 KiB.
pub(crate) const MAX_BYTES: usize = 256 * 1024;

/// The public keys of an issuer that can verify tokens.
///
/// A key's own type decides the one algorithm that it is good for: `RS256` for RSA of 2048 to 4096
/// bits, `ES256` for P-256, `EdDSA` for Ed25519. What is in the set and is none of these, is meant
/// for something else than signatures, is private or is damaged counts as not there.
#[derive(Default)]
pub struct KeySet(Vec<PublicKey>);

/// The text is no JSON Web Key Set.
#[derive(Debug, thiserror::Error)]
#[error("it is no JSON Web Key Set")]
pub struct MalformedKeySet(#[from] serde_json::Error);

struct PublicKey {
    id: Option<String>,
    algorithm: Algorithm,
    key: Arc<DecodingKey>,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    /// Only a private key has it, which is nobody else's any more once it is in a public set.
    d: Option<serde::de::IgnoredAny>,
    #[serde(flatten)]
    material: Material,
}

#[derive(Deserialize)]
#[serde(tag = "kty")]
enum Material {
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String },
    #[serde(rename = "EC")]
    Ec { crv: String, x: String, y: String },
    #[serde(rename = "OKP")]
    Okp { crv: String, x: String },
}

impl KeySet {
    /// Reads `{"keys": […]}`.
    ///
    /// # Errors
    /// [`MalformedKeySet`] where it is something else. A key that cannot be used is no error.
    pub fn parse(json: &[u8]) -> Result<Self, MalformedKeySet> {
        let set: Set = serde_json::from_slice(json)?;
        let keys = set.keys.into_iter().filter_map(PublicKey::of);
        Ok(Self(keys.collect()))
    }

    /// How many of its keys can verify tokens.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none of its keys can verify tokens.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key of this id for this algorithm; without an id the only one for it. None where two
    /// would do: no token is tried on keys that its issuer may not have meant.
    pub(crate) fn find(&self, algorithm: Algorithm, id: Option<&str>) -> Option<&Arc<DecodingKey>> {
        let mut fitting = self
            .0
            .iter()
            .filter(|key| key.algorithm == algorithm)
            .filter(|key| id.is_none() || key.id.as_deref() == id);
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Some(&only.key),
            _ => None,
        }
    }
}

impl PublicKey {
    fn of(jwk: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(jwk).ok()?;
        let is_public = jwk.d.is_none();
        let is_for_signatures = jwk.r#use.is_none_or(|used_for| used_for == "sig")
            && jwk
                .key_ops
                .is_none_or(|operations| operations.iter().any(|name| name == "verify"));
        let (algorithm, name, key) = jwk.material.key()?;
        let is_for_algorithm = jwk.alg.is_none_or(|alg| alg == name);
        // A point that is not on its curve shows as soon as the key is to be used.
        let is_sound = jsonwebtoken::crypto::verify("", b"", &key, algorithm).is_ok();
        (is_public && is_for_signatures && is_for_algorithm && is_sound).then_some(Self {
            id: jwk.kid,
            algorithm,
            key: Arc::new(key),
        })
    }
}

/// The bits that an RSA key may have: fewer are within reach of an attacker (RFC 7518, section
/// 3.3), more cost too much to verify with.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;
/// The bytes of a coordinate of P-256, and of an Ed25519 key.
const COORDINATE_BYTES: usize = 32;

impl Material {
    /// The algorithm that it is good for, with its name in a set, and the key. The lengths are
    /// looked at here, since the library takes them for granted.
    fn key(&self) -> Option<(Algorithm, &'static str, DecodingKey)> {
        match self {
            Self::Rsa { n, e } => {
                let (n, e) = (bytes(n)?, bytes(e)?);
                RSA_BITS.contains(&bits(&n)).then(|| {
                    let key = DecodingKey::from_rsa_raw_components(&n, &e);
                    (Algorithm::RS256, "RS256", key)
                })
            }
            Self::Ec { crv, x, y } => {
                let is_p256 = crv == "P-256" && is_coordinate(x) && is_coordinate(y);
                let key = is_p256.then(|| DecodingKey::from_ec_components(x, y).ok())??;
                Some((Algorithm::ES256, "ES256", key))
            }
            Self::Okp { crv, x } => {
                let is_ed25519 = crv == "Ed25519" && is_coordinate(x);
                let key = is_ed25519.then(|| DecodingKey::from_ed_components(x).ok())??;
                Some((Algorithm::EdDSA, "EdDSA", key))
            }
        }
    }
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

fn is_coordinate(text: &str) -> bool {
    bytes(text).is_some_and(|bytes| bytes.len() == COORDINATE_BYTES)
}

/// The bits of a number, its highest byte first.
fn bits(number: &[u8]) -> usize {
    let mut digits = number.iter().skip_while(|byte| **byte == 0);
    digits.next().map_or(0, |highest| {
        8 * digits.count() + (8 - highest.leading_zeros() as usize)
    })
}
