//! The export of spans to an OpenTelemetry collector.

mod collector;

use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use taskhold_api::trace::{self, TraceParent, Traces};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;
use url::Url;

use self::collector::Collector;

/// The time that sending the last spans may take.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Exports spans in batches. The queue of spans is bounded: while the collector is unreachable, spans are
/// dropped and requests are not delayed.
#[derive(Clone)]
pub struct Export(SdkTracerProvider);

impl Export {
    /// Starts the export to the collector at `endpoint`.
    pub fn to(endpoint: &Url) -> anyhow::Result<Self> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::new()?)
            .with_endpoint(endpoint.as_str())
            .build()
            .context("telemetry.otlp_endpoint")?;
        let resource = Resource::builder()
            .with_attribute(KeyValue::new("service.name", "taskhold"))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        Ok(Self(provider))
    }

    /// Returns a layer that exports the spans of this service and of no library.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("taskhold"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(|metadata| {
                metadata.is_span() && metadata.target().starts_with("taskhold")
            }))
    }

    /// Sends the last spans, and stops the export.
    pub async fn shut_down(self) {
        let stopped =
            tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(SHUTDOWN_TIMEOUT));
        match stopped.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last spans were not sent"),
            Err(error) => tracing::error!(%error, "sending the last spans failed"),
        }
    }
}

impl Traces for Export {
    fn join(&self, request: &Span, parent: Option<TraceParent>) -> trace::TraceId {
        if let Some(parent) = parent {
            let parent = SpanContext::new(
                TraceId::from(parent.trace_id.0),
                SpanId::from(parent.parent_id.0),
                TraceFlags::default().with_sampled(parent.is_sampled),
                true,
                TraceState::default(),
            );
            if let Err(error) = request.set_parent(Context::new().with_remote_span_context(parent))
            {
                tracing::debug!(%error, "a request is not in its caller's trace");
            }
        }
        let context = request.context();
        let trace_id = context.span().span_context().trace_id();
        trace::TraceId(u128::from_be_bytes(trace_id.to_bytes()))
    }

    fn name(&self, request: &Span, name: String) {
        // The field `otel.name` has no effect after the start of the span.
        request.context().span().update_name(name);
    }
}
