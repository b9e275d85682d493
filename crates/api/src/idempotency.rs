//! The header `Idempotency-Key`. A request with a key has its effect once, however often it is sent.

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use sha2::{Digest as _, Sha256};
use taskhold_application::tasks::{Fingerprint, IdempotencyKey, KeyedRequest};

use crate::problem::Problem;

/// The header with the key.
pub static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header that marks a response as a repetition of the first one.
pub static IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Returns the key of a request with the fingerprint of the request, or `None` without a key.
///
/// # Errors
/// A problem if the header is malformed or given twice.
pub(crate) fn keyed(request: &HttpRequest, body: &[u8]) -> Result<Option<KeyedRequest>, Problem> {
    let mut headers = request.headers().get_all(&IDEMPOTENCY_KEY);
    let (header, another) = (headers.next(), headers.next());
    let Some(header) = header else {
        return Ok(None);
    };
    let key = header
        .to_str()
        .ok()
        .and_then(|text| IdempotencyKey::parse(text).ok());
    let (Some(key), None) = (key, another) else {
        return Err(Problem::malformed(format!(
            "The header Idempotency-Key must be given once, with 1 to {} visible ASCII characters.",
            IdempotencyKey::MAX_CHARS
        )));
    };
    let target = match request.query_string() {
        "" => request.path().to_owned(),
        query => format!("{}?{query}", request.path()),
    };
    Ok(Some(KeyedRequest {
        key,
        fingerprint: fingerprint(request.method().as_str(), &target, body),
    }))
}

/// Returns a digest of the method, the path with the query, and the body as it arrived; of the call of a tool, the
/// method of the call, the name of the tool, and the arguments.
#[must_use]
pub fn fingerprint(method: &str, target: &str, body: &[u8]) -> Fingerprint {
    let digest = Sha256::new()
        .chain_update(method)
        // Neither a method nor a target contains spaces, so that no two requests have the same text.
        .chain_update(" ")
        .chain_update(target)
        .chain_update(" ")
        .chain_update(body);
    Fingerprint(digest.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_requests_have_different_fingerprints() {
        let requests = [
            ("POST", "/a", "{}"),
            ("PUT", "/a", "{}"),
            ("POST", "/a/b", "{}"),
            ("POST", "/a?b", "{}"),
            ("POST", "/a", "{} "),
            ("POST", "/a", ""),
        ];
        let mut seen = Vec::new();
        for (method, path, body) in requests {
            let fingerprint = fingerprint(method, path, body.as_bytes());
            assert!(!seen.contains(&fingerprint), "{method} {path} {body}");
            seen.push(fingerprint);
        }
    }
}
