//! The way to the collector: the same HTTP client as for an issuer's keys, and a word in the log when
//! the collector goes away or comes back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How long the collector may take for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const MAX_BYTES: usize = 64 * 1024;

type Connections = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

#[derive(Debug)]
pub struct Collector {
    connections: Connections,
    runtime: Handle,
    is_away: AtomicBool,
}

impl Collector {
    /// Talks to it on the runtime that this is called on.
    pub fn new() -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .build();
        Self {
            connections: Client::builder(TokioExecutor::new()).build(connector),
            runtime: Handle::current(),
            is_away: AtomicBool::new(false),
        }
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
        let connections = self.connections.clone();
        // The exporter has a thread of its own, on which no runtime is.
        let exchange = self.runtime.spawn(async move {
            timeout(TIMEOUT, exchanged(&connections, request))
                .await
                .unwrap_or_else(|late| Err(late.into()))
        });
        let answer = exchange.await.unwrap_or_else(|ended| Err(ended.into()));
        self.note(&answer);
        answer
    }
}

async fn exchanged(
    connections: &Connections,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    let answer = connections.request(request.map(Full::new)).await?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, MAX_BYTES).collect().await?;
    Ok(Response::from_parts(head, body.to_bytes()))
}
