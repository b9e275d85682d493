//! The HTTP client of the exporter, which logs when the collector goes away and when it comes back.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use taskhold_security::http_client;
use tokio::runtime::Handle;

/// The largest response that is read.
const MAX_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub struct Collector {
    client: reqwest::Client,
    runtime: Handle,
    is_away: AtomicBool,
}

impl Collector {
    /// Returns a client that sends requests on the current runtime.
    pub fn new() -> reqwest::Result<Self> {
        Ok(Self {
            client: http_client::builder().build()?,
            runtime: Handle::current(),
            is_away: AtomicBool::new(false),
        })
    }

    fn log_changes(&self, outcome: &Result<Response<Bytes>, HttpError>) {
        let failure = match outcome {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("it answers {}", response.status())),
            Err(error) => Some(error.to_string()),
        };
        let was_away = self.is_away.swap(failure.is_some(), Ordering::Relaxed);
        match failure {
            Some(reason) if !was_away => {
                tracing::warn!(
                    reason,
                    "spans are lost: the collector of telemetry.otlp_endpoint takes none"
                );
            }
            None if was_away => tracing::info!("the collector takes spans again"),
            Some(_) | None => {}
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // The exporter runs on a thread outside the runtime.
        let exchange = self.runtime.spawn(send(self.client.clone(), request));
        let outcome = exchange.await.unwrap_or_else(|error| Err(error.into()));
        self.log_changes(&outcome);
        outcome
    }
}

async fn send(
    client: reqwest::Client,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    let mut response = client.execute(request.try_into()?).await?;
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let body = http_client::read_body(response, MAX_BYTES).await?;
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}
