//! Completion of the descriptions of operations.

use std::collections::BTreeSet;

use actix_web::http::Method;
use utoipa::openapi::link::{Link, LinkBuilder};
use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::response::Response;
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{RefOr, Required};

use super::{problems, shared};
use crate::problem::Kind;
use crate::route::{Access, Endpoint};

/// The name of the security scheme.
pub(super) const BEARER: &str = "bearer";

/// Completes the operation of an endpoint with its tag, its security, the problems that follow from
/// its parts, and references to the shared headers and parameters.
///
/// In `#[utoipa::path]`, a response that has the name of a shared problem as its description stands for that problem,
/// a body given as a reference is optional, and headers and shared parameters are only named.
pub(super) fn complete(
    endpoint: &Endpoint,
    mut operation: Operation,
    endpoints: &[Endpoint],
) -> Operation {
    operation.tags = Some(vec![tag(&endpoint.path).to_owned()]);
    operation.security.get_or_insert(match endpoint.access {
        Access::Public => Vec::new(),
        Access::Read | Access::Write | Access::Account => {
            vec![SecurityRequirement::new::<_, _, String>(BEARER, [])]
        }
    });
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        body.required.get_or_insert(Required::False);
    }
    let problems = implied_problems(endpoint, &operation);
    let responses = &mut operation.responses.responses;
    for response in responses.values_mut() {
        if let RefOr::T(described) = response {
            match problems::named(&described.description) {
                Some(problem) => *response = RefOr::Ref(problem),
                None => complete_response(described, endpoints),
            }
        }
    }
    for kind in problems {
        responses
            .entry(kind.status().as_u16().to_string())
            .or_insert_with(|| RefOr::Ref(problems::reference(kind)));
    }
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(Parameter { name, .. }) = parameter
            && let Some(reference) = shared::parameter_reference(name)
        {
            *parameter = RefOr::Ref(reference);
        }
    }
    operation
}

fn tag(path: &str) -> &'static str {
    if path.starts_with("/api/v1/") {
        "tasks"
    } else if path.starts_with("/api/auth/") {
        "accounts"
    } else if path == "/mcp" || path.starts_with("/.well-known/") {
        "agents"
    } else {
        "operating"
    }
}

/// Returns the problems that the access, the method, the body and the parameters of an operation
/// imply.
fn implied_problems(endpoint: &Endpoint, operation: &Operation) -> BTreeSet<Kind> {
    let mut problems = BTreeSet::from([Kind::InternalError, Kind::MalformedRequest]);
    if matches!(endpoint.access, Access::Write | Access::Account) {
        problems.insert(Kind::InsufficientScope);
    }
    if endpoint.access != Access::Public {
        // The store knows whether a token has been revoked.
        problems.extend([
            Kind::Unauthorized,
            Kind::UserMoved,
            Kind::RateLimited,
            Kind::ServiceUnavailable,
        ]);
    }
    if endpoint.method != Method::GET {
        problems.extend([Kind::ServiceUnavailable, Kind::OutcomeUnknown]);
    }
    if operation.request_body.is_some() {
        problems.extend([
            Kind::MalformedRequest,
            Kind::RequestTimeout,
            Kind::PayloadTooLarge,
            Kind::UnsupportedMediaType,
            Kind::ValidationError,
        ]);
    }
    for parameter in operation.parameters.iter().flatten() {
        if let RefOr::T(Parameter { name, .. }) = parameter {
            problems.extend(match name.as_str() {
                "id" | "session" | "token" => &[Kind::NotFound][..],
                // Operations with `name` or `seq` describe their 404, those with `Taskhold-Page` their 403, and an
                // invalid device token counts as none.
                "name" | "seq" | "Device-Token" | "Taskhold-Page" => &[],
                "If-Match" => &[
                    Kind::MalformedRequest,
                    Kind::Forbidden,
                    Kind::PreconditionFailed,
                ],
                "Idempotency-Key" => &[
                    Kind::MalformedRequest,
                    Kind::Conflict,
                    Kind::ValidationError,
                ],
                _ => &[Kind::MalformedRequest],
            });
        }
    }
    problems
}

fn complete_response(response: &mut Response, endpoints: &[Endpoint]) {
    if response.headers.contains_key("Location") {
        response.links.extend(links_to_new_task(endpoints));
    }
    let names: Vec<_> = response.headers.keys().cloned().collect();
    for name in names.into_iter().chain(["X-Request-Id".to_owned()]) {
        let reference = shared::header_reference(&name);
        response.headers.insert(name, RefOr::Ref(reference));
    }
}

/// Returns links from the response that creates a task to the operations on that task.
fn links_to_new_task(endpoints: &[Endpoint]) -> impl Iterator<Item = (String, RefOr<Link>)> {
    endpoints
        .iter()
        .filter(|endpoint| endpoint.path.contains("{id}"))
        .filter_map(|endpoint| (endpoint.description?.operation)().operation_id)
        .map(|operation_id| {
            let link = LinkBuilder::new()
                .operation_id(&operation_id)
                .parameter("id", "$response.body#/task/id")
                .build();
            (operation_id, RefOr::T(link))
        })
}
