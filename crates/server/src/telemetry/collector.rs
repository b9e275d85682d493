//! The way to the collector: the same HTTP client as for an issuer's keys, and a word in the log when
//! the collector goes away or comes back.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use taskhold_security::http_client;
use tokio::runtime::Handle;

/// The longest answer that is read.
const MAX_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub struct Collector {
    client: reqwest::Client,
    runtime: Handle,
    is_away: AtomicBool,
}

impl Collector {
    /// Talks to it on the runtime that this is called on.
    pub fn new() -> reqwest::Result<Self> {
        Ok(Self {
            client: http_client::builder().build()?,
            runtime: Handle::current(),
            is_away: AtomicBool::new(false),
        })
    }

    fn note(&self, answer: &Result<Response<Bytes>, HttpError>) {
        let failure = match answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answers {}", answer.status())),
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
        // The exporter has a thread of its own, outside any runtime.
        let exchange = self.runtime.spawn(exchange(self.client.clone(), request));
        let answer = exchange.await.unwrap_or_else(|ended| Err(ended.into()));
        self.note(&answer);
        answer
    }
}

async fn exchange(
    client: reqwest::Client,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    let mut answer = client.execute(request.try_into()?).await?;
    let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
    let body = http_client::read_body(answer, MAX_BYTES).await?;
    let mut answer = Response::new(Bytes::from(body));
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}
