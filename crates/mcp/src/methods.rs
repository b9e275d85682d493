//! The methods of the protocol.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::message::{Refusal, Request, RpcError, success};
use crate::revision::Revision;
use crate::tools::{self, Context, Tool};

/// The time for which a client may keep a list of tools and the answer to `server/discover`, in milliseconds. Both change with a
/// version of the program, or the scopes of the token.
const TTL_MILLISECONDS: u32 = 300_000;

/// The instructions for a model about all tools.
const INSTRUCTIONS: &str = "\
The to-do list of one user. Results of tools that write have `seq`: `undo` takes back that write. Deleted tasks stay \
in the trash for days, and `undo` brings them back. If an answer is lost, repeat the call with the same `key`: it is \
done once. An error says what to do, has a `code`, and `retry_after` (seconds) where waiting helps.";

/// Answers a request.
///
/// # Errors
/// The reason that there is no result.
pub(crate) async fn answer(
    context: &Context<'_>,
    headers: &HeaderMap,
    request: &Request,
) -> Result<HttpResponse, Refusal> {
    match Revision::of(headers, request)? {
        Revision::Stateless => answer_stateless(context, request).await,
        Revision::Handshake => {
            let answer = answer_after_handshake(context, request).await;
            answer.map_err(with_status_ok)
        }
    }
}

async fn answer_stateless(
    context: &Context<'_>,
    request: &Request,
) -> Result<HttpResponse, Refusal> {
    let id = &request.id;
    match request.method.as_str() {
        "server/discover" => Ok(success(id, complete(discovery()))),
        "tools/list" => {
            // A token with other scopes sees other tools.
            let list = list(context, request, Some(Caching::new("private")))?;
            Ok(success(id, complete(list)))
        }
        "tools/call" => Ok(success(id, complete(call(context, request).await?))),
        method => Err(no_such_method(Revision::Stateless, method).into()),
    }
}

async fn answer_after_handshake(
    context: &Context<'_>,
    request: &Request,
) -> Result<HttpResponse, Refusal> {
    let id = &request.id;
    match request.method.as_str() {
        "initialize" => Ok(success(id, introduction())),
        "ping" => Ok(success(id, Map::new())),
        "tools/list" => Ok(success(id, list(context, request, None)?)),
        "tools/call" => Ok(success(id, call(context, request).await?)),
        method => Err(no_such_method(Revision::Handshake, method).into()),
    }
}

/// Gives an error the status of a success: clients of the older revision take any other for a failure of the connection.
fn with_status_ok(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Rpc(error) => Refusal::Rpc(RpcError {
            status: StatusCode::OK,
            ..error
        }),
        problem @ Refusal::Http(_) => problem,
    }
}

fn no_such_method(revision: Revision, method: &str) -> RpcError {
    let method: String = method.chars().take(100).collect();
    let text = format!(
        "Method not found: there is no `{method}` in revision {}.",
        revision.name()
    );
    RpcError::new(StatusCode::NOT_FOUND, -32601, text)
}

/// Lists the tools, which are on one page.
fn list(
    context: &Context<'_>,
    request: &Request,
    caching: Option<Caching>,
) -> Result<ToolList, RpcError> {
    if request
        .params
        .get("cursor")
        .is_some_and(|cursor| !cursor.is_null())
    {
        let text = "The tools are on one page: `cursor` leads to no other.";
        return Err(RpcError::invalid_params(text));
    }
    Ok(ToolList {
        tools: tools::definitions(context.writer.is_some()),
        caching,
    })
}

async fn call(context: &Context<'_>, request: &Request) -> Result<tools::ToolResult, Refusal> {
    let Some(Value::String(name)) = request.params.get("name") else {
        return Err(
            RpcError::invalid_params("The member `name` must be the name of a tool.").into(),
        );
    };
    let tool = Tool::parse(name).ok_or_else(|| {
        let name: String = name.chars().take(100).collect();
        let may_write = context.writer.is_some();
        let known = Tool::ALL
            .into_iter()
            .filter(|tool| may_write || !tool.writes());
        let known = known.map(Tool::name).collect::<Vec<_>>().join(", ");
        RpcError::invalid_params(format!("Unknown tool: {name}. There are {known}."))
    })?;
    let empty = Map::new();
    let arguments = match request.params.get("arguments") {
        None | Some(Value::Null) => &empty,
        Some(Value::Object(arguments)) => arguments,
        Some(_) => {
            return Err(
                RpcError::invalid_params("The member `arguments` must be an object.").into(),
            );
        }
    };
    Ok(tool.call(context, arguments).await?)
}

/// A result of the newer revision.
#[derive(Serialize)]
struct Complete<T> {
    #[serde(rename = "resultType")]
    result_type: &'static str,
    #[serde(flatten)]
    result: T,
    #[serde(rename = "_meta")]
    meta: Value,
}

fn complete<T>(result: T) -> Complete<T> {
    Complete {
        result_type: "complete",
        result,
        meta: json!({"io.modelcontextprotocol/serverInfo": server_info()}),
    }
}

#[derive(Serialize)]
struct Caching {
    #[serde(rename = "ttlMs")]
    ttl_ms: u32,
    #[serde(rename = "cacheScope")]
    scope: &'static str,
}

impl Caching {
    fn new(scope: &'static str) -> Self {
        Self {
            ttl_ms: TTL_MILLISECONDS,
            scope,
        }
    }
}

#[derive(Serialize)]
struct ToolList {
    tools: Vec<&'static Value>,
    #[serde(flatten)]
    caching: Option<Caching>,
}

#[derive(Serialize)]
struct Discovery {
    #[serde(rename = "supportedVersions")]
    supported_versions: [&'static str; 2],
    capabilities: Value,
    instructions: &'static str,
    #[serde(flatten)]
    caching: Caching,
}

fn discovery() -> Discovery {
    Discovery {
        supported_versions: Revision::ALL.map(Revision::name),
        capabilities: capabilities(),
        instructions: INSTRUCTIONS,
        caching: Caching::new("public"),
    }
}

/// Returns the answer to `initialize`, which is the same whatever revision the client asks for: one that cannot speak
/// this one gives up.
fn introduction() -> Value {
    json!({
        "protocolVersion": Revision::Handshake.name(),
        "capabilities": capabilities(),
        "serverInfo": server_info(),
        "instructions": INSTRUCTIONS,
    })
}

fn capabilities() -> Value {
    json!({"tools": {}})
}

fn server_info() -> Value {
    json!({"name": "taskhold", "title": "Taskhold", "version": env!("CARGO_PKG_VERSION")})
}
