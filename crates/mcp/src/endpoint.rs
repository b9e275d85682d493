//! `POST /mcp`: a message in, an answer out.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use taskhold_api::body::{Body, JSON};
use taskhold_api::caller::{Caller, Read};
use taskhold_api::problem::Problem;
use taskhold_api::route::{Access, Endpoint};
use utoipa::openapi::schema::{AdditionalProperties, Type};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::message::{self, Message, Refusal};
use crate::methods;
use crate::revision::Revision;
use crate::settings::McpSettings;
use crate::tools::{Context, UseCases};
use crate::{PATH, metadata, origin};

pub(crate) fn row(settings: Arc<McpSettings>) -> Endpoint {
    Endpoint::new::<__path_post>(Access::Read, move || {
        let settings = Arc::clone(&settings);
        web::to(move |caller, request, (tasks, log, clock), body| {
            let use_cases = UseCases { tasks, log, clock };
            post(Arc::clone(&settings), caller, request, use_cases, body)
        })
    })
}

/// A message of JSON-RPC, whose members depend on its method.
struct MessageBody;

impl ToSchema for MessageBody {}

impl PartialSchema for MessageBody {
    fn schema() -> RefOr<Schema> {
        let any = AdditionalProperties::FreeForm(true);
        let object = ObjectBuilder::new().schema_type(Type::Object);
        object.additional_properties(Some(any)).into()
    }
}

/// Use tasks as an agent
///
/// The Model Context Protocol over HTTP, revisions 2026-07-28 and 2025-11-25: one message of JSON-RPC 2.0 in each
/// request. Its errors are messages of JSON-RPC too. The protocol says which headers a message needs: all but
/// `initialize` and notifications `MCP-Protocol-Version`, from 2026-07-28 on also `Mcp-Method` and, for a call of a tool,
/// `Mcp-Name`.
#[utoipa::path(
    post,
    path = PATH,
    operation_id = "mcp",
    request_body(
        content = inline(MessageBody),
        description = "A request or a notification.",
        content_type = "application/json",
        example = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}}),
    ),
    responses(
        (
            status = 200,
            description = "The result; of a tool that failed, what went wrong.",
            body = Object,
            content_type = "application/json",
            example = json!({"jsonrpc": "2.0", "id": 1, "result": {}}),
        ),
        (status = 202, description = "The notification has arrived."),
        (
            status = 400,
            description = "The message is malformed, of a revision that is not supported, or contradicts the headers.",
            content(
                (Object = "application/json", example = json!({"jsonrpc": "2.0", "error": {"code": -32700, "message": "…"}})),
                (Object = "application/problem+json", example = json!({"status": 400})),
            ),
        ),
        (
            status = 403,
            description = "The origin of the page is not allowed, or the token may not change anything.",
            content(
                (Object = "application/json", example = json!({"jsonrpc": "2.0", "error": {"code": -32600, "message": "…"}})),
                (Object = "application/problem+json", example = json!({"status": 403})),
            ),
        ),
        (
            status = 404,
            description = "There is no such method.",
            body = Object,
            content_type = "application/json",
            example = json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "…"}}),
        ),
    ),
)]
async fn post(
    settings: Arc<McpSettings>,
    caller: Result<Caller<Read>, Problem>,
    request: HttpRequest,
    use_cases: UseCases,
    body: Body,
) -> Result<HttpResponse, Problem> {
    if let Err(error) = origin::check(request.headers(), &settings.origins) {
        return Ok(message::failure(None, &error));
    }
    let challenge = |problem| metadata::challenge(problem, &settings, &request);
    let caller = caller.map_err(challenge)?;
    let body = body.read(&[JSON]).await?;
    let message = match message::read(body.as_bytes()) {
        Ok(Message::Request(message)) => message,
        Ok(Message::Notification) => {
            return Ok(match Revision::check_header(request.headers()) {
                Ok(()) => HttpResponse::Accepted().finish(),
                Err(error) => message::failure(None, &error),
            });
        }
        Err((id, error)) => return Ok(message::failure(id.as_ref(), &error)),
    };
    let context = Context {
        user: caller.id(),
        writer: caller.writer(),
        use_cases: &use_cases,
    };
    match methods::answer(&context, request.headers(), &message).await {
        Ok(answer) => Ok(answer),
        Err(Refusal::Rpc(error)) => Ok(message::failure(Some(&message.id), &error)),
        Err(Refusal::Http(problem)) => Err(challenge(problem)),
    }
}
