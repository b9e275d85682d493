//! Reading a request body, with limits on its size, its duration and its media type.

use std::borrow::Cow;
use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap,
    HeaderName,
};
use actix_web::web::{self, Bytes};
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Deserializer};
use serde_json::{Number, Value};
use taskhold_domain::input::Member;

use crate::header_values::{parameter, split};
use crate::problem::{Kind, Problem};

/// The size of the largest body that is read, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;

/// The longest time in which a body must arrive.
pub const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(10);

/// The media type of JSON.
pub const JSON: &str = "application/json";

/// The media type of JSON documents on a line each.
pub(crate) const NDJSON: &str = "application/x-ndjson";

/// A request body that has not been read yet, so that a handler can reject the request before.
pub struct Body {
    announced_bytes: Option<u64>,
    content_type: Option<String>,
    content_encoding: Option<String>,
    payload: web::Payload,
}

/// The names of UTF-8, and of ASCII, which is a part of it. For JSON the parameter `charset` has no meaning
/// (RFC 8259, section 11), but a client that names another charset may have written the body in it.
const CHARSETS: [&str; 4] = ["utf-8", "utf8", "us-ascii", "ascii"];

/// The longest part of a header that a problem repeats.
const MAX_REPEATED_CHARS: usize = 100;

impl FromRequest for Body {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let announced_bytes = request.headers().get(CONTENT_LENGTH);
        let announced_bytes = announced_bytes.and_then(|bytes| bytes.to_str().ok()?.parse().ok());
        let content_type = header(request.headers(), &CONTENT_TYPE);
        let content_encoding = header(request.headers(), &CONTENT_ENCODING);
        let payload = web::Payload::from_request(request, payload).into_inner();
        ready(payload.map(|payload| Self {
            announced_bytes,
            content_type,
            content_encoding,
            payload,
        }))
    }
}

impl Body {
    /// Reads the whole body.
    ///
    /// # Errors
    /// A problem if the body is too large, takes too long, breaks off, or is not empty and of
    /// another media type than these, or encoded.
    pub async fn read(self, media_types: &[&str]) -> Result<ReadBody, Problem> {
        if self
            .announced_bytes
            .is_some_and(|bytes| bytes > MAX_BYTES as u64)
        {
            return Err(payload_too_large(MAX_BYTES));
        }
        let arrival =
            tokio::time::timeout(ARRIVAL_TIMEOUT, self.payload.to_bytes_limited(MAX_BYTES));
        let bytes = match arrival.await {
            Err(_elapsed) => return Err(request_timeout()),
            Ok(Err(_limit)) => return Err(payload_too_large(MAX_BYTES)),
            Ok(Ok(Err(_broken_off))) => return Err(broken_off()),
            Ok(Ok(Ok(bytes))) => bytes,
        };
        if let Some(encoding) = self.content_encoding {
            check_encoding(&encoding)?;
        }
        match self.content_type {
            Some(content_type) => check_type(&content_type, media_types)?,
            None if bytes.is_empty() => {}
            None => return Err(unsupported_media_type(media_types, "is missing")),
        }
        Ok(ReadBody(bytes))
    }

    /// Returns a body of at most `max_bytes` that has not been read yet.
    ///
    /// # Errors
    /// A problem if the request says that the body is larger, of another media type than these, or encoded.
    pub(crate) fn unread(
        self,
        media_types: &[&str],
        max_bytes: usize,
    ) -> Result<web::Payload, Problem> {
        if self
            .announced_bytes
            .is_some_and(|bytes| bytes > max_bytes as u64)
        {
            return Err(payload_too_large(max_bytes));
        }
        if let Some(encoding) = self.content_encoding {
            check_encoding(&encoding)?;
        }
        match self.content_type {
            Some(content_type) => check_type(&content_type, media_types)?,
            None => return Err(unsupported_media_type(media_types, "is missing")),
        }
        Ok(self.payload)
    }
}

/// A request body that has been read.
pub struct ReadBody(Bytes);

impl ReadBody {
    /// Returns `true` if the body has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the bytes as they arrived.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads a JSON object. Of a member that is given twice, the last one counts.
    ///
    /// # Errors
    /// A problem if the body is not JSON in UTF-8, or not an object.
    pub fn object<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        object(self.json()?)
    }

    /// Reads a JSON value.
    ///
    /// # Errors
    /// A problem if the body is not JSON in UTF-8.
    pub fn json(&self) -> Result<Value, Problem> {
        if self.is_empty() {
            return Err(Problem::malformed(
                "The request body is empty; a JSON object is expected.",
            ));
        }
        serde_json::from_slice(&self.0)
            .map_err(|error| Problem::malformed(format!("The request body is not JSON: {error}.")))
    }
}

/// Reads the members of an object, each as a [`member`].
///
/// # Errors
/// A problem if the value is not an object.
pub(crate) fn object<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    if value.is_object() {
        serde_json::from_value(value).map_err(Problem::internal)
    } else {
        Err(not_an_object())
    }
}

/// Reads a member of an object of any type, for the domain to check.
pub(crate) fn member<'de, T, D>(deserializer: D) -> Result<Member<T>, D::Error>
where
    T: DeserializeOwned,
    D: Deserializer<'de>,
{
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => Member::Null,
        value => serde_json::from_value(value).map_or(Member::WrongType, Member::Given),
    })
}

/// Returns a whole number, which may be written with a fraction of zero, such as `30.0`: JSON has no integers of its own.
#[must_use]
pub fn whole_number(number: &Number) -> Option<i64> {
    let real = number.as_f64().filter(|real| real.fract() == 0.0);
    let as_text = || real.and_then(|real| format!("{real:.0}").parse().ok());
    number.as_i64().or_else(as_text)
}

pub(crate) fn not_an_object() -> Problem {
    Problem::malformed("The request body is JSON, but no object.")
}

pub(crate) fn request_timeout() -> Problem {
    let seconds = ARRIVAL_TIMEOUT.as_secs();
    Problem::new(
        Kind::RequestTimeout,
        format!("The request body did not arrive within {seconds} s."),
    )
}

pub(crate) fn payload_too_large(max_bytes: usize) -> Problem {
    Problem::new(
        Kind::PayloadTooLarge,
        format!("A request body has at most {max_bytes} bytes."),
    )
}

pub(crate) fn broken_off() -> Problem {
    Problem::malformed("The request body broke off.").with_header(CONNECTION, "close")
}

/// Returns the problem of a body with another media type than these. `given` completes a sentence that begins
/// with the name of the header.
pub(crate) fn unsupported_media_type(supported: &[&str], given: &str) -> Problem {
    let expected = supported.join(" or ");
    unsupported(format!(
        "The header Content-Type {given}; it must be {expected}."
    ))
    .with_header(ACCEPT, supported.join(", "))
}

fn unsupported(detail: String) -> Problem {
    Problem::new(Kind::UnsupportedMediaType, detail)
}

/// Refuses any content coding but `identity`.
fn check_encoding(given: &str) -> Result<(), Problem> {
    let mut codings = split(given, ',');
    if codings.all(|coding| coding.is_empty() || coding.eq_ignore_ascii_case("identity")) {
        return Ok(());
    }
    let given = shortened(given);
    let detail =
        format!("The header Content-Encoding is `{given}`; send the body without any encoding.");
    Err(unsupported(detail).with_header(ACCEPT_ENCODING, "identity"))
}

/// Refuses any media type but these, and any charset but UTF-8 and its subset ASCII.
fn check_type(given: &str, media_types: &[&str]) -> Result<(), Problem> {
    let mut parts = split(given, ';');
    let media_type = parts.next().unwrap_or_default();
    if !media_types
        .iter()
        .any(|known| known.eq_ignore_ascii_case(media_type))
    {
        let given = format!("has the media type `{}`", shortened(media_type));
        return Err(unsupported_media_type(media_types, &given));
    }
    let unknown = parts.filter_map(parameter).find(|(name, value)| {
        // Some clients take single quotes for quotes.
        let charset = value.trim_matches('\'').trim();
        let is_known = CHARSETS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(charset));
        name.eq_ignore_ascii_case("charset") && !charset.is_empty() && !is_known
    });
    match unknown {
        None => Ok(()),
        Some((_, charset)) => {
            let charset = shortened(&charset);
            Err(unsupported(format!(
                "The header Content-Type has the charset `{charset}`; JSON is in UTF-8."
            )))
        }
    }
}

/// Returns the values of a header, or `None` without the header.
fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines = headers.get_all(name);
    let lines = lines.map(|line| String::from_utf8_lossy(line.as_bytes()));
    let values = lines.reduce(|values, line| format!("{values}, {line}").into());
    values.map(Cow::into_owned)
}

/// Cuts a long part of a header.
fn shortened(part: &str) -> String {
    part.chars().take(MAX_REPEATED_CHARS).collect()
}
