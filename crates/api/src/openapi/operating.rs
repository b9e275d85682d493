//! Health, metrics, and what describes the API.

use actix_web::http::{Method, StatusCode};
use serde_json::{Value, json};
use utoipa::openapi::Required;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::Type;

use super::operation::{Description, answer, content, describe, json_answer};
use super::schema::{Named, of_type, text, with};
use crate::body::JSON;
use crate::docs_page::{self, ASSETS};
use crate::problem::Kind;
use crate::{health, metrics};

pub(super) const TAG: &str = "operating";

pub(super) fn descriptions() -> Vec<Description> {
    let describe = |path, name, summary| describe(TAG, Method::GET, path, name, summary);
    vec![
        describe(health::HEALTH, "health", "Whether the store answers")
            .answering(
                StatusCode::OK,
                state("It does.", json!({"status": "healthy", "database": "connected"})),
            )
            .answering(
                StatusCode::SERVICE_UNAVAILABLE,
                state(
                    "It does not, within two seconds.",
                    json!({"status": "unhealthy", "database": "disconnected"}),
                ),
            ),
        describe(health::LIVE, "live", "Whether the service runs")
            .saying("Asks nobody: for supervisors.")
            .answering(StatusCode::OK, state("It does.", json!({"status": "alive"}))),
        describe(health::READY, "ready", "Whether to send requests here")
            .saying("The store answers, it is migrated, and the service is not about to stop: for load balancers.")
            .answering(StatusCode::OK, state("Yes.", json!({"status": "ready"})))
            .answering(
                StatusCode::SERVICE_UNAVAILABLE,
                state("No.", json!({"status": "not ready"})),
            ),
        describe(metrics::PATH, "metrics", "What is measured, for Prometheus")
            .saying("Not found where metrics have a listener of their own, as in production.")
            .failing(&[Kind::NotFound])
            .answering(StatusCode::OK, plain("The metrics.", "text/plain", "")),
        describe(super::PATH, "openapi", "This document").answering(
            StatusCode::OK,
            answer("The document.")
                .content(JSON, content(of_type(Type::Object), json!({"openapi": "3.1.0"}))),
        ),
        describe(docs_page::PAGE, "docs", "This document as a page to read and try")
            .answering(StatusCode::OK, plain("The page.", "text/html", "<!doctype html>")),
        describe(docs_page::ASSET, "docsAsset", "What the page is made of")
            .parameter(
                ParameterBuilder::new()
                    .name("name")
                    .parameter_in(ParameterIn::Path)
                    .required(Required::True)
                    .schema(Some(text().enum_values(Some(ASSETS.map(|asset| asset.name))))),
            )
            .failing(&[Kind::NotFound])
            .answering(
                StatusCode::OK,
                plain("A script.", "text/javascript", "").content(
                    "text/css",
                    content(text(), json!("")),
                ),
            ),
    ]
}

pub(super) fn schemas() -> Vec<Named> {
    vec![(
        "Health",
        with([(
            "database",
            text().examples(["connected", "disconnected"]).into(),
        )])
        .property("status", text())
        .required("status")
        .into(),
    )]
}

fn state(text: &str, example: Value) -> ResponseBuilder {
    json_answer(text, "Health", example)
}

fn plain(said: &str, media_type: &str, example: &str) -> ResponseBuilder {
    answer(said).content(media_type, content(text(), json!(example)))
}
