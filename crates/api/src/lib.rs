//! The HTTP API: routes, wire types, and one type for every error.
//!
//! | module | holds |
//! | --- | --- |
//! | [`tasks`], [`export`], [`accounts`], [`health`], [`metrics`] | what the API offers; a file holds all that its endpoints need |
//! | [`openapi`], `docs_page` | the description of the API, for tools and for people |
//! | [`endpoint`] | the route table, from which routing, `Allow` and the access tests are made |
//! | [`caller`] | [`Caller`](caller::Caller), the proof in a handler's signature that a token was checked |
//! | [`body`] | reading a request body within limits |
//! | [`client_address`] | where a request came from, behind proxies that are trusted |
//! | [`idempotency`] | requests under a key, which are done once |
//! | [`problem`] | [`Problem`](problem::Problem), the one error type, as `application/problem+json` |
//! | [`cors`] | which other origins may use the API from a browser |
//! | [`trace`] | the trace that a request is a part of |
//! | [`boundary`] | the outermost layer: request ids, the log line, rendering problems |
//!
//! A request passes [`boundary`], is routed by [`endpoint`], proves its [`caller`], has its
//! [`body`] read, and ends in a handler of under twenty lines that calls one use case.

use std::sync::Arc;

use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::{NormalizePath, from_fn};
use actix_web::{App, Error, web};
use taskhold_application::accounts::AccountService;
use taskhold_application::clock::Clock;
use taskhold_application::ids::Ids;
use taskhold_application::readiness::Readiness;
use taskhold_application::revocations::Revocations;
use taskhold_application::tasks::TaskService;
use taskhold_application::tokens::TokenVerifier;

pub mod accounts;
pub mod body;
pub mod boundary;
pub mod caller;
pub mod client_address;
mod conditional;
pub mod cors;
mod docs_page;
pub mod endpoint;
pub mod export;
pub mod health;
pub mod idempotency;
pub mod metrics;
pub mod openapi;
mod panics;
pub mod problem;
pub mod tasks;
pub mod trace;

use crate::client_address::TrustedProxies;
use crate::cors::Origin;
use crate::metrics::Metrics;
use crate::trace::Traces;

/// What the API stands on. Cloning it shares everything.
#[derive(Clone)]
pub struct Services {
    /// The use cases of tasks.
    pub tasks: TaskService,
    /// The use cases of accounts.
    pub accounts: AccountService,
    /// Who is asking.
    pub tokens: Arc<dyn TokenVerifier>,
    /// Which of the sound tokens count.
    pub revocations: Arc<Revocations>,
    /// The proxies that are believed where a request came from.
    pub proxies: TrustedProxies,
    /// Whether requests can be served.
    pub readiness: Arc<Readiness>,
    /// The time in problems.
    pub clock: Arc<dyn Clock>,
    /// The ids of requests.
    pub ids: Arc<dyn Ids>,
    /// The pages of other origins that browsers may let use the API.
    pub origins: Vec<Origin>,
    /// What `/metrics` shows; `None` where it is served elsewhere.
    pub metrics: Option<Metrics>,
    /// Where spans go; `None` where nobody takes them.
    pub traces: Option<Arc<dyn Traces>>,
}

/// The whole API as an actix-web application.
pub fn app(
    services: Services,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse,
        Error = Error,
        InitError = (),
    >,
> {
    App::new()
        .app_data(web::Data::new(services.tasks))
        .app_data(web::Data::new(services.accounts))
        .app_data(web::Data::<dyn TokenVerifier>::from(services.tokens))
        .app_data(web::Data::from(services.revocations))
        .app_data(web::Data::new(services.proxies))
        .app_data(web::Data::from(services.readiness))
        .app_data(web::Data::<dyn Clock>::from(services.clock))
        .app_data(web::Data::<dyn Ids>::from(services.ids))
        .app_data(web::Data::new(services.metrics))
        .app_data(web::Data::new(services.traces))
        .configure(endpoint::configure)
        .default_service(web::to(endpoint::no_such_route))
        .wrap(cors::layer(&services.origins))
        .wrap(NormalizePath::trim())
        .wrap(from_fn(boundary::boundary))
}
