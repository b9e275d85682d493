//! The HTTP API: routes, wire types, and one type for every error.
//!
//! | module | holds |
//! | --- | --- |
//! | [`routes`] | the route table, which lists the endpoints of all modules |
//! | `openapi` | the OpenAPI document, completed with what the endpoints have in common |
//! | [`tasks`], [`export`], [`import`], [`accounts`], [`health`], [`metrics`], `docs_page` | endpoints: routes, descriptions, wire types and handlers |
//! | [`middleware`] | the request middleware: request ids, the log line, rendering of problems |
//! | `target` | checks of the host and the path that all requests have in common |
//! | [`cors`] | the origins whose pages may use the API from a browser |
//! | [`route`] | a row of the route table, and how routing is made from the rows |
//! | [`caller`] | [`Caller`](caller::Caller), the authenticated user of a request |
//! | [`body`], `upload` | reading a request body, or a file, within limits |
//! | `parameters` | the query parameters that endpoints know, and the refusal of others |
//! | [`client_address`] | the address of a client behind trusted proxies |
//! | [`base_path`] | the path under which a reverse proxy publishes the service |
//! | `header_values` | parsing of header values with parameters and quoted strings |
//! | `conditional`, [`idempotency`] | the headers `If-Match`, `If-None-Match` and `Idempotency-Key` |
//! | [`problem`] | [`Problem`](problem::Problem), the error type, as `application/problem+json` |
//! | [`request_log`] | the log of requests |
//! | [`trace`] | the trace that a request belongs to |
//!
//! A request passes [`middleware`], is routed by [`route`], is authenticated as a [`caller`], has its
//! [`body`] read, and ends in a handler of under twenty lines that calls one use case.
//!
//! Invariant: modules form no import cycle. [`route`] knows no handler, and [`problem`] no endpoint.

use std::sync::Arc;

use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::{NormalizePath, from_fn};
use actix_web::{App, Error, web};
use taskhold_application::accounts::AccountService;
use taskhold_application::authentication::Authenticator;
use taskhold_application::change_log::{ChangeLog, Trash};
use taskhold_application::clock::Clock;
use taskhold_application::ids::Ids;
use taskhold_application::import::UserImports;
use taskhold_application::readiness::Readiness;
use taskhold_application::tasks::TaskService;
use taskhold_application::user_limit::UserLimit;

pub mod accounts;
pub mod base_path;
pub mod body;
pub mod caller;
pub mod change_seq;
pub mod changes;
pub mod client_address;
mod conditional;
pub mod cors;
mod cursor;
mod docs_page;
pub mod export;
mod header_values;
pub mod health;
pub mod idempotency;
pub mod import;
mod json;
pub mod metrics;
pub mod middleware;
mod openapi;
mod panics;
mod parameters;
pub mod personal_tokens;
pub mod problem;
pub mod request_log;
pub mod route;
pub mod routes;
mod schema;
mod target;
pub mod tasks;
pub mod trace;
pub mod trash;
mod upload;

use crate::base_path::BasePath;
use crate::client_address::TrustedProxies;
use crate::conditional::AcceptWeakETags;
use crate::cors::Origin;
use crate::metrics::Metrics;
use crate::request_log::LeftOut;
use crate::route::Endpoint;
use crate::trace::Traces;

/// The services that the API is built on. A clone shares them.
#[derive(Clone)]
pub struct Services {
    /// The use cases of tasks.
    pub tasks: TaskService,
    /// The imports of users.
    pub imports: UserImports,
    /// The change log.
    pub change_log: ChangeLog,
    /// The trash.
    pub trash: Trash,
    /// The use cases of accounts.
    pub accounts: AccountService,
    /// Verifies the tokens of requests, and has the personal access tokens.
    pub authenticator: Authenticator,
    /// The limit on the requests that each user has in progress.
    pub user_limit: Arc<UserLimit>,
    /// The proxies whose `X-Forwarded-For` and `Forwarded` are trusted.
    pub proxies: TrustedProxies,
    /// The path under which a reverse proxy publishes the service.
    pub base_path: BasePath,
    /// `true` if a weak entity tag in `If-Match` matches like a strong one: a proxy that compresses makes tags weak.
    pub accept_weak_etags: bool,
    /// The check that requests can be served.
    pub readiness: Arc<Readiness>,
    /// The clock for the times in problems.
    pub clock: Arc<dyn Clock>,
    /// The source of request ids.
    pub ids: Arc<dyn Ids>,
    /// The origins whose pages may use the API from a browser.
    pub origins: Vec<Origin>,
    /// The metrics at `/metrics`; `None` if another listener serves them.
    pub metrics: Option<Metrics>,
    /// The requests that are left out of the log.
    pub left_out: LeftOut,
    /// The receiver of spans; `None` if none are sent.
    pub traces: Option<Arc<dyn Traces>>,
    /// The endpoints of other crates, which are served beside those of the API.
    pub further_endpoints: Vec<Endpoint>,
}

/// Returns the whole API as an actix-web application.
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
    let endpoints = routes::with_further(services.further_endpoints);
    let personal_tokens = Arc::clone(&services.authenticator.personal_tokens);
    let cors = cors::cors(&services.origins, &endpoints);
    App::new()
        .app_data(web::Data::new(services.tasks))
        .app_data(web::Data::new(services.imports))
        .app_data(web::Data::new(services.change_log))
        .app_data(web::Data::new(services.trash))
        .app_data(web::Data::new(services.accounts))
        .app_data(web::Data::from(personal_tokens))
        .app_data(web::Data::new(services.authenticator))
        .app_data(web::Data::new(services.user_limit))
        .app_data(web::Data::new(services.proxies))
        .app_data(web::Data::new(services.base_path))
        .app_data(web::Data::new(AcceptWeakETags(services.accept_weak_etags)))
        .app_data(web::Data::new(routes::ServedDocument::of(&endpoints)))
        .app_data(web::Data::from(services.readiness))
        .app_data(web::Data::<dyn Clock>::from(services.clock))
        .app_data(web::Data::<dyn Ids>::from(services.ids))
        .app_data(web::Data::new(services.metrics))
        .app_data(web::Data::new(services.left_out))
        .app_data(web::Data::new(services.traces))
        .configure(|config| route::configure(config, &endpoints))
        .default_service(web::to(route::no_such_route))
        .wrap(cors)
        .wrap(from_fn(cors::refuse_page_header))
        .wrap(NormalizePath::trim())
        .wrap(from_fn(middleware::handle))
}
