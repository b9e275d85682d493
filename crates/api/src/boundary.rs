//! The outermost layer: what happens to every request, whatever becomes of it. It gives it an id,
//! turns every error into a rendered [`Problem`], and logs it once. While the service is on its way out,
//! it asks every client to let go of its connection.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse, ResponseError, web};
use taskhold_application::clock::Clock;
use taskhold_application::ids::Ids;
use taskhold_application::readiness::Readiness;
use tracing::field::{self, Empty};
use tracing::{Instrument as _, Level, Span};

use crate::caller::Pseudonym;
use crate::metrics;
use crate::problem::{Occurrence, Problem};
use crate::trace::{TraceParent, Traces};

/// The name of the header that carries a request's id, both ways.
pub static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Nothing here is to be guessed at, framed, run, leaked by a link or kept by a cache: every answer
/// is somebody's own data, unless its handler says otherwise.
const SECURITY_HEADERS: [(HeaderName, &str); 4] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CACHE_CONTROL, "no-store"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (REFERRER_POLICY, "no-referrer"),
];

/// The longest request id that is taken from a caller.
const MAX_REQUEST_ID_CHARS: usize = 128;

/// The longest path that a problem repeats.
const MAX_INSTANCE_CHARS: usize = 512;

pub(crate) async fn boundary(
    clock: web::Data<dyn Clock>,
    ids: web::Data<dyn Ids>,
    readiness: web::Data<Readiness>,
    traces: web::Data<Option<Arc<dyn Traces>>>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse, Error> {
    let started = Instant::now();
    let method = request.method().clone();
    let occurrence = Occurrence {
        path: instance(request.path()),
        request_id: request_id(request.headers(), ids.as_ref()),
        timestamp: clock.now(),
    };
    let parent = TraceParent::of(request.headers());
    let mut trace_id = parent.map(|parent| parent.trace_id);
    let span = match traces.as_ref() {
        Some(traces) => {
            let span = request_span(&method);
            trace_id = Some(traces.join(&span, parent));
            span
        }
        None => Span::none(),
    };
    let mut outcome = match next.call(request).instrument(span.clone()).await {
        Ok(response) => Ok(answered(response, &occurrence)),
        Err(error) => Err(Unanswered {
            problem: Problem::of_framework(&error),
            occurrence: occurrence.clone(),
            is_last: readiness.is_draining(),
        }),
    };
    if readiness.is_draining()
        && let Ok(response) = &mut outcome
    {
        make_last(response.response_mut());
    }
    let (route, status, user) = match &outcome {
        Ok(response) => {
            let request = response.request();
            let user = request.extensions().get::<Pseudonym>().copied();
            (request.match_pattern(), response.status(), user)
        }
        Err(unanswered) => (None, unanswered.status_code(), None),
    };
    let duration = started.elapsed();
    tracing::info!(
        target: "taskhold::request",
        method = method.as_str(),
        route = route.as_deref().unwrap_or("-"),
        status = status.as_u16(),
        duration_ms = duration.as_secs_f64() * 1e3,
        request_id = occurrence.request_id,
        user = user.map(field::display),
        trace_id = trace_id.map(field::display),
        parent_id = parent.map(|parent| field::display(parent.parent_id)),
        "request"
    );
    if let Some(traces) = traces.as_ref() {
        let name = route
            .as_deref()
            .map_or_else(|| method.to_string(), |route| format!("{method} {route}"));
        traces.name(&span, name);
        conclude(&span, route.as_deref(), status);
    }
    metrics::record(&method, route, status, duration);
    outcome.map_err(Error::from)
}

/// Whether the line of a request is logged at all.
pub(crate) fn logs_requests() -> bool {
    tracing::event_enabled!(target: "taskhold::request", Level::INFO)
}

/// The names are those of OpenTelemetry's conventions for HTTP servers. There is no path: it may hold
/// anything.
fn request_span(method: &Method) -> Span {
    tracing::info_span!(
        "request",
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method.as_str(),
        http.route = Empty,
        http.response.status_code = Empty,
    )
}

/// What is known of a request only when it was answered.
fn conclude(span: &Span, route: Option<&str>, status: StatusCode) {
    if let Some(route) = route {
        span.record("http.route", route);
    }
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}

fn answered(
    response: ServiceResponse<impl MessageBody + 'static>,
    occurrence: &Occurrence,
) -> ServiceResponse {
    let problem = response
        .response()
        .error()
        .map(|error| match error.as_error::<Problem>() {
            Some(problem) => render(problem, occurrence),
            None => render(&Problem::of_framework(error), occurrence),
        });
    if let Some(mut problem) = problem {
        // What layers within added for every response, such as CORS, is meant for this one too.
        for (name, value) in response.headers() {
            problem.headers_mut().append(name.clone(), value.clone());
        }
        return response.into_response(problem);
    }
    let mut response = response.map_into_boxed_body();
    mark(response.headers_mut(), occurrence);
    response
}

fn render(problem: &Problem, occurrence: &Occurrence) -> HttpResponse {
    if let Some(cause) = problem.cause() {
        let request_id = occurrence.request_id.as_str();
        tracing::error!(%problem, cause = %Chain(cause), request_id, "a request failed");
    }
    let mut response = problem.render(occurrence);
    mark(response.headers_mut(), occurrence);
    response
}

/// What every response carries.
fn mark(headers: &mut HeaderMap, occurrence: &Occurrence) {
    for (name, value) in SECURITY_HEADERS {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if let Ok(request_id) = HeaderValue::from_str(&occurrence.request_id) {
        headers.insert(X_REQUEST_ID.clone(), request_id);
    }
}

/// Makes it the last response of its connection, and says so. While the service is on its way out, the
/// next request has to go elsewhere: on this connection it could cross with its end, and be lost.
fn make_last<B>(response: &mut HttpResponse<B>) {
    let head = response.head_mut();
    head.set_connection_type(ConnectionType::Close);
}

/// A request that ended without a response, and so without itself: all that is left to answer it.
#[derive(Debug)]
struct Unanswered {
    problem: Problem,
    occurrence: Occurrence,
    is_last: bool,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl ResponseError for Unanswered {
    fn status_code(&self) -> StatusCode {
        self.problem.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = render(&self.problem, &self.occurrence);
        if self.is_last {
            make_last(&mut response);
        }
        response
    }
}

/// The caller's id where it is a sane one, else one of ours.
fn request_id(headers: &HeaderMap, ids: &dyn Ids) -> String {
    let given = headers
        .get(&X_REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    match given {
        Some(given) if is_sane(given) => given.to_owned(),
        _ => ids.next().to_string(),
    }
}

fn is_sane(request_id: &str) -> bool {
    (1..=MAX_REQUEST_ID_CHARS).contains(&request_id.len())
        && request_id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The path, cut where it is so long that repeating it would serve nobody.
fn instance(path: &str) -> String {
    path.chars().take(MAX_INSTANCE_CHARS).collect()
}

/// An error with everything that led to it.
struct Chain<'a>(&'a (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}
