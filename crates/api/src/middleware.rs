//! The request middleware, which is outside of all others. It gives every request an id, renders
//! errors as [`Problem`]s, logs and counts the request once, and closes connections while the service
//! is shutting down.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::{Duration, Instant};

use actix_cors::CorsError;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage as _, HttpResponse, ResponseError, web};
use taskhold_application::clock::Clock;
use taskhold_application::deadline;
use taskhold_application::freshness::{self, Freshness};
use taskhold_application::ids::Ids;
use taskhold_application::readiness::Readiness;
use taskhold_application::reasons::reasons;
use taskhold_application::request;
use tracing::field::{self, Empty};
use tracing::{Instrument as _, Span};

use crate::base_path::BasePath;
use crate::problem::{Problem, RequestContext};
use crate::request_log::{self, LeftOut, Pseudonym};
use crate::trace::{TraceParent, Traces};
use crate::{body, change_seq, metrics, target};

/// The header with the id of the request, in requests and responses.
pub static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Forbids sniffing, framing, running, referring and caching of a response, which is private data
/// unless its handler sets another value.
const SECURITY_HEADERS: [(HeaderName, &str); 4] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CACHE_CONTROL, "no-store"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (REFERRER_POLICY, "no-referrer"),
];

/// The length of the longest request id that is accepted from a client.
const MAX_REQUEST_ID_CHARS: usize = 128;

/// The length of the longest path that a problem repeats.
const MAX_INSTANCE_CHARS: usize = 512;

pub(crate) async fn handle(
    clock: web::Data<dyn Clock>,
    ids: web::Data<dyn Ids>,
    readiness: web::Data<Readiness>,
    traces: web::Data<Option<Arc<dyn Traces>>>,
    base_path: web::Data<BasePath>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse, Error> {
    let started = Instant::now();
    let method = request.method().clone();
    let left_out = request.app_data::<web::Data<LeftOut>>();
    let left_out = left_out.map_or_else(LeftOut::default, |left_out| *left_out.get_ref());
    base_path.remove_from(&mut request);
    let context = RequestContext {
        path: instance(&base_path, request.path()),
        request_id: request_id(request.headers(), ids.as_ref()),
        timestamp: clock.now(),
    };
    let parent = TraceParent::of(request.headers());
    let (span, trace_id) = match traces.as_ref() {
        Some(traces) => {
            let span = request_span(&method);
            let trace_id = traces.join(&span, parent);
            (span, Some(trace_id))
        }
        None => (Span::none(), parent.map(|parent| parent.trace_id)),
    };
    let id: Arc<str> = context.request_id.as_str().into();
    let freshness = target::check(&request).and_then(|()| change_seq::freshness(request.request()));
    let response = match freshness {
        Ok(freshness) => {
            let handled = deadline::in_request(next.call(request)).instrument(span.clone());
            let handled = freshness::scope(freshness, handled);
            let response = request::scope(Arc::clone(&id), handled).await;
            let response = response.map(|response| scope_body(response, &id, freshness));
            response.map_err(|error| of_framework(&error))
        }
        Err(problem) => Err(problem),
    };
    let mut outcome = match response {
        Ok(response) => Ok(complete(response, &context)),
        Err(problem) => Err(FailedRequest {
            problem,
            context: context.clone(),
            closes_connection: readiness.is_draining(),
        }),
    };
    if readiness.is_draining()
        && let Ok(response) = &mut outcome
    {
        close_connection(response.response_mut());
    }
    let (route, status, user) = match &outcome {
        Ok(response) => {
            let request = response.request();
            let user = request.extensions().get::<Pseudonym>().copied();
            (request.match_pattern(), response.status(), user)
        }
        Err(failed) => (None, failed.status_code(), None),
    };
    let duration = started.elapsed();
    if !left_out.includes(route.as_deref(), status) {
        tracing::info!(
            target: request_log::TARGET,
            method = method.as_str(),
            route = route.as_deref().unwrap_or("-"),
            status = status.as_u16(),
            duration_ms = milliseconds(duration),
            request_id = context.request_id,
            user = user.map(field::display),
            trace_id = trace_id.map(field::display),
            parent_id = parent.map(|parent| field::display(parent.parent_id)),
            "request"
        );
    }
    if let Some(traces) = traces.as_ref() {
        let name = route
            .as_deref()
            .map_or_else(|| method.to_string(), |route| format!("{method} {route}"));
        traces.name(&span, name);
        record_outcome(&span, route.as_deref(), status);
    }
    metrics::record(&method, route, status, duration);
    outcome.map_err(Error::from)
}

/// Returns a duration in milliseconds with three decimals.
fn milliseconds(duration: Duration) -> f64 {
    f64::from(u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)) / 1e3
}

/// A response body that is made on behalf of a request: pages of a long list are read while it is sent.
struct ScopedBody {
    id: Arc<str>,
    freshness: Freshness,
    body: BoxBody,
}

impl MessageBody for ScopedBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let (id, freshness) = (Arc::clone(&self.id), self.freshness);
        request::sync_scope(id, || {
            freshness::sync_scope(freshness, || Pin::new(&mut self.body).poll_next(context))
        })
    }
}

/// Returns the response so that its body, unless it is complete already, is made on behalf of the request.
fn scope_body(
    response: ServiceResponse<impl MessageBody + 'static>,
    id: &Arc<str>,
    freshness: Freshness,
) -> ServiceResponse {
    response.map_body(|_, body| match body.size() {
        BodySize::Stream => BoxBody::new(ScopedBody {
            id: Arc::clone(id),
            freshness,
            body: BoxBody::new(body),
        }),
        BodySize::None | BodySize::Sized(_) => BoxBody::new(body),
    })
}

/// Opens the span of a request, with the names of OpenTelemetry's conventions for HTTP servers. The
/// path is left out because it may hold anything.
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

/// Records what is known only after the request has been handled.
fn record_outcome(span: &Span, route: Option<&str>, status: StatusCode) {
    if let Some(route) = route {
        span.record("http.route", route);
    }
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}

/// Renders the error of a response, and adds the headers of every response.
fn complete(
    response: ServiceResponse<impl MessageBody + 'static>,
    context: &RequestContext,
) -> ServiceResponse {
    let problem = response
        .response()
        .error()
        .map(|error| match error.as_error::<Problem>() {
            Some(problem) => render(problem, context),
            None => render(&of_framework(error), context),
        });
    if let Some(mut problem) = problem {
        // Inner middlewares such as CORS added headers, which the problem needs too.
        for (name, value) in response.headers() {
            problem.headers_mut().append(name.clone(), value.clone());
        }
        return response.into_response(problem);
    }
    let mut response = response.map_into_boxed_body();
    insert_common_headers(response.headers_mut(), context);
    response
}

/// Converts an error of the framework, by the status that the framework chose.
fn of_framework(error: &Error) -> Problem {
    if let Some(refused) = error.as_error::<CorsError>() {
        return Problem::malformed(format!("{refused}."));
    }
    match error.as_response_error().status_code() {
        StatusCode::NOT_FOUND => Problem::no_such_route(),
        StatusCode::PAYLOAD_TOO_LARGE => body::payload_too_large(body::MAX_BYTES),
        StatusCode::REQUEST_TIMEOUT => body::request_timeout(),
        status if status.is_client_error() => Problem::malformed("The request is malformed."),
        _ => Problem::internal(error.to_string()),
    }
}

fn render(problem: &Problem, context: &RequestContext) -> HttpResponse {
    log_cause(problem, &context.request_id);
    let mut response = problem.render(context);
    insert_common_headers(response.headers_mut(), context);
    response
}

/// Logs the cause of a problem, if it has one.
pub fn log_cause(problem: &Problem, request_id: &str) {
    if let Some(cause) = problem.cause() {
        tracing::error!(%problem, cause = %reasons(cause), request_id, "a request failed");
    }
}

fn insert_common_headers(headers: &mut HeaderMap, context: &RequestContext) {
    for (name, value) in SECURITY_HEADERS {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if let Ok(request_id) = HeaderValue::from_str(&context.request_id) {
        headers.insert(X_REQUEST_ID.clone(), request_id);
    }
}

/// Announces that the connection is closed after this response. Otherwise the client could send its
/// next request while the service closes the connection, and lose the request.
fn close_connection<B>(response: &mut HttpResponse<B>) {
    let head = response.head_mut();
    head.set_connection_type(ConnectionType::Close);
}

/// A request that failed outside of a handler, so that only its context is left to render a response.
#[derive(Debug)]
struct FailedRequest {
    problem: Problem,
    context: RequestContext,
    closes_connection: bool,
}

impl fmt::Display for FailedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl ResponseError for FailedRequest {
    fn status_code(&self) -> StatusCode {
        self.problem.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = render(&self.problem, &self.context);
        if self.closes_connection {
            close_connection(&mut response);
        }
        response
    }
}

/// Returns the id that the client sent if it is valid, and a new id otherwise.
fn request_id(headers: &HeaderMap, ids: &dyn Ids) -> String {
    let given = headers
        .get(&X_REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    match given {
        Some(given) if is_valid_request_id(given) => given.to_owned(),
        _ => ids.next().to_string(),
    }
}

fn is_valid_request_id(request_id: &str) -> bool {
    (1..=MAX_REQUEST_ID_CHARS).contains(&request_id.len())
        && request_id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Returns the published path of a request, cut if it is long.
fn instance(base_path: &BasePath, path: &str) -> String {
    let characters = base_path.as_str().chars().chain(path.chars());
    characters.take(MAX_INSTANCE_CHARS).collect()
}
