//! The route table: every endpoint is a row, and other crates may add rows. Routing, `HEAD`, `OPTIONS`, `Allow`, the
//! OpenAPI document and the access tests are made from the rows, so that a route without a row does not exist.

#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use utoipa::openapi::Server;

use crate::base_path::BasePath;
use crate::body::JSON;
use crate::problem::Problem;
use crate::route::{Access, Endpoint};
use crate::{
    accounts, changes, docs_page, export, health, import, metrics, openapi, personal_tokens, tasks,
    trash,
};

/// Returns every endpoint of the API.
#[must_use]
pub fn endpoints() -> Vec<Endpoint> {
    [
        tasks::endpoints(),
        changes::endpoints(),
        trash::endpoints(),
        export::endpoints(),
        import::endpoints(),
        accounts::endpoints(),
        personal_tokens::endpoints(),
        health::endpoints(),
        metrics::endpoints(),
        vec![Endpoint::new::<__path_read_document>(
            Access::Public,
            || web::to(read_document),
        )],
        docs_page::endpoints(),
    ]
    .concat()
}

/// Returns the endpoint that leads from `/` to the documentation. A program adds it if it serves nothing else at `/`.
#[must_use]
pub fn redirect_to_docs() -> Endpoint {
    docs_page::redirect()
}

/// Returns every endpoint of the API, and then further ones.
pub(crate) fn with_further(further: Vec<Endpoint>) -> Vec<Endpoint> {
    [endpoints(), further].concat()
}

/// Returns the OpenAPI document of the API and of further endpoints, indented.
///
/// # Errors
/// None that is known: the document can always be written as JSON.
pub fn openapi_document(further: Vec<Endpoint>) -> serde_json::Result<String> {
    openapi::document(&with_further(further)).to_pretty_json()
}

/// The OpenAPI document that an application serves, built at the first request for it.
pub(crate) struct ServedDocument {
    endpoints: Vec<Endpoint>,
    bytes: OnceLock<serde_json::Result<Bytes>>,
}

impl ServedDocument {
    /// Returns the document of these endpoints.
    pub(crate) fn of(endpoints: &[Endpoint]) -> Self {
        Self {
            endpoints: endpoints.to_vec(),
            bytes: OnceLock::new(),
        }
    }

    fn bytes(&self, base_path: &str) -> &serde_json::Result<Bytes> {
        self.bytes.get_or_init(|| {
            let mut document = openapi::document(&self.endpoints);
            if !base_path.is_empty() {
                document.servers = Some(vec![Server::new(base_path)]);
            }
            serde_json::to_vec(&document).map(Bytes::from)
        })
    }
}

/// This document
///
/// OpenAPI 3.1, for generators of clients and other programs.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    responses((
        status = 200,
        description = "The document.",
        body = Object,
        content_type = JSON,
        example = json!({"openapi": "3.1.0"}),
    )),
)]
async fn read_document(
    request: HttpRequest,
    document: web::Data<ServedDocument>,
) -> Result<HttpResponse, Problem> {
    match document.bytes(BasePath::of(&request)) {
        Ok(document) => Ok(HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, JSON))
            .body(document.clone())),
        Err(error) => Err(Problem::internal(error.to_string())),
    }
}
