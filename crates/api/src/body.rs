//! Reading a request body within limits.

use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use actix_web::web::{self, Bytes};
use actix_web::{FromRequest, HttpRequest};
use serde_json::{Map, Value};
use taskhold_domain::input::Member;

use crate::problem::Problem;

/// The largest body, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;

/// How long a body may take to arrive.
pub const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(10);

/// The type of JSON.
pub const JSON: &str = "application/json";

/// A request body that was not read yet: a handler reads it once it knows that it wants to.
pub struct Body {
    headers: HeaderMap,
    payload: web::Payload,
}

impl FromRequest for Body {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let payload = web::Payload::from_request(request, payload).into_inner();
        ready(payload.map(|payload| Self {
            headers: request.headers().clone(),
            payload,
        }))
    }
}

impl Body {
    /// The body as it arrived.
    ///
    /// # Errors
    /// A problem for a body that is too large, arrives too slowly, breaks off, or (where it is
    /// not empty) is of none of these media types.
    pub async fn read(self, media_types: &[&str]) -> Result<ReadBody, Problem> {
        let announced = self
            .headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok());
        if announced
            .and_then(|length| length.parse::<u64>().ok())
            .is_some_and(|length| length > MAX_BYTES as u64)
        {
            return Err(Problem::payload_too_large());
        }
        let arrival =
            tokio::time::timeout(ARRIVAL_TIMEOUT, self.payload.to_bytes_limited(MAX_BYTES));
        let bytes = match arrival.await {
            Err(_elapsed) => return Err(Problem::request_timeout()),
            Ok(Err(_limit)) => return Err(Problem::payload_too_large()),
            Ok(Ok(Err(_broken_off))) => {
                return Err(Problem::malformed("The request body broke off."));
            }
            Ok(Ok(Ok(bytes))) => bytes,
        };
        let untyped = bytes.is_empty() && !self.headers.contains_key(CONTENT_TYPE);
        let typed =
            media_type(&self.headers).is_some_and(|given| media_types.contains(&given.as_str()));
        if !untyped && !typed {
            return Err(Problem::unsupported_media_type(media_types));
        }
        Ok(ReadBody(bytes))
    }
}

/// A request body that has arrived as a whole.
pub struct ReadBody(Bytes);

impl ReadBody {
    /// Whether it has no byte at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes as they arrived.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The members of a JSON object. A member given twice counts as its last one.
    ///
    /// # Errors
    /// A problem where it is no JSON in UTF-8, or no object.
    pub fn json_object(&self) -> Result<Map<String, Value>, Problem> {
        object(self.json()?)
    }

    /// Its value.
    ///
    /// # Errors
    /// A problem where it is no JSON in UTF-8.
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

/// The members of a value that is an object.
///
/// # Errors
/// A problem where it is none.
pub fn object(value: Value) -> Result<Map<String, Value>, Problem> {
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(Problem::malformed(
            "The request body is JSON, but no object.",
        )),
    }
}

/// A member that should be a string.
pub(crate) fn text(members: &mut Map<String, Value>, name: &str) -> Member<String> {
    match members.remove(name) {
        None => Member::Absent,
        Some(Value::String(text)) => Member::Given(text),
        Some(Value::Null) => Member::Null,
        Some(_) => Member::WrongType,
    }
}

/// The essence of the content type, in lower case; `None` where there is none, or where it claims
/// another charset than the one of JSON.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let header = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let mut parts = header.split(';');
    let essence = parts.next()?.trim().to_ascii_lowercase();
    let utf_8 = parts
        .filter_map(|parameter| parameter.split_once('='))
        .all(|(name, value)| {
            !name.trim().eq_ignore_ascii_case("charset")
                || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        });
    utf_8.then_some(essence)
}
