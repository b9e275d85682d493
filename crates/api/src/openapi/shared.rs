//! Headers and parameters that several endpoints share.

use serde_json::json;
use taskhold_application::tasks::IdempotencyKey;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{Header, HeaderBuilder, ObjectBuilder, Ref, RefOr, Required, SchemaFormat};

use crate::schema::{MAX_EXACT_INTEGER, SOME_ETAG, SOME_ID, integer};

pub(super) fn header_reference(name: &str) -> Ref {
    Ref::new(format!("#/components/headers/{name}"))
}

/// A day, in seconds.
const MAX_RETRY_AFTER: u64 = 86_400;

/// Returns a reference to the shared parameter of this name, or `None` if there is none.
pub(super) fn parameter_reference(name: &str) -> Option<Ref> {
    parameters()
        .into_iter()
        .find(|(_, parameter)| matches!(parameter, RefOr::T(parameter) if parameter.name == name))
        .map(|(component, _)| Ref::new(format!("#/components/parameters/{component}")))
}

pub(super) fn headers() -> [(String, RefOr<Header>); 13] {
    [
        (
            "X-Request-Id",
            true,
            text().examples([SOME_ID]),
            "The id of the request, as in the log.",
        ),
        (
            "ETag",
            true,
            text().examples([SOME_ETAG]),
            "The state of the task, as its member `etag`; strong, and another one after each change.",
        ),
        (
            "Location",
            true,
            formatted("uri-reference").examples([format!("/api/v1/tasks/{SOME_ID}")]),
            "The path of the task.",
        ),
        (
            "Link",
            false,
            text(),
            "The next page, with `rel=\"next\"` (RFC 8288), if there are more tasks.",
        ),
        (
            "Idempotent-Replayed",
            false,
            text().enum_values(Some(["true"])),
            "It is the first answer to this `Idempotency-Key` again.",
        ),
        (
            "Change-Seq",
            false,
            integer(1, MAX_EXACT_INTEGER).examples([7]),
            "The number of the change, which `undo` takes.",
        ),
        ("Content-Disposition", true, text(), "The name of the file."),
        (
            "Retry-After",
            true,
            integer(0, MAX_RETRY_AFTER).examples([5]),
            "The number of seconds to wait before trying again.",
        ),
        (
            "RateLimit-Policy",
            true,
            text().examples(["\"default\";q=30;w=60"]),
            "The quota: `q` requests in `w` seconds (draft-ietf-httpapi-ratelimit-headers).",
        ),
        (
            "RateLimit",
            true,
            text().examples(["\"default\";r=29;t=60"]),
            "The rest of the quota: `r` requests in the next `t` seconds.",
        ),
        (
            "Device-Token",
            true,
            text(),
            "A token that distinguishes this client from a stranger: send it with the next login, in the same header.",
        ),
        (
            "Set-Cookie",
            false,
            text(),
            "With a login, the device token as the cookie `taskhold_device`, for browsers. With `Taskhold-Page` also the \
             refresh token as the cookie `taskhold_session`, or an empty one that deletes it.",
        ),
        (
            "WWW-Authenticate",
            true,
            text().examples(["Bearer realm=\"taskhold\", error=\"invalid_token\""]),
            "The authentication that is needed (RFC 6750).",
        ),
    ]
    .map(|(name, is_required, schema, description)| {
        let required = is_required.then(|| [("required", json!(true))].into_iter().collect());
        let header = HeaderBuilder::new()
            .schema(Some(schema))
            .description(Some(description))
            .extensions(required)
            .build();
        (name.to_owned(), RefOr::T(header))
    })
}

/// Returns the shared parameters. Header parameters have no pattern, example or default, from which programs such as
/// Postman would make a value and send it with every request.
pub(super) fn parameters() -> [(String, RefOr<Parameter>); 9] {
    [
        (
            "ChangeSeq",
            ParameterBuilder::new()
                .name("seq")
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .description(Some("The number of the change, from the header `Change-Seq`."))
                .schema(Some(integer(1, MAX_EXACT_INTEGER))),
        ),
        (
            "TaskId",
            ParameterBuilder::new()
                .name("id")
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .description(Some(
                    "The id of the task. A malformed one is the id of no task.",
                ))
                .schema(Some(formatted("uuid"))),
        ),
        (
            "IfMatch",
            header_parameter(
                "If-Match",
                text(),
                "Make the change only if the task has this `ETag`, or one of these in a list; `*` is any. A weak tag \
                 never matches. Without it the last writer wins.",
            ),
        ),
        (
            "IfNoneMatch",
            header_parameter(
                "If-None-Match",
                text(),
                "Answer 304 if the task still has this `ETag`, or one of these in a list; `*` is any.",
            ),
        ),
        (
            "KnownChange",
            header_parameter(
                "Change-Seq",
                integer(0, MAX_EXACT_INTEGER),
                "The number of a change that the answer must include, from the header `Change-Seq` of an earlier answer: \
                 so a client sees what it wrote, whichever instance and database answer.",
            ),
        ),
        (
            "DeviceToken",
            header_parameter(
                "Device-Token",
                text(),
                "The device token of an earlier login to this account; browsers send it as a cookie. An invalid \
                 one counts as none.",
            ),
        ),
        (
            "TaskholdPage",
            header_parameter(
                "Taskhold-Page",
                text(),
                "For the page that this service itself serves, always `1`: the refresh token is the cookie \
                 `taskhold_session`, which no script can read, in place of a member of the bodies. Pages of other \
                 origins cannot send it, and other clients do not need it.",
            ),
        ),
        (
            "LastEventId",
            header_parameter(
                "Last-Event-ID",
                text(),
                "The `id` of the last event that the client has read, when it connects again; wins over `cursor`.",
            ),
        ),
        (
            "IdempotencyKey",
            header_parameter(
                "Idempotency-Key",
                text()
                    .min_length(Some(1))
                    .max_length(Some(IdempotencyKey::MAX_CHARS)),
                "A name of visible ASCII characters that the caller gives this one request, such as a random UUID, \
                 so that it can be repeated: within 24 h the same request under the same key is not done again, \
                 and gets the first answer. Another request under the key is refused with 422. Under a key, the \
                 answer is never 504; after 503, repeat the request under the same key.",
            ),
        ),
    ]
    .map(|(name, parameter)| (name.to_owned(), RefOr::T(parameter.build())))
}

fn header_parameter(name: &str, schema: ObjectBuilder, description: &str) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn formatted(format: &str) -> ObjectBuilder {
    text().format(Some(SchemaFormat::Custom(format.to_owned())))
}
