//! What a token whose signature is right must say to be taken.

use std::time::Duration;

use serde::Deserialize;
use taskhold_application::tokens::{Identity, InvalidToken};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

/// How far the issuer's clock may differ from ours, for all that a token says of time.
const LEEWAY: Duration = Duration::from_secs(5);

/// The `iss` of our own tokens.
pub(crate) const OURS: &str = "taskhold";

/// What a token must say about its origin, beside a sound signature. What is `None` is not asked.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The `iss` of every token but our own.
    pub issuer: Option<String>,
    /// What every token must have in its `aud`.
    pub audience: Option<String>,
}

/// Whose key the signature is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignedWith {
    /// A secret that we sign with ourselves, or did.
    SharedSecret,
    /// A key of another issuer.
    IssuerKey,
}

/// The claims that count (RFC 7519, section 4.1). One that is given twice or has another type
/// makes the token malformed; all others, such as names and e-mail addresses, are not even read.
#[derive(Deserialize)]
pub(crate) struct Claims {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    iss: Option<String>,
    aud: Option<Audience>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

impl Claims {
    /// Who it is, where everything that the token says holds `now` and it lives no longer than
    /// `longest`.
    pub(crate) fn identity(
        self,
        signed_with: SignedWith,
        origin: &Origin,
        longest: Duration,
        now: Timestamp,
    ) -> Result<Identity, InvalidToken> {
        let identity = Identity {
            user: UserId::parse(self.sub).map_err(|_| InvalidToken)?,
            issued: self.iat.map(instant).transpose()?,
        };
        let expires = instant(self.exp)?;
        let begins = self.nbf.map(instant).transpose()?;
        let earliest = now.saturating_sub(LEEWAY);
        let latest = now.saturating_add(LEEWAY);
        let is_over = expires <= earliest;
        // Without its time of issue it may have been issued just now.
        let issued = identity.issued.unwrap_or(now);
        let is_too_long = expires > issued.saturating_add(longest).saturating_add(LEEWAY);
        let has_begun = [begins, identity.issued]
            .into_iter()
            .flatten()
            .all(|begin| begin <= latest);
        let is_of_origin = match (self.iss.as_deref(), signed_with) {
            (Some(OURS), SignedWith::SharedSecret) => true,
            (Some(OURS), SignedWith::IssuerKey) => false,
            (iss, _) => origin.issuer.is_none() || iss == origin.issuer.as_deref(),
        };
        let is_for_us = match &origin.audience {
            Some(ours) => self.aud.is_some_and(|audience| audience.contains(ours)),
            None => true,
        };
        if is_over || is_too_long || !has_begun || !is_of_origin || !is_for_us {
            return Err(InvalidToken);
        }
        Ok(identity)
    }
}

const MICROS: f64 = 1e6;

/// Seconds since 1970 as an instant, where they are between then and the year 9999.
fn instant(seconds: f64) -> Result<Timestamp, InvalidToken> {
    let micros = (seconds * MICROS).round();
    #[expect(
        clippy::cast_precision_loss,
        reason = "at the far end a second is nothing"
    )]
    let last = Timestamp::LAST.as_micros() as f64;
    if !(0.0..last).contains(&micros) {
        return Err(InvalidToken);
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is in range")]
    Timestamp::from_micros(micros as i64).map_err(|_| InvalidToken)
}

/// An instant as seconds since 1970: exact to the microsecond for centuries to come.
pub(crate) fn seconds(instant: Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "below 2^53 until the year 2255")]
    let micros = instant.as_micros() as f64;
    micros / MICROS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_come_through_json_to_the_microsecond() {
        let start = 1_767_323_045_678_901_i64;
        for micros in (start..start + 5_000).chain((0..5_000).map(|step| start + step * 999_983)) {
            let sent = Timestamp::from_micros(micros).unwrap();
            let json = serde_json::to_string(&seconds(sent)).unwrap();
            let received: f64 = serde_json::from_str(&json).unwrap();
            assert_eq!(instant(received), Ok(sent), "{json}");
        }
    }
}
