//! The HTTP client of the program: what it trusts, and how much of a response it reads.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response};
use rustls::{ClientConfig, RootCertStore};

/// The time that a request may take, from the connection to the last byte of the response.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// The body of a response could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The body is larger than the limit.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The connection failed or timed out.
    #[error(transparent)]
    Broken(#[from] reqwest::Error),
}

/// Returns a client that trusts Mozilla's certificate authorities, gives up after [`TIMEOUT`], uses no
/// proxy and follows no redirect, since a redirect could lead anywhere.
pub fn builder() -> ClientBuilder {
    let authorities: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let tls = ClientConfig::builder()
        .with_root_certificates(authorities)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .timeout(TIMEOUT)
        .no_proxy()
        .redirect(Policy::none())
}

/// Reads the body of a response, and stops as soon as it is larger than `limit` bytes.
///
/// # Errors
/// [`BodyError`].
pub async fn read_body(mut response: Response, limit: usize) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limit {
            return Err(BodyError::TooLarge(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
