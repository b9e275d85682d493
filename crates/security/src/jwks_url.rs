//! Fetching an issuer's keys from where it publishes them.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::header::ACCEPT;
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;
use url::{Host, Url};

use crate::issuer::MAX_BYTES;

/// How long an answer may take, from the connection to its last byte.
const TIMEOUT: Duration = Duration::from_secs(5);

/// An `https` URL, or an `http` one of this machine: who can change the keys on their way can sign
/// tokens for everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksUrl(Uri);

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
            let uri = url.as_str().parse();
            uri.map(Self).map_err(|_| JwksUrlError::Malformed)
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

/// Asks issuers. It trusts Mozilla's certificate authorities, goes through no proxy, follows no
/// redirection, and sends nothing but the request.
pub(crate) struct JwksClient(Client<HttpsConnector<HttpConnector>, Empty<Bytes>>);

impl JwksClient {
    pub(crate) fn new() -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .build();
        // Whoever is asked once in ten minutes has hung up by then.
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        Self(client)
    }

    pub(crate) async fn fetch(&self, url: &JwksUrl) -> Result<Bytes, FetchError> {
        timeout(TIMEOUT, self.answer(url))
            .await
            .map_err(|_| FetchError::TimeOut)?
    }

    async fn answer(&self, url: &JwksUrl) -> Result<Bytes, FetchError> {
        let request = Request::get(&url.0)
            .header(ACCEPT, "application/jwk-set+json, application/json")
            .body(Empty::new())
            .map_err(|error| FetchError::NoAnswer(error.into()))?;
        let response = self.0.request(request).await;
        let response = response.map_err(|error| FetchError::NoAnswer(error.into()))?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        match Limited::new(response.into_body(), MAX_BYTES)
            .collect()
            .await
        {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => Err(FetchError::TooLarge),
            Err(error) => Err(FetchError::NoAnswer(error)),
        }
    }
}
