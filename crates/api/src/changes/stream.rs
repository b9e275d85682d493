//! The stream that tells a client when its log has grown (server-sent events).

use std::pin::pin;
use std::time::Duration;

use actix_web::body;
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{Stream, stream};
use serde_json::json;
use taskhold_application::authentication::Authenticator;
use taskhold_application::change_log::ChangeLog;
use taskhold_application::change_streams::{ChangeStream, StreamError};
use taskhold_application::clock::Clock;
use taskhold_application::tasks::TaskError;
use taskhold_application::tokens::Identity;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, sleep_until};
use utoipa::IntoParams;
use utoipa::openapi::ObjectBuilder;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::Type;

use super::{bad_cursor, cursor};
use crate::caller::{Caller, Read};
use crate::parameters;
use crate::problem::{BUSY_RETRY_AFTER_SECONDS, Kind, Problem};
use crate::schema::query_parameter;

pub(super) const PATH: &str = "/api/v1/changes/stream";

/// The media type of server-sent events.
const EVENTS: &str = "text/event-stream";

/// The cursor of the last event that a client has read, which it sends when it connects again.
static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells nginx not to hold the events back.
static X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The interval of the comments that are sent to each client. Proxies close a connection on which nothing is sent for a
/// minute. The token is checked before each comment.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// The pause between the two lines of a comment. If the client has closed the connection, the first line is still
/// accepted by the system, and only the second one fails.
const PROBE: Duration = Duration::from_millis(200);
/// When clients connect again that this instance sends away because it shuts down, in milliseconds: not all at once.
const RETRY_MILLISECONDS: std::ops::Range<u32> = 1_000..5_000;

/// The query parameters.
pub(super) struct StreamParameters;

impl IntoParams for StreamParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let cursor = ObjectBuilder::new().schema_type(Type::String);
        vec![query_parameter(
            "cursor",
            cursor,
            "Where the client's knowledge ends: a cursor of `readChanges` or of an event.",
        )]
    }
}

/// A stream that is being sent.
struct Sending {
    changes: ChangeStream,
    identity: Identity,
    authenticator: web::Data<Authenticator>,
    heartbeat: Interval,
    /// When the token expires.
    end: Option<Instant>,
    /// `true` if the first line of a comment was sent, and the second one was not.
    is_probing: bool,
    is_over: bool,
    _open: OpenGauge,
}

/// Hear of changes
///
/// Server-sent events. Each `change` says where the caller's log ends: read what changed with `readChanges` and the
/// cursor that the client has, and send `seq` as `Change-Seq`. The first event comes at once, and then one whenever
/// the log has grown; a comment every 20 s shows that the connection is alive. The stream ends when the token expires,
/// and when the instance shuts down. `EventSource` cannot send a token; read the stream with `fetch`.
#[utoipa::path(
    get,
    path = PATH,
    operation_id = "streamChanges",
    params(StreamParameters, ("Last-Event-ID", Header)),
    responses(
        (
            status = 200,
            description = "The events.",
            body = String,
            content_type = "text/event-stream",
            example = "id: q3Yx\nevent: change\ndata: {\"cursor\":\"q3Yx\",\"seq\":12}\n\n",
        ),
        (status = 410, description = "CursorExpired"),
    ),
)]
pub(super) async fn stream(
    caller: Caller<Read>,
    request: HttpRequest,
    log: web::Data<ChangeLog>,
    clock: web::Data<dyn Clock>,
    authenticator: web::Data<Authenticator>,
) -> Result<HttpResponse, Problem> {
    let text = known_cursor(&request)?;
    let after = text.map(|text| cursor::decode(caller.id(), &text).ok_or_else(bad_cursor));
    let changes = log.stream(caller.id(), after.transpose()?.as_ref()).await?;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, EVENTS))
        .insert_header((X_ACCEL_BUFFERING.clone(), "no"));
    if request.method() == Method::HEAD {
        return Ok(response.body(body::None::new()));
    }
    let started = Instant::now();
    let mut heartbeat = interval_at(started + HEARTBEAT, HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The request is not in progress any more: streams have a limit of their own.
    let identity = caller.into_identity();
    let sending = Sending {
        changes,
        end: identity.expires.map(|expires| {
            let micros = expires.as_micros().saturating_sub(clock.now().as_micros());
            started + Duration::from_micros(u64::try_from(micros).unwrap_or_default())
        }),
        identity,
        authenticator,
        heartbeat,
        is_probing: false,
        is_over: false,
        _open: OpenGauge::new(),
    };
    Ok(response.streaming(sending.events()))
}

/// Returns the cursor that a client sends. One that connects again sends the same URL, and the newer cursor as a
/// header.
fn known_cursor(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let mut given = parameters::read(request.query_string(), &["cursor"])?;
    match request.headers().get(&LAST_EVENT_ID) {
        Some(id) if !id.is_empty() => {
            let id = id.to_str().map_err(|_| bad_cursor())?;
            Ok(Some(id.to_owned()))
        }
        _ => Ok(given.remove("cursor")),
    }
}

impl Sending {
    fn events(self) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> {
        stream::unfold(self, |mut sending| async {
            let part = sending.next().await?;
            Some((Ok(part), sending))
        })
    }

    /// Waits for what is to be sent next; `None` ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        if self.is_probing {
            self.is_probing = false;
            sleep(PROBE).await;
            return Some(Bytes::from_static(b"\n"));
        }
        let end = self.end;
        let expiry = async {
            match end {
                Some(end) => sleep_until(end).await,
                None => std::future::pending().await,
            }
        };
        let mut expiry = pin!(expiry);
        tokio::select! {
            biased;
            changed = self.changes.next() => {
                let Some(end) = changed else {
                    self.is_over = true;
                    let milliseconds = fastrand::u32(RETRY_MILLISECONDS);
                    return Some(format!("retry: {milliseconds}\n\n").into());
                };
                let cursor = cursor::encode(&self.identity.user, &end);
                let data = json!({"cursor": cursor, "seq": end.seq.get()});
                Some(format!("id: {cursor}\nevent: change\ndata: {data}\n\n").into())
            }
            () = &mut expiry => None,
            _ = self.heartbeat.tick() => {
                // Without the store nobody knows whether the token was revoked, nor can read anything.
                let is_revoked = matches!(self.authenticator.admits(&self.identity).await, Ok(false));
                self.is_probing = true;
                (!is_revoked).then(|| Bytes::from_static(b":\n"))
            }
        }
    }
}

/// Counts the stream in the metrics until it is dropped.
struct OpenGauge(metrics::Gauge);

impl OpenGauge {
    fn new() -> Self {
        let gauge = metrics::gauge!("taskhold_change_streams_open");
        gauge.increment(1);
        Self(gauge)
    }
}

impl Drop for OpenGauge {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

impl From<StreamError> for Problem {
    fn from(error: StreamError) -> Self {
        let detail = match error {
            StreamError::Cursor(error) => return error.into(),
            StreamError::Store(error) => return TaskError::from(error).into(),
            StreamError::TooManyOfUser(most) => {
                format!("You have {most} open streams, as many as one user may have. Close one.")
            }
            StreamError::TooMany(_) => {
                "All streams of this instance are in use. Read the changes at intervals instead."
                    .to_owned()
            }
        };
        Self::new(Kind::RateLimited, detail).with_header(RETRY_AFTER, BUSY_RETRY_AFTER_SECONDS)
    }
}
