//! The HTTP client of the service: what it trusts, and how much of an answer it reads.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Response};
use rustls::{ClientConfig, RootCertStore};

/// How long an answer may take, from the connection to its last byte.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// Why the body of an answer was not read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is longer than the limit.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The connection failed, or the time ran out.
    #[error(transparent)]
    Broken(#[from] reqwest::Error),
}

/// Returns a client that trusts Mozilla's certificate authorities, waits [`TIMEOUT`] for a whole
/// answer, uses no proxy and follows no redirect: a redirect could lead anywhere.
pub fn builder() -> ClientBuilder {
    let authorities = webpki_roots::TLS_SERVER_ROOTS
        .iter()
        .cloned()
        .collect::<RootCertStore>();
    let tls = ClientConfig::builder()
        .with_root_certificates(authorities)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .timeout(TIMEOUT)
        .no_proxy()
        .redirect(Policy::none())
}

/// Reads the body of an answer.
///
/// # Errors
/// [`BodyError`], as soon as more than `limit` bytes have arrived.
pub async fn read_body(mut answer: Response, limit: usize) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > limit {
            return Err(BodyError::TooLarge(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
