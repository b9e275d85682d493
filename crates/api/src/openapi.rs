//! The OpenAPI document of the API, made from its code: who may ask comes from the route table, limits
//! from the domain, error codes from the [kinds](crate::problem::Kind) of problems. It is built once, when
//! somebody first asks for it.
//!
//! | module | holds |
//! | --- | --- |
//! | `tasks`, `accounts`, `operating` | what is said of the endpoints, and the schemas of what they take and give |
//! | `problems` | the answers that are problems |
//! | `fields` | headers and parameters that several endpoints share |
//! | `operation` | how an endpoint is described |
//! | `schema` | how a schema is written |

mod accounts;
mod fields;
mod operating;
mod operation;
mod problems;
mod schema;
mod tasks;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use actix_web::http::Method;
use actix_web::web::{self, Bytes};
use actix_web::{HttpResponse, http::header::CONTENT_TYPE};
use utoipa::openapi::path::Paths;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};

use self::operation::BEARER;
use crate::body::JSON;
use crate::endpoint::{Access, Endpoint};
use crate::problem::Problem;

/// Where the document is.
pub(crate) const PATH: &str = "/openapi.json";

const TITLE: &str = "Taskhold";

const ABOUT: &str = "\
A to-do service. A token's `sub` is the owner of tasks, and a caller sees and changes their own tasks only.

- JSON in UTF-8 both ways; times are RFC 3339 in UTC with microseconds and `Z`.
- Unknown members of a body are ignored, and of a member given twice the last counts. Answers may get more \
members, and problems more kinds: ignore what you do not know.
- `HEAD` works where `GET` does, and `OPTIONS` lists the methods of a path. Any other method of a known path is \
answered with 405 and `Allow`.
- Every answer carries `X-Request-Id`: the caller's, if it sent one of at most 128 visible ASCII characters, \
else one of the service.
- Every error is `application/problem+json` (RFC 9457); programs compare its `error_code`.";

static RENDERED: LazyLock<serde_json::Result<Bytes>> =
    LazyLock::new(|| serde_json::to_vec(&document()).map(Bytes::from));

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::new(Method::GET, PATH, Access::Public, || {
        web::to(read)
    })]
}

async fn read() -> Result<HttpResponse, Problem> {
    match &*RENDERED {
        Ok(document) => Ok(HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, JSON))
            .body(document.clone())),
        Err(error) => Err(Problem::internal(error.to_string())),
    }
}

/// The document as a file for people and tools.
///
/// # Errors
/// None that is known: a document can be written as JSON.
pub fn pretty() -> serde_json::Result<String> {
    document().to_pretty_json()
}

fn document() -> OpenApi {
    let mut descriptions = tasks::descriptions();
    descriptions.extend(accounts::descriptions());
    descriptions.extend(operating::descriptions());
    let mut paths = Paths::new();
    for endpoint in crate::endpoint::endpoints() {
        // One without a description is missed by a test.
        if let Some(place) = descriptions.iter().position(|it| it.is_of(&endpoint)) {
            let description = descriptions.swap_remove(place);
            let (method, operation) =
                (description.method(), description.operation(endpoint.access));
            paths.add_path_operation(endpoint.path, vec![method], operation);
        }
    }
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title(TITLE)
                .version("1")
                .description(Some(ABOUT))
                .license(Some(
                    LicenseBuilder::new()
                        .name("MIT OR Apache-2.0")
                        .identifier(Some("MIT OR Apache-2.0"))
                        .build(),
                ))
                .build(),
        )
        .paths(paths)
        .components(Some(components()))
        .tags(Some(tags()))
        .build()
}

fn components() -> utoipa::openapi::Components {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(
            "A JWT with an `exp` and the user's id as its `sub`: of a login here, or of another \
             service that this one trusts.",
        ));
    let components = ComponentsBuilder::new()
        .security_scheme(BEARER, SecurityScheme::Http(bearer.build()))
        .schemas_from_iter(problems::schemas())
        .schemas_from_iter(tasks::schemas())
        .schemas_from_iter(accounts::schemas())
        .schemas_from_iter(operating::schemas())
        .responses_from_iter(problems::responses());
    let components = fields::headers()
        .into_iter()
        .fold(components, |components, (name, header)| {
            components.header(name, header)
        });
    fields::parameters()
        .into_iter()
        .fold(components, |components, (name, parameter)| {
            components.parameter(name, parameter)
        })
        .build()
}

fn tags() -> [utoipa::openapi::Tag; 3] {
    [
        (tasks::TAG, "What there is to do, of the caller alone."),
        (
            accounts::TAG,
            "For people who have no token of another service.",
        ),
        (
            operating::TAG,
            "For whoever runs the service, and for tools.",
        ),
    ]
    .map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build())
}
