//! The revisions of the protocol, and which of them a request is of.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use crate::message::{Request, RpcError};

static PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
static METHOD: HeaderName = HeaderName::from_static("mcp-method");
static NAME: HeaderName = HeaderName::from_static("mcp-name");

const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// A supported revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Revision {
    /// 2026-07-28: every request says what it needs, in its `_meta` and its headers.
    Stateless,
    /// 2025-11-25: a client introduces itself with `initialize`. No session follows, since none is needed.
    Handshake,
}

impl Revision {
    /// The supported revisions, newest first.
    pub(crate) const ALL: [Self; 2] = [Self::Stateless, Self::Handshake];

    /// Returns the name, a date.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stateless => "2026-07-28",
            Self::Handshake => "2025-11-25",
        }
    }

    fn parse(name: &str) -> Result<Self, RpcError> {
        let known = Self::ALL.into_iter().find(|known| known.name() == name);
        known.ok_or_else(|| {
            let supported = Self::ALL.map(Self::name);
            let text = format!(
                "Unsupported protocol version; supported are {}.",
                supported.join(" and ")
            );
            let error = RpcError::new(StatusCode::BAD_REQUEST, -32022, text);
            error.with_data(json!({"supported": supported, "requested": name}))
        })
    }

    /// Returns the revision that a request is of. The headers of the newer one repeat parts of the body, for programs
    /// between client and server that do not read bodies; a request whose parts differ is refused.
    ///
    /// # Errors
    /// The reason that the request is of no supported revision, or breaks the rules of its revision.
    pub(crate) fn of(headers: &HeaderMap, request: &Request) -> Result<Self, RpcError> {
        let header = header(headers, &PROTOCOL_VERSION)?;
        let meta = request.meta(META_VERSION);
        match (header, meta) {
            (None, None) if request.method == "initialize" => return Ok(Self::Handshake),
            (None, _) => return Err(mismatch(&PROTOCOL_VERSION, "is missing")),
            (Some(header), Some(meta)) if meta != header => {
                let text = format!("is `{header}`, but `_meta` has another version");
                return Err(mismatch(&PROTOCOL_VERSION, &text));
            }
            _ => {}
        }
        let revision = Self::parse(header.unwrap_or_default())?;
        if revision == Self::Stateless {
            if meta.is_none() {
                return Err(missing_meta(META_VERSION));
            }
            if !request
                .meta(META_CAPABILITIES)
                .is_some_and(Value::is_object)
            {
                return Err(missing_meta(META_CAPABILITIES));
            }
            check_names(headers, request)?;
        }
        Ok(revision)
    }

    /// Checks the revision that the header of a notification names, if it names one.
    ///
    /// # Errors
    /// The revision is not supported.
    pub(crate) fn check_header(headers: &HeaderMap) -> Result<(), RpcError> {
        match header(headers, &PROTOCOL_VERSION)? {
            Some(name) => Self::parse(name).map(|_| ()),
            None => Ok(()),
        }
    }
}

/// Compares the headers `Mcp-Method` and `Mcp-Name` with the body.
fn check_names(headers: &HeaderMap, request: &Request) -> Result<(), RpcError> {
    let method = header(headers, &METHOD)?;
    compare(&METHOD, method, &request.method)?;
    let named = request.params.get("name").and_then(Value::as_str);
    if let ("tools/call", Some(name)) = (request.method.as_str(), named) {
        let given = header(headers, &NAME)?.map(decoded).transpose()?;
        compare(&NAME, given.as_deref(), name)?;
    }
    Ok(())
}

fn compare(header: &HeaderName, given: Option<&str>, in_body: &str) -> Result<(), RpcError> {
    match given {
        Some(given) if given == in_body => Ok(()),
        Some(_) => Err(mismatch(header, "does not match the body")),
        None => Err(mismatch(header, "is missing")),
    }
}

/// Returns the value of a header that is given once at most.
fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, RpcError> {
    let mut values = headers.get_all(name);
    let (value, another) = (values.next(), values.next());
    if another.is_some() {
        return Err(mismatch(name, "is given twice"));
    }
    let text = value.map(|value| value.to_str().map(|text| text.trim_matches([' ', '\t'])));
    text.transpose()
        .map_err(|_| mismatch(name, "has characters that are not ASCII"))
}

/// Decodes a value that its client has encoded because it may not be fit for a header: `=?base64?…?=`.
fn decoded(value: &str) -> Result<String, RpcError> {
    let encoded = value.strip_prefix("=?base64?");
    let Some(encoded) = encoded.and_then(|rest| rest.strip_suffix("?=")) else {
        return Ok(value.to_owned());
    };
    let bytes = BASE64_STANDARD.decode(encoded).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| mismatch(&NAME, "is not Base64 of UTF-8"))
}

fn mismatch(header: &HeaderName, what: &str) -> RpcError {
    let text = format!("Header mismatch: the header {header} {what}.");
    RpcError::new(StatusCode::BAD_REQUEST, -32020, text)
}

fn missing_meta(member: &str) -> RpcError {
    RpcError::invalid_params(format!("The member `_meta` of `params` needs `{member}`."))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn request(method: &str, params: Value) -> Request {
        let Value::Object(params) = params else {
            panic!("{params} is an object");
        };
        Request {
            id: json!(1),
            method: method.to_owned(),
            params,
        }
    }

    fn of(headers: &[(&'static str, &str)], request: &Request) -> Result<Revision, i32> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a value");
            map.append(HeaderName::from_static(name), value);
        }
        Revision::of(&map, request).map_err(|error| error.code)
    }

    fn meta() -> Value {
        json!({META_VERSION: "2026-07-28", META_CAPABILITIES: {}})
    }

    const NEWER: (&str, &str) = ("mcp-protocol-version", "2026-07-28");
    const OLDER: (&str, &str) = ("mcp-protocol-version", "2025-11-25");

    #[test]
    fn request_without_headers_can_only_initialize() {
        let initialize = request("initialize", json!({"protocolVersion": "2025-06-18"}));
        assert_eq!(of(&[], &initialize), Ok(Revision::Handshake));
        assert_eq!(of(&[OLDER], &initialize), Ok(Revision::Handshake));
        assert_eq!(of(&[], &request("tools/list", json!({}))), Err(-32020));
        let list = request("tools/list", json!({"_meta": meta()}));
        assert_eq!(of(&[], &list), Err(-32020));
    }

    #[test]
    fn older_requests_need_the_header_of_the_version_alone() {
        let list = request("tools/list", json!({}));
        assert_eq!(of(&[OLDER], &list), Ok(Revision::Handshake));
        for version in ["2024-11-05", "2099-01-01", ""] {
            let headers = [("mcp-protocol-version", version)];
            assert_eq!(of(&headers, &list), Err(-32022), "{version}");
        }
    }

    #[test]
    fn newer_requests_need_meta() {
        for incomplete in [
            json!({}),
            json!({"_meta": {META_CAPABILITIES: {}}}),
            json!({"_meta": {META_VERSION: "2026-07-28"}}),
            json!({"_meta": {META_VERSION: "2026-07-28", META_CAPABILITIES: 7}}),
        ] {
            let list = request("tools/list", incomplete.clone());
            let headers = [NEWER, ("mcp-method", "tools/list")];
            assert_eq!(of(&headers, &list), Err(-32602), "{incomplete}");
        }
    }

    #[test]
    fn headers_must_agree_with_the_body() {
        let list = request("tools/list", json!({"_meta": meta()}));
        let method = |value| [NEWER, ("mcp-method", value)];
        assert_eq!(of(&method("tools/list"), &list), Ok(Revision::Stateless));
        assert_eq!(of(&method(" tools/list\t"), &list), Ok(Revision::Stateless));
        for value in [
            "tools/call",
            "TOOLS/LIST",
            "",
            "tools/list, tools/list",
            "ü",
        ] {
            assert_eq!(of(&method(value), &list), Err(-32020), "{value}");
        }
        assert_eq!(of(&[NEWER], &list), Err(-32020));
        let twice = [NEWER, NEWER, ("mcp-method", "tools/list")];
        assert_eq!(of(&twice, &list), Err(-32020));
        assert_eq!(of(&[OLDER], &list), Err(-32020));

        let call = request("tools/call", json!({"_meta": meta(), "name": "undo"}));
        let name = |value| [NEWER, ("mcp-method", "tools/call"), ("mcp-name", value)];
        for value in ["undo", "=?base64?dW5kbw==?="] {
            assert_eq!(of(&name(value), &call), Ok(Revision::Stateless), "{value}");
        }
        for value in [
            "redo",
            "Undo",
            "=?base64?dW5k?=",
            "=?base64?&?=",
            "dW5kbw==",
        ] {
            assert_eq!(of(&name(value), &call), Err(-32020), "{value}");
        }
        assert_eq!(of(&method("tools/call"), &call), Err(-32020));
    }
}
