//! The metadata of a protected resource (RFC 9728), by which clients find the authorization server.

use std::sync::Arc;

use actix_web::http::header::HOST;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};
use taskhold_api::base_path::BasePath;
use taskhold_api::body::JSON;
use taskhold_api::problem::Problem;
use taskhold_api::route::{Access, Endpoint};

use crate::PATH;
use crate::settings::McpSettings;

const METADATA: &str = "/.well-known/oauth-protected-resource";
const METADATA_OF_ENDPOINT: &str = "/.well-known/oauth-protected-resource/mcp";

pub(crate) fn rows(settings: &Arc<McpSettings>) -> [Endpoint; 2] {
    let (first, second) = (Arc::clone(settings), Arc::clone(settings));
    [
        Endpoint::new::<__path_of_endpoint>(Access::Public, move || {
            let settings = Arc::clone(&first);
            web::to(move |request| of_endpoint(Arc::clone(&settings), request))
        }),
        Endpoint::new::<__path_at_root>(Access::Public, move || {
            let settings = Arc::clone(&second);
            web::to(move |request| at_root(Arc::clone(&settings), request))
        }),
    ]
}

/// Find the authorization server of `/mcp`
///
/// The metadata of a protected resource (RFC 9728). It names an authorization server if an issuer is configured.
#[utoipa::path(
    get,
    path = METADATA_OF_ENDPOINT,
    operation_id = "mcpMetadata",
    responses((
        status = 200,
        description = "The metadata.",
        body = Object,
        content_type = JSON,
        example = example,
    )),
)]
async fn of_endpoint(settings: Arc<McpSettings>, request: HttpRequest) -> HttpResponse {
    metadata(&settings, &request)
}

/// Find the authorization server of `/mcp` at the root
///
/// The same as `/.well-known/oauth-protected-resource/mcp`, for clients that look here.
#[utoipa::path(
    get,
    path = METADATA,
    operation_id = "mcpMetadataAtRoot",
    responses((
        status = 200,
        description = "The metadata.",
        body = Object,
        content_type = JSON,
        example = example,
    )),
)]
async fn at_root(settings: Arc<McpSettings>, request: HttpRequest) -> HttpResponse {
    metadata(&settings, &request)
}

fn example() -> Value {
    json!({
        "resource": "https://todo.example/mcp",
        "resource_name": "Taskhold",
        "bearer_methods_supported": ["header"],
        "authorization_servers": ["https://app.example"],
    })
}

fn metadata(settings: &McpSettings, request: &HttpRequest) -> HttpResponse {
    let mut document = json!({
        "resource": format!("{}{PATH}", base_url(settings, request)),
        "resource_name": "Taskhold",
        "bearer_methods_supported": ["header"],
    });
    let members = document.as_object_mut();
    if let (Some(members), Some(server)) = (members, &settings.authorization_server) {
        members.insert("authorization_servers".to_owned(), json!([server]));
    }
    HttpResponse::Ok().json(document)
}

/// Tells a client without a valid token where the metadata is.
pub(crate) fn challenge(
    problem: Problem,
    settings: &McpSettings,
    request: &HttpRequest,
) -> Problem {
    let url = format!("{}{METADATA_OF_ENDPOINT}", base_url(settings, request));
    problem.with_challenge_parameter("resource_metadata", &url)
}

/// Returns the URL under which the service is published. Without a setting it is that of the request, which names
/// itself alone: no answer is kept for other clients.
fn base_url(settings: &McpSettings, request: &HttpRequest) -> String {
    if let Some(url) = &settings.url {
        return url.base().to_owned();
    }
    let host = request.headers().get(HOST);
    let host = host.and_then(|host| host.to_str().ok());
    let host = host.unwrap_or("localhost");
    format!("http://{host}{}", BasePath::of(request))
}
