//! Headers and parameters that several endpoints share.

use serde_json::json;
use taskhold_application::tasks::IdempotencyKey;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{Header, HeaderBuilder, ObjectBuilder, Ref, Required};

use super::schema::{count, formatted, keywords, text};

pub(super) const TASK_ID: &str = "TaskId";
pub(super) const IF_MATCH: &str = "IfMatch";
pub(super) const IF_NONE_MATCH: &str = "IfNoneMatch";
pub(super) const IDEMPOTENCY_KEY: &str = "IdempotencyKey";

/// `*` or a list of entity tags (RFC 9110, section 8.8.3).
const TAGS: &str = r#"^(\*|(W/)?"[!#-~]*"( ?, ?(W/)?"[!#-~]*")*)$"#;

/// Visible ASCII.
const VISIBLE: &str = "^[!-~]+$";

/// Some id, for examples.
pub(super) const SOME_ID: &str = "01a1fd4a-394c-7699-8ad9-e4a650ecd070";

pub(super) fn ref_to(header: &str) -> Ref {
    Ref::new(format!("#/components/headers/{header}"))
}

pub(super) fn headers() -> [(&'static str, Header); 10] {
    [
        (
            "X-Request-Id",
            always(
                text().examples([SOME_ID]),
                "What this request is known by in the log.",
            ),
        ),
        (
            "ETag",
            always(
                text().pattern(Some(r#"^"[0-9]+"$"#)).examples(["\"1\""]),
                "The version of the task; strong, and another one after each change.",
            ),
        ),
        (
            "Location",
            always(
                formatted("uri-reference").examples([format!("/api/v1/tasks/{SOME_ID}")]),
                "The path of the task.",
            ),
        ),
        (
            "Link",
            sometimes(
                text(),
                "Where there are more tasks: the next page, with `rel=\"next\"` (RFC 8288).",
            ),
        ),
        (
            "Idempotent-Replayed",
            sometimes(
                text().enum_values(Some(["true"])),
                "It is the first answer to this `Idempotency-Key` again.",
            ),
        ),
        (
            "Content-Disposition",
            always(text(), "The name of the file."),
        ),
        (
            "Retry-After",
            always(
                count().examples([5]),
                "How many seconds to wait before trying again.",
            ),
        ),
        (
            "RateLimit-Policy",
            always(
                text().examples(["\"default\";q=30;w=60"]),
                "What is allowed: `q` requests in `w` seconds (draft-ietf-httpapi-ratelimit-headers).",
            ),
        ),
        (
            "RateLimit",
            always(
                text().examples(["\"default\";r=29;t=60"]),
                "What is left of it: `r` requests in the next `t` seconds.",
            ),
        ),
        (
            "WWW-Authenticate",
            always(
                text().examples(["Bearer realm=\"taskhold\", error=\"invalid_token\""]),
                "What is needed (RFC 6750).",
            ),
        ),
    ]
}

pub(super) fn parameters() -> [(&'static str, Parameter); 4] {
    [
        (
            TASK_ID,
            ParameterBuilder::new()
                .name("id")
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .description(Some(
                    "The id of the task. A malformed one is the id of no task.",
                ))
                .schema(Some(formatted("uuid")))
                .build(),
        ),
        (
            IF_MATCH,
            header(
                "If-Match",
                text().pattern(Some(TAGS)).examples(["*"]),
                "Make the change only if the task has this `ETag`, or one of these; `*` is any. A weak tag \
                 never matches. Without it the last writer wins.",
            ),
        ),
        (
            IF_NONE_MATCH,
            header(
                "If-None-Match",
                text().pattern(Some(TAGS)).examples(["\"1\""]),
                "Answer 304 if the task still has this `ETag`, or one of these.",
            ),
        ),
        (
            IDEMPOTENCY_KEY,
            header(
                "Idempotency-Key",
                text()
                    .min_length(Some(1))
                    .max_length(Some(IdempotencyKey::MAX_CHARS))
                    .pattern(Some(VISIBLE)),
                "A name that the caller gives this one request, such as a random UUID. Within 24 h the same \
                 request under the same key is not done again, and gets the first answer.",
            ),
        ),
    ]
}

fn header(name: &str, schema: ObjectBuilder, text: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(text))
        .schema(Some(schema))
        .build()
}

fn sometimes(schema: ObjectBuilder, text: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(schema))
        .description(Some(text))
        .build()
}

fn always(schema: ObjectBuilder, text: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(schema))
        .description(Some(text))
        .extensions(Some(keywords([("required", json!(true))])))
        .build()
}
