//! The origins whose pages may use the API from a browser: none unless configured.

use std::time::Duration;

use actix_cors::Cors;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_REQUEST_HEADERS, CONTENT_DISPOSITION, ETAG, HeaderMap, HeaderName, LINK,
    LOCATION, RETRY_AFTER,
};
use actix_web::middleware::{Condition, Next};
use url::Url;

use crate::accounts::{DEVICE_TOKEN, RATE_LIMIT, RATE_LIMIT_POLICY, TASKHOLD_PAGE};
use crate::change_seq::CHANGE_SEQ;
use crate::idempotency::IDEMPOTENT_REPLAYED;
use crate::middleware::X_REQUEST_ID;
use crate::parameters::PREFERENCE_APPLIED;
use crate::problem::Problem;
use crate::route::Endpoint;

/// The time for which a browser may cache the answer to a preflight request.
const MAX_AGE: Duration = Duration::from_hours(1);

/// The origin of a page, such as `https://app.example`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

/// The error of a string that is not an [`Origin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an origin is http:// or https:// with a host and perhaps a port, and nothing after it")]
pub struct OriginError;

impl Origin {
    /// Parses `scheme://host[:port]`, without a path or wildcard.
    ///
    /// # Errors
    /// [`OriginError`] for anything else.
    pub fn parse(raw: &str) -> Result<Self, OriginError> {
        let url = Url::parse(raw).map_err(|_| OriginError)?;
        let origin = url.origin().ascii_serialization();
        let is_web = ["http", "https"].contains(&url.scheme());
        // Browsers send exactly this form, so that any other would never match.
        if !is_web || raw.contains('*') || origin != raw {
            return Err(OriginError);
        }
        Ok(Self(origin))
    }

    /// Returns the origin as a browser sends it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns the middleware that answers preflight requests of these origins, and adds headers to every
/// response to them, errors included.
pub(crate) fn cors(origins: &[Origin], endpoints: &[Endpoint]) -> Condition<Cors> {
    let methods = endpoints.iter().map(|endpoint| endpoint.method.clone());
    let cors = Cors::default()
        .allowed_methods(methods)
        // Browsers and libraries for tracing add headers of their own. None does harm: the service ignores unknown
        // headers, and believes the headers of proxies only if a trusted proxy sends them. `refuse_page_header` refuses
        // the only exception.
        .allow_any_header()
        .expose_headers(response_headers())
        .max_age(usize::try_from(MAX_AGE.as_secs()).ok());
    let cors = origins
        .iter()
        .fold(cors, |cors, origin| cors.allowed_origin(&origin.0));
    Condition::new(!origins.is_empty(), cors)
}

/// Refuses preflight requests for the header of the page, so that no page of another origin can send it.
pub(crate) async fn refuse_page_header(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if request.method() == Method::OPTIONS && asks_for_page_header(request.headers()) {
        let problem =
            Problem::malformed("Pages of other origins may not send the header Taskhold-Page.");
        return Ok(request.error_response(problem).map_into_right_body());
    }
    Ok(next.call(request).await?.map_into_left_body())
}

fn asks_for_page_header(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS);
    let mut names = lists.flat_map(|list| list.as_bytes().split(|byte| *byte == b','));
    names.any(|name| {
        name.trim_ascii()
            .eq_ignore_ascii_case(TASKHOLD_PAGE.as_str().as_bytes())
    })
}

/// Returns the headers of responses that pages may read, beside those that they always may.
pub(crate) fn response_headers() -> [HeaderName; 12] {
    [
        CHANGE_SEQ.clone(),
        CONTENT_DISPOSITION,
        ETAG,
        LINK,
        LOCATION,
        RETRY_AFTER,
        DEVICE_TOKEN.clone(),
        RATE_LIMIT.clone(),
        RATE_LIMIT_POLICY.clone(),
        IDEMPOTENT_REPLAYED.clone(),
        PREFERENCE_APPLIED.clone(),
        X_REQUEST_ID.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_origins_as_browsers_send_them_are_parsed() {
        for origin in [
            "https://app.example",
            "http://localhost:3000",
            "https://app.example:8443",
        ] {
            assert!(Origin::parse(origin).is_ok(), "{origin}");
        }
        for raw in [
            "",
            "*",
            "null",
            "app.example",
            "https://*.example",
            "https://app.example/",
            "https://App.example",
            "https://app.example:443",
            "https://app.example/path",
            "ftp://app.example",
            "file:///x",
        ] {
            assert_eq!(Origin::parse(raw), Err(OriginError), "{raw}");
        }
    }
}
