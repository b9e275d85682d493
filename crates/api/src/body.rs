//! Reading a request body, with limits on its size, its duration and its media type.

use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use actix_web::web::{self, Bytes};
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Deserializer};
use serde_json::Value;
use taskhold_domain::input::Member;

use crate::problem::{Kind, Problem};

/// The size of the largest body that is read, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;

/// How long a body may take to arrive.
pub const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(10);

/// The media type of JSON.
pub const JSON: &str = "application/json";

/// A request body that has not been read yet, so that a handler can reject the request before.
pub struct Body {
    announced_bytes: Option<u64>,
    content_type: ContentType,
    payload: web::Payload,
}

/// What the header `Content-Type` says.
enum ContentType {
    Missing,
    /// The media type in lower case and without parameters.
    MediaType(String),
    /// The header names a charset other than UTF-8.
    Unsupported,
}

impl FromRequest for Body {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let announced_bytes = request.headers().get(CONTENT_LENGTH);
        let announced_bytes = announced_bytes.and_then(|bytes| bytes.to_str().ok()?.parse().ok());
        let content_type = content_type(request.headers());
        let payload = web::Payload::from_request(request, payload).into_inner();
        ready(payload.map(|payload| Self {
            announced_bytes,
            content_type,
            payload,
        }))
    }
}

impl Body {
    /// Reads the whole body.
    ///
    /// # Errors
    /// A problem if the body is too large, takes too long, breaks off, or is not empty and of
    /// another media type than these.
    pub async fn read(self, media_types: &[&str]) -> Result<ReadBody, Problem> {
        if self
            .announced_bytes
            .is_some_and(|bytes| bytes > MAX_BYTES as u64)
        {
            return Err(payload_too_large());
        }
        let arrival =
            tokio::time::timeout(ARRIVAL_TIMEOUT, self.payload.to_bytes_limited(MAX_BYTES));
        let bytes = match arrival.await {
            Err(_elapsed) => return Err(request_timeout()),
            Ok(Err(_limit)) => return Err(payload_too_large()),
            Ok(Ok(Err(_broken_off))) => {
                let problem = Problem::malformed("The request body broke off.");
                return Err(problem.with_header(CONNECTION, "close"));
            }
            Ok(Ok(Ok(bytes))) => bytes,
        };
        let is_supported = match &self.content_type {
            ContentType::Missing => bytes.is_empty(),
            ContentType::MediaType(given) => media_types.contains(&given.as_str()),
            ContentType::Unsupported => false,
        };
        if is_supported {
            Ok(ReadBody(bytes))
        } else {
            Err(unsupported_media_type(media_types))
        }
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

pub(crate) fn payload_too_large() -> Problem {
    Problem::new(
        Kind::PayloadTooLarge,
        format!("A request body has at most {MAX_BYTES} bytes."),
    )
}

pub(crate) fn unsupported_media_type(supported: &[&str]) -> Problem {
    let supported = supported.join(" or ");
    Problem::new(
        Kind::UnsupportedMediaType,
        format!("The content type must be {supported}."),
    )
}

fn content_type(headers: &HeaderMap) -> ContentType {
    let Some(header) = headers.get(CONTENT_TYPE) else {
        return ContentType::Missing;
    };
    let mut parts = header.to_str().unwrap_or_default().split(';');
    let media_type = parts.next().unwrap_or_default().trim();
    let is_utf_8 = parts
        .filter_map(|parameter| parameter.split_once('='))
        .all(|(name, value)| {
            !name.trim().eq_ignore_ascii_case("charset")
                || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        });
    if is_utf_8 {
        ContentType::MediaType(media_type.to_ascii_lowercase())
    } else {
        ContentType::Unsupported
    }
}
