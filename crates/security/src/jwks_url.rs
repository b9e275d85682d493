//! The download of an issuer's key set.

use std::error::Error;
use std::fmt;

use reqwest::StatusCode;
use reqwest::header::ACCEPT;
use url::{Host, Url};

use crate::http_client::{self, BodyError, TIMEOUT};
use crate::jwks::MAX_BYTES;

/// The URL of a key set: `https`, or `http` on this machine. Whoever can change the keys on their way
/// can sign tokens for every user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksUrl(Url);

/// The reason why a text is not a [`JwksUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwksUrlError {
    /// It is not a URL with a host.
    #[error("it is no URL")]
    Malformed,
    /// It is neither `https` nor `http` on this machine.
    #[error("it must start with https:// (or, on this machine, http://)")]
    Insecure,
    /// It contains a user or a password.
    #[error("it must not hold a user or a password")]
    Credentials,
}

impl JwksUrl {
    /// Parses a URL.
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
        if url.scheme() != "https" && !(url.scheme() == "http" && is_local) {
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

/// The key set could not be downloaded.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The connection failed before the end of the response.
    #[error("no answer")]
    NoAnswer(#[source] Box<dyn Error + Send + Sync>),
    /// The response did not end within 5 seconds.
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    TimeOut,
    /// The response has another status than 200, such as that of a redirect.
    #[error("the answer has status {0}")]
    Status(StatusCode),
    /// The response is larger than 256 KiB.
    #[error("the answer is larger than {MAX_BYTES} bytes")]
    TooLarge,
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::TimeOut
        } else {
            // Messages name the URL already.
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

/// Downloads a key set. The connection is not kept, since the next download is minutes away.
pub(crate) async fn fetch(url: &JwksUrl) -> Result<Vec<u8>, FetchError> {
    let client = http_client::builder().build()?;
    let request = client
        .get(url.0.clone())
        .header(ACCEPT, "application/jwk-set+json, application/json");
    let response = request.send().await?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    Ok(http_client::read_body(response, MAX_BYTES).await?)
}
