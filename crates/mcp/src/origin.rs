//! The pages that may use the endpoint from a browser. A page that is not among them might have had its host resolved
//! to this service (DNS rebinding).

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, ORIGIN};

use crate::message::RpcError;

/// Checks the origin of a request. Only browsers send one.
///
/// # Errors
/// The origin is none of these.
pub(crate) fn check(headers: &HeaderMap, allowed: &[String]) -> Result<(), RpcError> {
    let is_allowed = |origin: &[u8]| allowed.iter().any(|known| known.as_bytes() == origin);
    let mut origins = headers.get_all(ORIGIN);
    if origins.all(|origin| is_allowed(origin.as_bytes())) {
        return Ok(());
    }
    let text = "Pages of this origin may not use the server. Its operator can add the origin to `cors.origins`.";
    Err(RpcError::new(StatusCode::FORBIDDEN, -32600, text))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn only_known_origins_are_allowed() {
        let allowed = ["https://app.example".to_owned()];
        for (origins, is_allowed) in [
            (&[][..], true),
            (&["https://app.example"], true),
            (&["https://app.example:8443"], false),
            (&["http://app.example"], false),
            (&["https://evil.example"], false),
            (&["null"], false),
            (&[""], false),
            (&["https://app.example", "https://evil.example"], false),
        ] {
            let mut headers = HeaderMap::new();
            for origin in origins {
                headers.append(ORIGIN, HeaderValue::from_static(origin));
            }
            assert_eq!(check(&headers, &allowed).is_ok(), is_allowed, "{origins:?}");
        }
    }
}
