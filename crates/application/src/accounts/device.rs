//! Device tokens, which distinguish a client that logged in before from a stranger who guesses (OWASP's device
//! cookies).

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::InvalidLength;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use taskhold_domain::lower_case::lower_case;
use taskhold_domain::timestamp::Timestamp;

use super::AccountError;

/// The time from a login until its device token expires.
pub const DEVICE_LIFETIME: Duration = Duration::from_hours(180 * 24);

const TIME_BYTES: usize = 8;
const PAYLOAD_BYTES: usize = TIME_BYTES + 16;

/// A signed proof that a client has logged in to an account. It opens nothing: it only gives the client's
/// wrong passwords a budget of their own. Its `Debug` output hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceToken(String);

impl DeviceToken {
    /// Wraps a text that may be a device token.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text of the token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DeviceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceToken(…)")
    }
}

/// Issues and verifies device tokens: the time and 128 random bits, and an HMAC-SHA256 of both and of the
/// account's e-mail address. Nothing is stored.
#[derive(Clone)]
pub struct DeviceTokens {
    key: [u8; 32],
    previous_key: Option<[u8; 32]>,
}

impl DeviceTokens {
    /// Signs with `key`, and accepts tokens of `previous_key` too.
    #[must_use]
    pub fn new(key: [u8; 32], previous_key: Option<[u8; 32]>) -> Self {
        Self { key, previous_key }
    }

    /// Issues a token for a new device.
    pub(super) fn issue(&self, email: &str, now: Timestamp) -> Result<DeviceToken, AccountError> {
        let mut payload = [0; PAYLOAD_BYTES];
        let (time, id) = payload.split_at_mut(TIME_BYTES);
        time.copy_from_slice(&now.as_micros().to_be_bytes());
        getrandom::fill(id).map_err(|error| AccountError::Defect(error.into()))?;
        let mac = mac(&self.key, email, &payload);
        let mac = mac.map_err(|error| AccountError::Defect(error.into()))?;
        let signature = mac.finalize().into_bytes();
        let token = [&payload[..], &signature[..]].concat();
        Ok(DeviceToken(URL_SAFE_NO_PAD.encode(token)))
    }

    /// Returns the id of the device, if the token was issued for this account in the last
    /// [`DEVICE_LIFETIME`].
    pub(super) fn verify(
        &self,
        token: &DeviceToken,
        email: &str,
        now: Timestamp,
    ) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(&token.0).ok()?;
        let (payload, signature) = bytes.split_at_checked(PAYLOAD_BYTES)?;
        let is_signed = [Some(self.key), self.previous_key]
            .into_iter()
            .flatten()
            .filter_map(|key| mac(&key, email, payload).ok())
            .any(|mac| mac.verify_slice(signature).is_ok());
        let (time, id) = payload.split_first_chunk()?;
        let issued = Timestamp::from_micros(i64::from_be_bytes(*time)).ok()?;
        let is_current = issued.saturating_add(DEVICE_LIFETIME) > now;
        (is_signed && is_current).then(|| URL_SAFE_NO_PAD.encode(id))
    }
}

fn mac(key: &[u8; 32], email: &str, payload: &[u8]) -> Result<Hmac<Sha256>, InvalidLength> {
    // The payload has a fixed length, so that it cannot be confused with the address.
    Ok(Hmac::new_from_slice(key)?
        .chain_update(payload)
        .chain_update(lower_case(email)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).unwrap()
    }

    #[test]
    fn token_is_valid_for_its_account_key_and_time_only() {
        let devices = DeviceTokens::new([1; 32], None);
        let token = devices.issue("Anna@example.org", at(5)).unwrap();
        let id = devices.verify(&token, "anna@EXAMPLE.org", at(6));
        assert!(id.is_some());
        assert_ne!(
            id,
            devices.verify(
                &devices.issue("anna@example.org", at(5)).unwrap(),
                "anna@example.org",
                at(6)
            )
        );
        assert_eq!(devices.verify(&token, "bob@example.org", at(6)), None);
        let late = at(5).saturating_add(DEVICE_LIFETIME);
        assert_eq!(devices.verify(&token, "anna@example.org", late), None);
        let replaced = DeviceTokens::new([2; 32], Some([1; 32]));
        assert_eq!(replaced.verify(&token, "anna@example.org", at(6)), id);
        let other = DeviceTokens::new([2; 32], None);
        assert_eq!(other.verify(&token, "anna@example.org", at(6)), None);
        for position in 0..token.as_str().len() {
            let mut forged = token.as_str().to_owned().into_bytes();
            forged[position] ^= 1;
            let forged = DeviceToken::new(String::from_utf8_lossy(&forged));
            assert_eq!(
                devices.verify(&forged, "anna@example.org", at(6)),
                None,
                "{position}"
            );
        }
        for malformed in ["", "x", &"A".repeat(10_000)] {
            let malformed = DeviceToken::new(malformed);
            assert_eq!(devices.verify(&malformed, "anna@example.org", at(6)), None);
        }
    }
}
