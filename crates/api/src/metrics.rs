//! The metrics of requests, and the endpoint that serves all metrics.

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::http::{Method, StatusCode};
use actix_web::{App, Error, HttpResponse, web};

use crate::problem::Problem;
use crate::route::{Access, Endpoint};

const PATH: &str = "/metrics";

/// The media type of Prometheus' text format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A function that renders all metrics.
#[derive(Clone)]
pub struct Metrics(Arc<dyn Fn() -> String + Send + Sync>);

impl Metrics {
    /// Returns metrics that are rendered by this function.
    #[must_use]
    pub fn new(render: Arc<dyn Fn() -> String + Send + Sync>) -> Self {
        Self(render)
    }
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::new::<__path_read>(Access::Public, || {
        web::to(read)
    })]
}

/// Returns an application that serves `/metrics` alone.
pub fn app(
    metrics: Metrics,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse,
        Error = Error,
        InitError = (),
    >,
> {
    App::new()
        .app_data(web::Data::new(Some(metrics)))
        .route(PATH, web::get().to(read))
}

/// Read the metrics, for Prometheus
///
/// Not found where metrics have a listener of their own, as in production.
#[utoipa::path(
    get,
    path = PATH,
    operation_id = "metrics",
    responses(
        (status = 200, description = "The metrics.", body = String, content_type = "text/plain", example = ""),
        (status = 404, description = "NothingHere"),
    ),
)]
async fn read(metrics: web::Data<Option<Metrics>>) -> Result<HttpResponse, Problem> {
    match metrics.as_ref() {
        Some(Metrics(render)) => Ok(HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, TEXT))
            .body(render())),
        // Another listener serves them.
        None => Err(Problem::no_such_route()),
    }
}

/// Records the duration of a request. Labels have few values: the pattern of the route instead of
/// the path, and a known method or `other`.
pub(crate) fn record(
    method: &Method,
    route: Option<String>,
    status: StatusCode,
    duration: Duration,
) {
    let method = match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    };
    metrics::histogram!(
        "taskhold_http_request_duration_seconds",
        "method" => method,
        "route" => route.unwrap_or_else(|| "none".to_owned()),
        "status" => status.as_u16().to_string(),
    )
    .record(duration);
}
