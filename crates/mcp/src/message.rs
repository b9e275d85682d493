//! Messages of JSON-RPC 2.0, and their errors.

use std::borrow::Cow;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use taskhold_api::problem::Problem;

/// A message of a client.
#[derive(Debug, PartialEq)]
pub(crate) enum Message {
    Request(Request),
    /// A message that is not answered. None changes anything here.
    Notification,
}

/// A request of a client.
#[derive(Debug, PartialEq)]
pub(crate) struct Request {
    /// A string or an integer.
    pub(crate) id: Value,
    pub(crate) method: String,
    pub(crate) params: Map<String, Value>,
}

impl Request {
    /// Returns a member of `_meta`.
    pub(crate) fn meta(&self, name: &str) -> Option<&Value> {
        self.params.get("_meta")?.get(name)
    }
}

/// The error of a request, and the HTTP status that it is sent with.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct RpcError {
    #[serde(skip)]
    pub(crate) status: StatusCode,
    pub(crate) code: i32,
    pub(crate) message: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<Value>,
}

impl RpcError {
    pub(crate) fn new(
        status: StatusCode,
        code: i32,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            data: None,
        }
    }

    fn parse_error(message: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32700, message)
    }

    pub(crate) fn invalid_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32600, message)
    }

    pub(crate) fn invalid_params(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32602, message)
    }

    pub(crate) fn with_data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }
}

/// The reason that a request has no result: an error of the protocol, or a problem of the API.
#[derive(Debug)]
pub(crate) enum Refusal {
    Rpc(RpcError),
    Http(Problem),
}

impl From<RpcError> for Refusal {
    fn from(error: RpcError) -> Self {
        Self::Rpc(error)
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Http(problem)
    }
}

/// Reads the message in a body.
///
/// # Errors
/// The error of the message, and the id of the request if the message has one.
pub(crate) fn read(body: &[u8]) -> Result<Message, (Option<Value>, RpcError)> {
    let message = serde_json::from_slice(body).map_err(|error| {
        let error = RpcError::parse_error(format!("The body is not JSON: {error}."));
        (None, error)
    })?;
    let mut members = match message {
        Value::Object(members) => members,
        Value::Array(_) => {
            let text = "Batches are not supported: send each message in a request of its own.";
            return Err((None, RpcError::invalid_request(text)));
        }
        _ => {
            let text = "A message is a JSON object.";
            return Err((None, RpcError::invalid_request(text)));
        }
    };
    let id = members.remove("id");
    let known_id = id.clone().filter(is_id);
    let invalid = |text: &'static str| Err((known_id.clone(), RpcError::invalid_request(text)));
    if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return invalid("The member `jsonrpc` must be \"2.0\".");
    }
    let Some(Value::String(method)) = members.remove("method") else {
        return invalid(
            "The member `method` must be a string: this server takes requests, and sends none that could be answered.",
        );
    };
    let params = match members.remove("params") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) => {
            let error = RpcError::invalid_params("The member `params` must be an object.");
            return Err((known_id, error));
        }
    };
    match (id, known_id) {
        (None, _) if method.starts_with("notifications/") => Ok(Message::Notification),
        (None, _) => Err((
            None,
            RpcError::invalid_request("A request needs an `id`: a string or an integer."),
        )),
        (Some(_), Some(id)) => Ok(Message::Request(Request { id, method, params })),
        (Some(_), None) => Err((
            None,
            RpcError::invalid_request("The member `id` must be a string or an integer."),
        )),
    }
}

fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_i64() || id.is_u64()
}

#[derive(Serialize)]
struct Success<'a, T> {
    jsonrpc: &'static str,
    id: &'a Value,
    result: T,
}

/// Returns the answer with a result.
pub(crate) fn success(id: &Value, result: impl Serialize) -> HttpResponse {
    HttpResponse::Ok().json(Success {
        jsonrpc: "2.0",
        id,
        result,
    })
}

#[derive(Serialize)]
struct Failure<'a> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Value>,
    error: &'a RpcError,
}

/// Returns the answer with an error. It has no `id` if the request has none that can be read.
pub(crate) fn failure(id: Option<&Value>, error: &RpcError) -> HttpResponse {
    HttpResponse::build(error.status).json(Failure {
        jsonrpc: "2.0",
        id,
        error,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(id: Value) -> Message {
        Message::Request(Request {
            id,
            method: "ping".to_owned(),
            params: Map::new(),
        })
    }

    #[test]
    fn requests_and_notifications_are_read() {
        for (body, message) in [
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
                request(json!(1)),
            ),
            (
                r#"{"jsonrpc":"2.0","id":"x","method":"ping","params":{}}"#,
                request(json!("x")),
            ),
            (
                r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
                Message::Notification,
            ),
            (
                r#"{"jsonrpc":"2.0","method":"notifications/unheard","params":{"x":1}}"#,
                Message::Notification,
            ),
        ] {
            assert_eq!(read(body.as_bytes()), Ok(message), "{body}");
        }
    }

    #[test]
    fn other_messages_are_refused_with_their_id() {
        for (body, id, code) in [
            ("", None, -32700),
            ("{", None, -32700),
            ("{\"jsonrpc\":\"\u{fffd}", None, -32700),
            ("[]", None, -32600),
            (
                r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
                None,
                -32600,
            ),
            ("7", None, -32600),
            (r#"{"id":1,"method":"ping"}"#, Some(json!(1)), -32600),
            (
                r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
                Some(json!(1)),
                -32600,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
                Some(json!(1)),
                -32600,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
                Some(json!(1)),
                -32600,
            ),
            (
                r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
                None,
                -32600,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
                None,
                -32600,
            ),
            (r#"{"jsonrpc":"2.0","method":"tools/call"}"#, None, -32600),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
                Some(json!(1)),
                -32602,
            ),
        ] {
            let (given, error) = read(body.as_bytes()).expect_err(body);
            assert_eq!((given, error.code), (id, code), "{body}");
        }
    }
}
