//! The route table: every endpoint is a row. Routing, `HEAD`, `OPTIONS`, `Allow`, the OpenAPI document
//! and the access tests are made from the rows, so that a route without a row does not exist.

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
    accounts, changes, docs_page, export, health, metrics, openapi, personal_tokens, tasks, trash,
};

/// Returns every endpoint of the API.
#[must_use]
pub fn endpoints() -> Vec<Endpoint> {
    [
        tasks::endpoints(),
        changes::endpoints(),
        trash::endpoints(),
        export::endpoints(),
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

/// Returns the OpenAPI document, indented.
///
/// # Errors
/// None that is known: the document can always be written as JSON.
pub fn openapi_document() -> serde_json::Result<String> {
    openapi::document(&endpoints()).to_pretty_json()
}

/// The OpenAPI document that an application serves, built at the first request for it.
#[derive(Default)]
pub(crate) struct ServedDocument(OnceLock<serde_json::Result<Bytes>>);

impl ServedDocument {
    fn bytes(&self, base_path: &str) -> &serde_json::Result<Bytes> {
        self.0.get_or_init(|| {
            let mut document = openapi::document(&endpoints());
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
