//! JSON Web Key Sets (RFC 7517).

use std::ops::RangeInclusive;
use std::sync::Arc;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use ed25519_dalek::VerifyingKey;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The largest key set that is read. Those of large issuers have about 10 KiB.
pub(crate) const MAX_BYTES: usize = 256 * 1024;

/// The bits that an RSA key may have: fewer can be broken (RFC 7518, section 3.3), more make
/// verification too slow.
const RSA_BITS: RangeInclusive<usize> = 2048..=4096;

/// The bits that the exponent of an RSA key may have. With the exponent 1 anyone can make signatures.
const RSA_EXPONENT_BITS: RangeInclusive<usize> = 2..=32;

/// The bytes of a coordinate of P-256, and of an Ed25519 key.
const COORDINATE_BYTES: usize = 32;

/// The public keys of an issuer that can verify tokens.
///
/// The type of a key decides its only algorithm: `RS256` for RSA of 2048 to 4096 bits, `ES256` for
/// P-256, `EdDSA` for Ed25519. Keys of other types, keys for other uses than signatures, private keys,
/// damaged keys, and keys whose signatures anyone can make are skipped.
#[derive(Default)]
pub struct KeySet(Vec<PublicKey>);

/// The text is not a JSON Web Key Set.
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
    #[serde(flatten)]
    private: Private,
    #[serde(flatten)]
    parameters: Parameters,
}

/// The members that only private keys have. A private key that was published is private no more.
#[derive(Deserialize)]
struct Private {
    #[serde(default, deserialize_with = "present")]
    d: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    p: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    q: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    dp: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    dq: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    qi: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    oth: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "present")]
    k: Option<IgnoredAny>,
}

impl Private {
    fn is_absent(&self) -> bool {
        let Self {
            d,
            p,
            q,
            dp,
            dq,
            qi,
            oth,
            k,
        } = self;
        [d, p, q, dp, dq, qi, oth, k]
            .iter()
            .all(|member| member.is_none())
    }
}

#[derive(Deserialize)]
#[serde(tag = "kty")]
enum Parameters {
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String },
    #[serde(rename = "EC")]
    Ec { crv: String, x: String, y: String },
    #[serde(rename = "OKP")]
    Okp { crv: String, x: String },
}

impl KeySet {
    /// Parses `{"keys": […]}`. Keys that cannot be used are not an error.
    ///
    /// # Errors
    /// [`MalformedKeySet`].
    pub fn parse(json: &[u8]) -> Result<Self, MalformedKeySet> {
        let set: Set = serde_json::from_slice(json)?;
        let keys = set.keys.into_iter().filter_map(PublicKey::parse);
        Ok(Self(keys.collect()))
    }

    /// Returns the number of keys that can verify tokens.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether no key can verify tokens.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the only key for this algorithm with this id, or with any id if it is `None`. Returns
    /// `None` for two such keys: a token is never tried on keys that its issuer may not have meant.
    pub(crate) fn find(&self, algorithm: Algorithm, id: Option<&str>) -> Option<&Arc<DecodingKey>> {
        let mut matching = self
            .0
            .iter()
            .filter(|key| key.algorithm == algorithm)
            .filter(|key| id.is_none() || key.id.as_deref() == id);
        match (matching.next(), matching.next()) {
            (Some(only), None) => Some(&only.key),
            _ => None,
        }
    }
}

impl PublicKey {
    fn parse(jwk: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(jwk).ok()?;
        let is_public = jwk.private.is_absent();
        // A key for signatures and something else contradicts itself (RFC 7517, section 4.3).
        let is_for_signatures = jwk.r#use.is_none_or(|used_for| used_for == "sig")
            && jwk.key_ops.is_none_or(|operations| {
                operations.iter().any(|name| name == "verify")
                    && operations
                        .iter()
                        .all(|name| name == "verify" || name == "sign")
            });
        let (algorithm, name, key) = jwk.parameters.key()?;
        let is_for_algorithm = jwk.alg.is_none_or(|alg| alg == name);
        // Only the first verification shows a point that is not on its curve.
        let is_valid = jsonwebtoken::crypto::verify("", b"", &key, algorithm).is_ok();
        (is_public && is_for_signatures && is_for_algorithm && is_valid).then_some(Self {
            id: jwk.kid,
            algorithm,
            key: Arc::new(key),
        })
    }
}

impl Parameters {
    /// Returns the algorithm of the key, its name in a key set, and the key. Lengths are checked here
    /// because the library does not.
    fn key(&self) -> Option<(Algorithm, &'static str, DecodingKey)> {
        match self {
            Self::Rsa { n, e } => {
                let (n, e) = (decode(n)?, decode(e)?);
                let is_strong = RSA_BITS.contains(&bits(&n))
                    && RSA_EXPONENT_BITS.contains(&bits(&e))
                    && [&n, &e]
                        .iter()
                        .all(|number| number.last().is_some_and(|last| last % 2 == 1));
                is_strong.then(|| {
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
                let is_ed25519 = crv == "Ed25519" && is_strong_point(x);
                let key = is_ed25519.then(|| DecodingKey::from_ed_components(x).ok())??;
                Some((Algorithm::EdDSA, "EdDSA", key))
            }
        }
    }
}

/// Reads a member that is there, also if it is null.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

/// Returns whether this encodes a point of Ed25519 as RFC 8032 does, and not one of small order: such a key
/// verifies signatures that were made without a private key.
fn is_strong_point(text: &str) -> bool {
    let bytes = decode(text).and_then(|bytes| <[u8; COORDINATE_BYTES]>::try_from(bytes).ok());
    let key = bytes.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
    key.is_some_and(|key| {
        !key.is_weak() && key.to_edwards().compress().as_bytes() == key.as_bytes()
    })
}

fn is_coordinate(text: &str) -> bool {
    decode(text).is_some_and(|bytes| bytes.len() == COORDINATE_BYTES)
}

/// Returns the number of significant bits of a big-endian number.
fn bits(number: &[u8]) -> usize {
    let mut digits = number.iter().skip_while(|byte| **byte == 0);
    digits.next().map_or(0, |highest| {
        8 * digits.count() + (8 - highest.leading_zeros() as usize)
    })
}
