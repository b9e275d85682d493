//! The headers that tell the rest of a rate limit.

use std::time::Duration;

use actix_web::HttpResponseBuilder;
use actix_web::http::header::HeaderName;
use taskhold_application::accounts::Allowance;

/// The remaining number of requests (draft-ietf-httpapi-ratelimit-headers).
pub(crate) static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The number of requests that are allowed in a window (draft-ietf-httpapi-ratelimit-headers).
pub(crate) static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Inserts the headers that tell the rest of a rate limit.
pub(super) fn insert_rate_limit(response: &mut HttpResponseBuilder, allowance: &Allowance) {
    for header in rate_limit_headers(allowance) {
        response.insert_header(header);
    }
}

/// Returns the headers that tell the rest of a rate limit.
pub(super) fn rate_limit_headers(allowance: &Allowance) -> [(HeaderName, String); 2] {
    let Allowance {
        quota,
        window,
        remaining,
        reset_in,
    } = allowance;
    let (window, reset_in) = (window.as_secs(), whole_seconds(*reset_in));
    [
        (
            RATE_LIMIT_POLICY.clone(),
            format!("\"default\";q={quota};w={window}"),
        ),
        (
            RATE_LIMIT.clone(),
            format!("\"default\";r={remaining};t={reset_in}"),
        ),
    ]
}

/// Rounds up, so that the allowance is renewed when that many seconds have passed.
pub(super) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
