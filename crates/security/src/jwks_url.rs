//! Fetching an issuer's keys from where it publishes them.

use std::error::Error;
use std::fmt;

use reqwest::StatusCode;
use reqwest::header::ACCEPT;
use url::{Host, Url};

use crate::http_client::{self, BodyError, TIMEOUT};
use crate::jwks::MAX_BYTES;

/// An `https` URL, or an `http` one of this machine: who can change the keys on their way can sign
/// tokens for everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksUrl(Url);

/// Why a text is no [`JwksUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwksUrlError {
    /// It is no URL.
    #[error("it is no URL")]
    Malformed,
    /// It is not `https`, and not `http` to this machine either.
    #[error("it must start with https:// (or, on this machine, http://)")]
    Insecure,
    /// It has a user or a password in it.
    #[error("it must not hold a user or a password")]
    Credentials,
}

impl JwksUrl {
    /// Takes a URL.
    ///
    /// # Errors
    /// [`JwksUrlError`].
    pub fn parse(raw: &str) -> Result<Self, JwksUrlError> {
        let url = Url::parse(raw).map_err(|_| JwksUrlError::Malformed)?;
        let is_local = match url.host() {
            None => return Err(JwksUrlError::Malformed),
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
        };
        let is_secure = url.scheme() == "https" || (url.scheme() == "http" && is_local);
        if !is_secure {
            Err(JwksUrlError::Insecure)
        } else if !url.username().is_empty() || url.password().is_some() {
            Err(JwksUrlError::Credentials)
        } else {
            Ok(Self(url))
        }
    }
}

impl fmt::Display for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why the keys could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No answer that could be read to its end.
    #[error("no answer")]
    NoAnswer(#[source] Box<dyn Error + Send + Sync>),
    /// No answer within 5 seconds.
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    TimeOut,
    /// An answer of another status than 200. A redirection is one too: it could lead anywhere.
    #[error("the answer has status {0}")]
    Status(StatusCode),
    /// An answer of more than 256 KiB.
    #[error("the answer is larger than {MAX_BYTES} bytes")]
    TooLarge,
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::TimeOut
        } else {
            // Whoever logs it names the URL.
            Self::NoAnswer(error.without_url().into())
        }
    }
}

impl From<BodyError> for FetchError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge(_) => Self::TooLarge,
            BodyError::Broken(error) => error.into(),
        }
    }
}

/// Fetches a key set. An issuer is asked once in ten minutes, so that no connection is kept.
pub(crate) async fn fetch(url: &JwksUrl) -> Result<Vec<u8>, FetchError> {
    let client = http_client::builder().build()?;
    let request = client
        .get(url.0.clone())
        .header(ACCEPT, "application/jwk-set+json, application/json");
    let answer = request.send().await?;
    if answer.status() != StatusCode::OK {
        return Err(FetchError::Status(answer.status()));
    }
    Ok(http_client::read_body(answer, MAX_BYTES).await?)
}
