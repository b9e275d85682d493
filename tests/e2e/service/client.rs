//! A client of the program, and what it is answered.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use taskhold_security::http_client;

use super::SECRET;

/// Where all tasks are.
pub const TASKS: &str = "/api/v1/tasks";

/// Where a task is.
pub fn path(task: &Value) -> String {
    format!("{TASKS}/{}", task["id"].as_str().expect("an id"))
}

/// A sound token of the secret of the tests.
pub fn token(user: &str) -> String {
    signed(&json!({"sub": user, "exp": tomorrow()}), SECRET)
}

/// For a token that outlives every test.
#[expect(
    clippy::disallowed_methods,
    reason = "the service under test reads the same clock"
)]
pub fn tomorrow() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("a time after 1970").as_secs() + 86_400
}

pub fn signed(claims: &Value, secret: &str) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).expect("signed")
}

/// Returns the program's own HTTP client, but one that waits for as long as the slowest test needs.
pub fn http() -> reqwest::Client {
    let client = http_client::builder().timeout(Duration::from_mins(5));
    client.build().expect("a client")
}

/// Speaks HTTP to a service.
#[derive(Clone)]
pub struct Client {
    pub(super) http: reqwest::Client,
    pub(super) url: String,
    pub(super) token: Option<String>,
}

impl Client {
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Creates a task and gives its JSON.
    pub async fn created(&self, body: Value) -> Value {
        let answer = self.post(TASKS, body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["task"].clone()
    }

    /// All tasks, newest first.
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

    /// Under an idempotency key.
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

    /// A body that need not be JSON.
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

    /// A request that is yet to be sent.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

/// What the service answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Null where it is empty or no JSON.
    pub body: Value,
    pub bytes: usize,
}

impl Answer {
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        Self::whole(request).await.expect("an answer")
    }

    /// Fails where the connection does.
    pub async fn whole(request: reqwest::RequestBuilder) -> reqwest::Result<Self> {
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

    /// It is a problem of this status and code, in the form of the contract.
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
