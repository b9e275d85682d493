//! Requests: sending, repetition and answers.

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Body, Method, Response, StatusCode};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::call::Call;
use crate::change_seq::{CHANGE_SEQ, change_seq};
use crate::client::Client;
use crate::credentials::Tokens;
use crate::error::{Error, Problem};

/// The pause before the first repetition; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// An attempt may take this much longer than the client's patience, and at most [`LONGEST_TIMEOUT`]: the service answers
/// every request within less.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(3);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(40);

/// The fate of a token that the service does not accept.
enum Refresh {
    /// There is no other token.
    Impossible,
    /// Another task or process had exchanged it already.
    Adopted,
    /// It was exchanged.
    Exchanged,
}

/// An answer that was read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Vec<u8>,
}

impl Client {
    /// Sends a request, and returns the beginning of its answer if it succeeded. The rest takes as long as it takes.
    pub(crate) async fn open(&self, call: Call) -> Result<Response, Error> {
        let call = call.timeout(LONGEST_TIMEOUT);
        self.repeat(call, async |response| Ok(response)).await
    }

    /// Sends a request, and reads its answer to the end if it succeeded.
    pub(crate) async fn send(&self, call: Call) -> Result<Answer, Error> {
        self.repeat(call, async |response| self.receive(response).await)
            .await
    }

    async fn receive(&self, response: Response) -> Result<Answer, Error> {
        Ok(Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body: match tokio::time::timeout(LONGEST_TIMEOUT, response.bytes()).await {
                Ok(Ok(body)) => body.to_vec(),
                Ok(Err(error)) => return Err(self.unreachable(error)),
                Err(_elapsed) => return Err(self.silent()),
            },
        })
    }

    /// Sends a request, and reads the JSON of its answer.
    pub(crate) async fn read<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        let answer = self.send(call).await?;
        self.json(&answer)
    }

    /// Sends a request whose answer is that it was done.
    pub(crate) async fn done(&self, call: Call) -> Result<Answer, Error> {
        let answer = self.send(call).await?;
        if answer.status == StatusCode::NO_CONTENT {
            return Ok(answer);
        }
        Err(self.not_taskhold(answer.status, "204 was expected".to_owned()))
    }

    /// Reads the JSON of an answer.
    pub(crate) fn json<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Error> {
        serde_json::from_slice(&answer.body)
            .map_err(|error| self.not_taskhold(answer.status, error.to_string()))
    }

    /// Sends a request and reads its answer, and repeats that while it may help.
    async fn repeat<T>(
        &self,
        call: Call,
        read: impl AsyncFn(Response) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let began = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut refreshed = false;
        loop {
            let token = if call.is_anonymous {
                None
            } else {
                self.inner.credentials.current()?
            };
            let error = match self.send_once(&call, token.as_deref()).await {
                Ok(response) => match read(response).await {
                    Ok(read) => return Ok(read),
                    Err(error) => error,
                },
                Err(Error::Unauthorized(problem)) => {
                    let (Some(token), false) = (token, refreshed) else {
                        return Err(Error::Unauthorized(problem));
                    };
                    match self.refresh(token).await? {
                        Refresh::Impossible => return Err(Error::Unauthorized(problem)),
                        // Those of another process may have expired, too.
                        Refresh::Adopted => {}
                        Refresh::Exchanged => refreshed = true,
                    }
                    continue;
                }
                Err(error) => error,
            };
            let Some(wait) = wait_before_repeating(&error, call.is_repeatable, pause) else {
                return Err(error);
            };
            if wait > self.patience.saturating_sub(began.elapsed()) {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn send_once(&self, call: &Call, token: Option<&str>) -> Result<Response, Error> {
        let mut request = self
            .inner
            .http
            .request(call.method.clone(), call.url.clone());
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        if let Some(token) = token {
            let value = HeaderValue::from_str(&format!("Bearer {token}"));
            let mut value = value.map_err(|source| Error::Session(Box::new(source)))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let known = self.inner.change_seq.load(Ordering::Relaxed);
        if call.method == Method::GET && known > 0 {
            // Another instance may read from a replica that lags behind.
            request = request.header(CHANGE_SEQ, known);
        }
        if !call.body.is_empty() {
            request = request.body(Body::from(call.body.clone()));
        }
        let usual = self.patience.saturating_add(SHORTEST_TIMEOUT);
        let timeout = call.timeout.unwrap_or(usual.min(LONGEST_TIMEOUT));
        let response = match tokio::time::timeout(timeout, request.send()).await {
            Ok(response) => response.map_err(|error| self.unreachable(error))?,
            Err(_elapsed) => return Err(self.silent()),
        };
        self.compare_clocks(&response);
        if response.status().is_success() {
            self.learn(change_seq(response.headers()));
            return Ok(response);
        }
        if response.status() == StatusCode::GONE {
            // If the database was restored, the numbers have begun again.
            self.inner.change_seq.store(0, Ordering::Relaxed);
        }
        Err(self.refused(response).await)
    }

    /// Takes note of the number of a change that the service has told.
    pub(crate) fn learn(&self, seq: Option<i64>) {
        if let Some(seq) = seq {
            self.inner.change_seq.fetch_max(seq, Ordering::Relaxed);
        }
    }

    fn compare_clocks(&self, response: &Response) {
        let date = response
            .headers()
            .get(DATE)
            .and_then(|date| date.to_str().ok());
        let Some(date) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else {
            return;
        };
        let lead = match now().duration_since(date) {
            Ok(ahead) => i64::try_from(ahead.as_secs()),
            Err(behind) => i64::try_from(behind.duration().as_secs()).map(|seconds| -seconds),
        };
        if let Ok(lead) = lead {
            self.inner.clock_lead.store(lead, Ordering::Relaxed);
        }
    }

    /// Returns the error of an answer that is none of success.
    async fn refused(&self, response: Response) -> Error {
        let status = response.status();
        if status.is_redirection() {
            let target = response
                .headers()
                .get(LOCATION)
                .and_then(|target| target.to_str().ok());
            // The service is at what comes before the path of this request.
            let path = response.url().path();
            let own = path.strip_prefix(self.inner.base.path()).unwrap_or(path);
            let target = target.unwrap_or("another address").trim_end_matches(own);
            return self.not_taskhold(
                status,
                format!("it redirects to {target}; use that address"),
            );
        }
        let retry_after = response.headers().get(RETRY_AFTER).and_then(wait_of);
        let answer = match self.receive(response).await {
            Ok(answer) => answer,
            Err(error) => return error,
        };
        let mut problem: Box<Problem> = match serde_json::from_slice(&answer.body) {
            Ok(problem) => problem,
            // A proxy in front of the service answers for it while it is away.
            Err(_) if matches!(status.as_u16(), 502..=504 | 429) => {
                Box::new(Problem::of_proxy(status))
            }
            Err(error) => return self.not_taskhold(status, error.to_string()),
        };
        match status {
            StatusCode::UNAUTHORIZED => Error::Unauthorized(problem),
            StatusCode::FORBIDDEN => Error::Forbidden(problem),
            StatusCode::NOT_FOUND => Error::NotFound(problem),
            StatusCode::GONE => Error::CursorExpired(problem),
            StatusCode::CONFLICT if retry_after.is_none() => Error::Conflict(problem),
            StatusCode::PRECONDITION_FAILED => match problem.task.take() {
                Some(task) => Error::Changed(problem, task),
                None => Error::Conflict(problem),
            },
            // A conflict that passes: the same key is in use.
            StatusCode::CONFLICT
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Error::Busy {
                problem,
                retry_after,
            },
            status if status.is_server_error() => Error::Failed(problem),
            _ => Error::Invalid(problem),
        }
    }

    /// Exchanges the tokens of the login, unless that was done since `used` was read. Runs to its end even if the caller
    /// is dropped, since the login ends if the new tokens of an exchange are lost.
    async fn refresh(&self, used: String) -> Result<Refresh, Error> {
        let Some(store) = self.inner.credentials.store() else {
            return Ok(Refresh::Impossible);
        };
        let client = self.clone();
        let exchange = async move {
            let mut locked = store.lock().await.map_err(Error::Session)?;
            let tokens = locked.tokens().map_err(Error::Session)?;
            if tokens.access_token != used {
                return Ok(Refresh::Adopted);
            }
            let exchanged = client.exchange(&tokens.refresh_token).await?;
            locked.replace(&exchanged).map_err(Error::Session)?;
            Ok(Refresh::Exchanged)
        };
        match tokio::spawn(exchange).await {
            Ok(outcome) => outcome,
            Err(panicked) => Err(Error::Session(Box::new(panicked))),
        }
    }

    async fn exchange(&self, refresh_token: &str) -> Result<Tokens, Error> {
        let path = ["api", "auth", "refresh"];
        let body = serde_json::json!({ "refresh_token": refresh_token });
        let call = self.call(Method::POST, &path).json(&body).anonymous();
        // Sent once: the service takes a second use for that of a thief.
        let response = self.send_once(&call.timeout(LONGEST_TIMEOUT), None).await?;
        let answer = self.receive(response).await?;
        self.json(&answer)
    }

    pub(crate) fn unreachable(&self, error: reqwest::Error) -> Error {
        let error = error.without_url();
        Error::Unreachable {
            url: self.inner.base.to_string(),
            reason: reason(&error),
            source: Some(error),
        }
    }

    /// Returns the error of a connection on which nothing came.
    pub(crate) fn silent(&self) -> Error {
        Error::Unreachable {
            url: self.inner.base.to_string(),
            reason: "no answer in time".to_owned(),
            source: None,
        }
    }

    pub(crate) fn not_taskhold(&self, status: StatusCode, reason: String) -> Error {
        Error::NotTaskhold {
            url: self.inner.base.to_string(),
            status: status.as_u16(),
            reason,
        }
    }
}

impl Problem {
    fn of_proxy(status: StatusCode) -> Self {
        Self {
            status: status.as_u16(),
            error_code: "PROXY".to_owned(),
            detail: format!("A proxy in front of the service answers {status}."),
            errors: Vec::new(),
            task: None,
            request_id: String::new(),
        }
    }
}

/// Returns how long to wait before a request is sent again, or `None` if it must not be.
fn wait_before_repeating(error: &Error, is_repeatable: bool, pause: Duration) -> Option<Duration> {
    let jittered = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
    match error {
        Error::Unreachable { source, .. } => {
            let was_sent = !source.as_ref().is_some_and(reqwest::Error::is_connect);
            let may_pass = !source.as_ref().is_some_and(is_refused_certificate);
            (may_pass && (is_repeatable || !was_sent)).then_some(jittered)
        }
        Error::Busy { retry_after, .. } if is_repeatable => {
            Some(retry_after.unwrap_or_default().max(jittered))
        }
        _ => None,
    }
}

/// Returns how long `Retry-After` asks to wait, in seconds or until a date.
fn wait_of(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?;
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now()).unwrap_or_default())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the dates of HTTP are compared with the clock of this computer"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Returns whether a connection failed because of the certificate of the service, which no waiting changes.
fn is_refused_certificate(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        // An I/O error has the error of TLS in it, and not as its source.
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        let of_tls = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if matches!(of_tls, Some(rustls::Error::InvalidCertificate(_))) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Returns the innermost cause of a failure, which says what happened.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let wait = |text: &str| wait_of(&HeaderValue::from_str(text).unwrap());
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let later = httpdate::fmt_http_date(now() + Duration::from_mins(1));
        assert!((58..=60).contains(&wait(&later).unwrap().as_secs()));
    }
}
