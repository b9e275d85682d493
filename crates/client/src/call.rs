//! A request, before it is sent.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Serialize;
use url::Url;

use crate::client::Client;
use crate::idempotency::IdempotencyKey;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A request, before it has the token. It may hold a password, so it has no `Debug`.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Vec<u8>,
    /// `true` if sending the request twice has the effect of sending it once.
    pub(crate) is_repeatable: bool,
    /// `true` if the request is sent without a token.
    pub(crate) is_anonymous: bool,
    /// The longest time until the answer begins; `None` for that of the client's patience.
    pub(crate) timeout: Option<Duration>,
}

impl Call {
    pub(crate) fn anonymous(self) -> Self {
        Self {
            is_anonymous: true,
            ..self
        }
    }

    /// Marks the request as having the same effect when it is sent twice.
    pub(crate) fn repeatable(self) -> Self {
        Self {
            is_repeatable: true,
            ..self
        }
    }

    /// Sets the longest time until the answer begins.
    pub(crate) fn timeout(self, timeout: Duration) -> Self {
        Self {
            timeout: Some(timeout),
            ..self
        }
    }

    pub(crate) fn key(self, key: &IdempotencyKey) -> Self {
        self.header(IDEMPOTENCY_KEY, key.as_str()).repeatable()
    }

    /// Adds a header. A value that HTTP does not allow is left out: all values are tags and keys of visible ASCII.
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    pub(crate) fn query<'a>(mut self, pairs: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let mut pairs = pairs.into_iter().peekable();
        if pairs.peek().is_some() {
            self.url.query_pairs_mut().extend_pairs(pairs);
        }
        self
    }

    pub(crate) fn json(self, body: &impl Serialize) -> Self {
        // The bodies are maps with texts as keys, which serde_json always writes.
        let text = serde_json::to_vec(body).unwrap_or_default();
        self.body("application/json", text)
    }

    pub(crate) fn body(self, media_type: &'static str, body: Vec<u8>) -> Self {
        Self { body, ..self }.header(CONTENT_TYPE, media_type)
    }
}

impl Client {
    /// Starts a request. The segments of the path are escaped.
    pub(crate) fn call(&self, method: Method, path: &[&str]) -> Call {
        let mut url = self.inner.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let is_repeatable = method == Method::GET;
        Call {
            method,
            url,
            headers: Vec::new(),
            body: Vec::new(),
            is_repeatable,
            is_anonymous: false,
            timeout: None,
        }
    }
}
