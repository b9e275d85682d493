//! Validation of the claims of a token whose signature is valid.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use taskhold_application::tokens::{Identity, InvalidToken, Refusal};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use uuid::Uuid;

/// The difference between the issuer's clock and this one that is tolerated.
const LEEWAY: Duration = Duration::from_secs(5);

/// The `iss` of the service's own tokens.
pub(crate) const OWN_ISSUER: &str = "taskhold";

/// The `typ` of the service's own tokens.
const OWN_TYPE: &str = "JWT";

/// What tokens must say about themselves beyond the rules for all.
#[derive(Debug, Clone, Default)]
pub struct RequiredClaims {
    /// The `iss` of tokens of another issuer; `None` accepts any. The service's own tokens have their own.
    pub issuer: Option<String>,
    /// A value that the `aud` of every token must contain; `None` accepts any.
    pub audience: Option<String>,
    /// The `typ` in the header of tokens of another issuer.
    pub types: TokenTypes,
    /// Whether tokens of another issuer may lack `iat`. A revocation then ends such tokens of its user for
    /// ever, since nothing says which of them are newer.
    pub accepts_missing_iat: bool,
}

/// The values of `typ` that are accepted (RFC 8725, section 3.11): an issuer signs other things with the same
/// keys, such as the tokens that end sessions (`logout+jwt`), which must not authorize requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenTypes(Vec<Option<String>>);

impl TokenTypes {
    /// The word for a header without `typ`.
    pub const ABSENT: &str = "absent";

    /// Accepts these types, as media types that may lack their `application/`; [`ABSENT`](Self::ABSENT) is a
    /// missing one.
    #[must_use]
    pub fn new(types: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let types = types.into_iter().map(|name| match name.as_ref() {
            Self::ABSENT => None,
            name => Some(media_type(name)),
        });
        Self(types.collect())
    }

    fn contains(&self, typ: Option<&str>) -> bool {
        self.0.contains(&typ.map(media_type))
    }
}

impl Default for TokenTypes {
    /// Accepts no type, `JWT`, and the one of access tokens (RFC 9068).
    fn default() -> Self {
        Self::new([Self::ABSENT, OWN_TYPE, "at+jwt"])
    }
}

/// Returns a type as it is compared: without case, and without a prefix that may be left out (RFC 7515,
/// section 4.1.9).
fn media_type(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.strip_prefix("application/") {
        Some(short) if !short.contains('/') => short.to_owned(),
        _ => name,
    }
}

/// The kind of key that signed a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignedWith {
    /// A secret that the service itself signs with, or did.
    SharedSecret,
    /// A key of another issuer.
    IssuerKey,
}

/// The claims that are validated (RFC 7519, section 4.1). A repeated one and one of another type
/// make the token malformed; all others, such as names and e-mail addresses, are not even read.
#[derive(Deserialize)]
pub(crate) struct Claims {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    iss: Option<String>,
    aud: Option<Audience>,
    /// The session, which counts in the service's own tokens only: another issuer's may be of any type.
    sid: Option<Value>,
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
    /// Returns the identity that the token proves, if its type and claims are valid at `now` and its
    /// lifetime is at most `max_lifetime`.
    pub(crate) fn validate(
        self,
        typ: Option<&str>,
        signed_with: SignedWith,
        required: &RequiredClaims,
        max_lifetime: Duration,
        now: Timestamp,
    ) -> Result<Identity, InvalidToken> {
        let user = UserId::parse(self.sub).map_err(|_| Refusal::Subject)?;
        let refused = |reason| InvalidToken {
            reason,
            user: Some(user.clone()),
        };
        let to_timestamp = |seconds| to_timestamp(seconds).map_err(refused);
        let issued = self.iat.map(to_timestamp).transpose()?;
        let expires = to_timestamp(self.exp)?;
        let not_before = self.nbf.map(to_timestamp).transpose()?;
        let is_expired = expires <= now.saturating_sub(LEEWAY);
        // A token without its time of issue may have been issued just now.
        let latest_expiry = issued
            .unwrap_or(now)
            .saturating_add(max_lifetime)
            .saturating_add(LEEWAY);
        let latest_start = now.saturating_add(LEEWAY);
        let has_started = [not_before, issued]
            .into_iter()
            .flatten()
            .all(|start| start <= latest_start);
        let has_time = issued.is_some();
        let (issuer_matches, type_matches, time_suffices) = match (self.iss.as_deref(), signed_with)
        {
            (Some(OWN_ISSUER), SignedWith::SharedSecret) => (true, typ == Some(OWN_TYPE), has_time),
            (Some(OWN_ISSUER), SignedWith::IssuerKey) => (false, true, true),
            (iss, _) => (
                required.issuer.is_none() || iss == required.issuer.as_deref(),
                required.types.contains(typ),
                required.accepts_missing_iat || has_time,
            ),
        };
        let is_own = self.iss.as_deref() == Some(OWN_ISSUER);
        let session = self.sid.as_ref().filter(|_| is_own).and_then(Value::as_str);
        let session = session.and_then(|session| Uuid::try_parse(session).ok());
        let audience_matches = match &required.audience {
            Some(required) => self.aud.is_some_and(|audience| audience.contains(required)),
            None => true,
        };
        let checks = [
            (is_expired, Refusal::Expired),
            (expires > latest_expiry, Refusal::Lifetime),
            (!has_started, Refusal::NotYetValid),
            (!issuer_matches, Refusal::Issuer),
            (!type_matches, Refusal::Type),
            (!time_suffices, Refusal::IssueTime),
            (!audience_matches, Refusal::Audience),
        ];
        match checks.into_iter().find(|(is_broken, _)| *is_broken) {
            Some((_, reason)) => Err(refused(reason)),
            None => Ok(Identity {
                user,
                issued,
                session,
                expires: Some(expires),
                personal_token: None,
            }),
        }
    }
}

const MICROS: f64 = 1e6;

/// Converts seconds since 1970, up to the year 9999.
fn to_timestamp(seconds: f64) -> Result<Timestamp, Refusal> {
    let micros = (seconds * MICROS).round();
    #[expect(
        clippy::cast_precision_loss,
        reason = "a second more or less does not matter in the year 9999"
    )]
    let last = Timestamp::LAST.as_micros() as f64;
    if !(0.0..last).contains(&micros) {
        return Err(Refusal::Malformed);
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is in range")]
    Timestamp::from_micros(micros as i64).map_err(|_| Refusal::Malformed)
}

/// Converts to seconds since 1970, exact to the microsecond until the year 2255.
pub(crate) fn to_seconds(timestamp: Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "below 2^53 until the year 2255")]
    let micros = timestamp.as_micros() as f64;
    micros / MICROS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_survive_json_to_the_microsecond() {
        let start = 1_767_323_045_678_901_i64;
        for micros in (start..start + 5_000).chain((0..5_000).map(|step| start + step * 999_983)) {
            let sent = Timestamp::from_micros(micros).unwrap();
            let json = serde_json::to_string(&to_seconds(sent)).unwrap();
            let received: f64 = serde_json::from_str(&json).unwrap();
            assert_eq!(to_timestamp(received), Ok(sent), "{json}");
        }
    }
}
