//! The health checks of the service and of its store.

use actix_web::{HttpResponse, HttpResponseBuilder, web};
use serde::Serialize;
use taskhold_application::readiness::Readiness;
use utoipa::ToSchema;

use crate::route::{Access, Endpoint};

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new::<__path_health>(Access::Public, || web::to(health)),
        Endpoint::new::<__path_live>(Access::Public, || web::to(live)),
        Endpoint::new::<__path_ready>(Access::Public, || web::to(ready)),
    ]
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, examples("connected", "disconnected"))]
    database: Option<&'static str>,
    /// The reason that the service is not ready: `store_unavailable`, `store_takes_no_writes`, `schema_outdated` or `stopping`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, examples("schema_outdated"))]
    reason: Option<&'static str>,
}

/// Check the store
///
/// For people and monitoring. A load balancer checks `/health/ready` instead.
#[utoipa::path(
    get,
    path = "/health",
    responses(
        (
            status = 200,
            description = "The store answers.",
            body = Health,
            example = json!({"status": "healthy", "database": "connected"}),
        ),
        (
            status = 503,
            description = "The store does not answer within two seconds.",
            body = Health,
            example = json!({"status": "unhealthy", "database": "disconnected"}),
        ),
    ),
)]
async fn health(readiness: web::Data<Readiness>) -> HttpResponse {
    let (mut response, status, database) = match readiness.store_answers().await {
        Ok(()) => (HttpResponse::Ok(), "healthy", "connected"),
        Err(_) => (
            HttpResponse::ServiceUnavailable(),
            "unhealthy",
            "disconnected",
        ),
    };
    respond(&mut response, status, Some(database))
}

/// Check the service
///
/// Asks nobody: for supervisors.
#[utoipa::path(
    get,
    path = "/health/live",
    responses((status = 200, description = "The service runs.", body = Health, example = json!({"status": "alive"}))),
)]
async fn live() -> HttpResponse {
    // The store is not asked, since a restart of the service does not bring it back.
    respond(&mut HttpResponse::Ok(), "alive", None)
}

/// Check whether requests can be served
///
/// The store answers and takes writes, it is migrated, and the service is not about to stop: for load balancers.
#[utoipa::path(
    get,
    path = "/health/ready",
    responses(
        (status = 200, description = "Requests are served here.", body = Health, example = json!({"status": "ready"})),
        (status = 503, description = "Requests are to be sent elsewhere.", body = Health, example = json!({"status": "not ready", "reason": "schema_outdated"})),
    ),
)]
async fn ready(readiness: web::Data<Readiness>) -> HttpResponse {
    match readiness.check().await {
        Ok(()) => respond(&mut HttpResponse::Ok(), "ready", None),
        Err(reason) => HttpResponse::ServiceUnavailable().json(Health {
            status: "not ready",
            database: None,
            reason: Some(reason.code()),
        }),
    }
}

fn respond(
    response: &mut HttpResponseBuilder,
    status: &'static str,
    database: Option<&'static str>,
) -> HttpResponse {
    response.json(Health {
        status,
        database,
        reason: None,
    })
}
