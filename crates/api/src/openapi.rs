//! The OpenAPI document of the API. `#[utoipa::path]` beside a handler describes what is particular to
//! its endpoint, and `#[derive(ToSchema)]` the types on the wire. This module adds what all
//! endpoints have in common, which follows from the route table and from the parts of an operation.
//!
//! | module | holds |
//! | --- | --- |
//! | `operation` | the problems, headers, links and security that every operation is completed with |
//! | `problems` | the responses that are problems |
//! | `shared` | headers and parameters that several endpoints share |

mod operation;
mod problems;
mod shared;
#[cfg(test)]
mod tests;

use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::route::Endpoint;
use crate::{accounts, changes, export, health, import, personal_tokens, problem, tasks, trash};

const ABOUT: &str = "\
A to-do service. A token's `sub` is the owner of tasks, and a caller sees and changes their own tasks only.

- JSON in UTF-8 both ways; times are RFC 3339 in UTC with microseconds and `Z`.
- Unknown members of a body are ignored, and of a member given twice the last counts. Answers may get more \
members, and problems more kinds: ignore what you do not know.
- `HEAD` works where `GET` does, and `OPTIONS` lists the methods of a path. Any other method of a known path is \
answered with 405 (`METHOD_NOT_ALLOWED`) and `Allow`.
- A query parameter that the path does not know is answered with 400, unless `Prefer: handling=lenient` (RFC 7240) \
has it ignored.
- Every answer carries `X-Request-Id`: the caller's, if it sent one of at most 128 visible ASCII characters, \
else one of the service.
- Every error is `application/problem+json` (RFC 9457); programs compare its `error_code`.";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Taskhold",
        version = "1",
        description = ABOUT,
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "The service that serves this document.")),
    components(schemas(
        problem::ProblemBody,
        problem::FieldError,
        problems::BrokenRules,
        problems::Stale,
        problems::UndoFailure,
        tasks::TaskDraft,
        tasks::TaskUpdate,
        tasks::TaskPatch,
        tasks::Completion,
        tasks::ChangedTask,
        tasks::QuickAddMembers,
        tasks::QuickTaskBody,
        tasks::TaskMove,
        tasks::OneTask,
        tasks::TaskList,
        tasks::Stats,
        changes::ChangesBody,
        changes::HistoryBody,
        changes::ChangeBody,
        changes::FieldChange,
        trash::TrashBody,
        trash::DeletedTask,
        export::ExportedTask,
        import::ImportedRows,
        import::ImportBody,
        import::RejectionBody,
        import::UnknownMemberBody,
        accounts::RegistrationBody,
        accounts::CredentialsBody,
        accounts::RefreshTokenBody,
        accounts::Logout,
        accounts::Deletion,
        accounts::PasswordChangeBody,
        accounts::OneUser,
        accounts::GrantBody,
        accounts::SessionBody,
        accounts::SessionList,
        personal_tokens::TokenDraftBody,
        personal_tokens::ScopeName,
        personal_tokens::PersonalTokenBody,
        personal_tokens::PersonalTokenList,
        personal_tokens::IssuedToken,
        health::Health,
    )),
    tags(
        (name = "tasks", description = "The caller's own tasks."),
        (name = "accounts", description = "For people who have no token of another service."),
        (name = "agents", description = "For programs that act for a person."),
        (name = "operating", description = "For whoever runs the service, and for tools."),
    ),
)]
struct Description;

/// Returns the document that describes these endpoints.
pub(crate) fn document(endpoints: &[Endpoint]) -> OpenApi {
    let mut document = Description::openapi();
    for endpoint in endpoints {
        let Some(description) = endpoint.description else {
            continue;
        };
        let operation = operation::complete(endpoint, (description.operation)(), endpoints);
        let methods = (description.methods)();
        document
            .paths
            .add_path_operation(&endpoint.path, methods, operation);
    }
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(
            "A JWT with an `exp` and the user's id as its `sub`: of a login here, or of another \
             service that this one trusts. Or a personal access token (`th_…`).",
        ));
    components.add_security_scheme(operation::BEARER, SecurityScheme::Http(bearer.build()));
    components.responses.extend(problems::responses());
    components.headers.extend(shared::headers());
    components.parameters.extend(shared::parameters());
    document
}
