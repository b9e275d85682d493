//! What is measured of requests, and where it can be read.

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::http::{Method, StatusCode};
use actix_web::{App, Error, HttpResponse, web};

use crate::endpoint::{Access, Endpoint};
use crate::problem::Problem;

pub(crate) const PATH: &str = "/metrics";

/// The text format of Prometheus.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Gives the text of all metrics when it is asked for.
#[derive(Clone)]
pub struct Metrics(Arc<dyn Fn() -> String + Send + Sync>);

impl Metrics {
    /// Metrics whose text this makes.
    #[must_use]
    pub fn new(text: Arc<dyn Fn() -> String + Send + Sync>) -> Self {
        Self(text)
    }
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::new(Method::GET, PATH, Access::Public, || {
        web::to(read)
    })]
}

/// An application that answers `/metrics` alone.
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

async fn read(metrics: web::Data<Option<Metrics>>) -> Result<HttpResponse, Problem> {
    match metrics.as_ref() {
        Some(Metrics(text)) => Ok(HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, TEXT))
            .body(text())),
        // They are to be had elsewhere.
        None => Err(Problem::no_such_route()),
    }
}

/// Notes a request. Labels are bounded: the route's pattern and never a path, a known method or
/// none.
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
