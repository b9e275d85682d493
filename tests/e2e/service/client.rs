//! An HTTP client of the service, and its answers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use taskhold_security::http_client;

use super::SECRET;

/// The path of the list of tasks.
pub const TASKS: &str = "/api/v1/tasks";

/// Returns the path of a task.
pub fn path(task: &Value) -> String {
    format!("{TASKS}/{}", task["id"].as_str().expect("an id"))
}

/// Returns a valid token for `user`.
pub fn token(user: &str) -> String {
    signed(&json!({"sub": user, "exp": tomorrow()}), SECRET)
}

/// Returns the expiry time of a token that outlives every test, in seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the service under test reads the same clock"
)]
pub fn tomorrow() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("a time after 1970").as_secs() + 86_400
}

/// Returns a token with these claims, signed with HS256. It was issued now, unless the claims say otherwise.
pub fn signed(claims: &Value, secret: &str) -> String {
    let mut claims = claims.clone();
    let members = claims.as_object_mut().expect("an object");
    members.entry("iat").or_insert(json!(tomorrow() - 86_400));
    signed_as_given(&claims, secret)
}

/// Returns a token with exactly these claims, signed with HS256.
pub fn signed_as_given(claims: &Value, secret: &str) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).expect("signed")
}

/// Returns the program's own HTTP client, but one that waits for as long as the slowest test needs.
pub fn http() -> reqwest::Client {
    let client = http_client::builder().timeout(Duration::from_mins(5));
    client.build().expect("a client")
}

/// An HTTP client with a token.
#[derive(Clone)]
pub struct Client {
    pub(super) http: reqwest::Client,
    pub(super) url: String,
    pub(super) token: Option<String>,
}

impl Client {
    /// Returns the same client for another address, such as a proxy's.
    pub fn at(mut self, url: &str) -> Self {
        url.clone_into(&mut self.url);
        self
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Creates a task and returns its JSON.
    pub async fn create(&self, body: Value) -> Value {
        let answer = self.post(TASKS, body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["task"].clone()
    }

    /// Returns all tasks, newest first.
    pub async fn tasks(&self) -> Vec<Value> {
        let answer = self.get(TASKS).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["tasks"].as_array().expect("a list").clone()
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::of(request).await
    }

    /// Sends a request with an idempotency key.
    pub async fn send_keyed(
        &self,
        key: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let mut request = self.request(method, path).header("idempotency-key", key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::of(request).await
    }

    /// Sends a request with a body that need not be JSON.
    pub async fn send_raw(
        &self,
        method: Method,
        path: &str,
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        Answer::of(
            self.request(method, path)
                .header("content-type", "application/json")
                .body(body),
        )
        .await
    }

    /// Returns a request that can be changed before it is sent.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

/// An answer of the service.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Null if the body is empty or not JSON.
    pub body: Value,
    pub bytes: usize,
}

impl Answer {
    /// Sends a request and returns its answer.
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        Self::try_of(request).await.expect("an answer")
    }

    /// Returns the version in the entity tag.
    pub fn version(&self) -> u64 {
        let tag = self.header("etag").trim_matches('"');
        let (version, _) = tag.split_once('-').expect("a version and a time");
        version.parse().expect("a version")
    }

    /// Sends a request and returns its answer, or an error if the connection fails.
    pub async fn try_of(request: reqwest::RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await?;
        Ok(Self {
            status,
            headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            bytes: bytes.len(),
        })
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// Asserts that the answer is a problem with this status and code, in the documented format.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, error_code: &str) {
        assert_eq!(
            (self.status, self.body["error_code"].as_str()),
            (status, Some(error_code)),
            "{self:?}"
        );
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["request_id"], self.header("x-request-id"));
        for member in ["type", "title", "detail", "instance", "timestamp"] {
            assert!(self.body[member].is_string(), "{member} of {self:?}");
        }
    }
}
