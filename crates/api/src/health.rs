//! Whether the service lives, and whether it can serve.

use actix_web::http::Method;
use actix_web::{HttpResponse, web};
use serde::Serialize;
use taskhold_application::readiness::{NotReady, Readiness};

use crate::endpoint::{Access, Endpoint};

pub(crate) const HEALTH: &str = "/health";
pub(crate) const LIVE: &str = "/health/live";
pub(crate) const READY: &str = "/health/ready";

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(Method::GET, HEALTH, Access::Public, || web::to(health)),
        Endpoint::new(Method::GET, LIVE, Access::Public, || web::to(live)),
        Endpoint::new(Method::GET, READY, Access::Public, || web::to(ready)),
    ]
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<&'static str>,
}

/// Really asks the store.
async fn health(readiness: web::Data<Readiness>) -> HttpResponse {
    match readiness.store_answers().await {
        Ok(()) => HttpResponse::Ok().json(Health {
            status: "healthy",
            database: Some("connected"),
        }),
        Err(_away) => HttpResponse::ServiceUnavailable().json(Health {
            status: "unhealthy",
            database: Some("disconnected"),
        }),
    }
}

/// Asks nobody: a store that is away is no reason to restart the service.
async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Health {
        status: "alive",
        database: None,
    })
}

/// Whether to send requests here: the store answers, it is migrated, and the service stays.
async fn ready(readiness: web::Data<Readiness>) -> HttpResponse {
    match readiness.check().await {
        Ok(()) => HttpResponse::Ok().json(Health {
            status: "ready",
            database: None,
        }),
        Err(reason) => {
            let action = match reason {
                NotReady::SchemaOutdated => "; run `taskhold migrate up`",
                _ => "",
            };
            tracing::warn!(reason = %format_args!("{reason}{action}"), "not ready");
            HttpResponse::ServiceUnavailable().json(Health {
                status: "not ready",
                database: None,
            })
        }
    }
}
