//! A row of the route table, and how routing, `HEAD`, `OPTIONS` and `Allow` are made from the rows.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Route};
use taskhold_domain::personal_token::Scope;
use utoipa::openapi::HttpMethod;
use utoipa::openapi::path::Operation;

use crate::panics;
use crate::parameters::{self, EndpointParameters, KnownParameters};
use crate::problem::Problem;

/// A row of the route table.
#[derive(Clone)]
pub struct Endpoint {
    /// The method.
    pub method: Method,
    /// The path, with `{id}` in place of the id of a task.
    pub path: String,
    /// The clients that may send requests to the endpoint.
    pub access: Access,
    /// `None` if the endpoint is not part of the API.
    pub(crate) description: Option<Description>,
    route: Arc<dyn Fn() -> Route + Send + Sync>,
}

/// The description of an endpoint in the OpenAPI document.
#[derive(Clone, Copy)]
pub(crate) struct Description {
    pub(crate) methods: fn() -> Vec<HttpMethod>,
    pub(crate) operation: fn() -> Operation,
}

/// The clients that may send requests to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everyone.
    Public,
    /// Users about their own tasks, with a token that reads tasks.
    Read,
    /// Users about their own tasks, with a token that changes tasks.
    Write,
    /// Users about their account, with an access token.
    Account,
}

impl Access {
    /// Returns the scope that a personal access token needs; `None` if none suffices or no token is needed.
    #[must_use]
    pub fn scope(self) -> Option<Scope> {
        match self {
            Self::Read => Some(Scope::Read),
            Self::Write => Some(Scope::Write),
            Self::Public | Self::Account => None,
        }
    }
}

impl Endpoint {
    /// Returns a row for the handler that `#[utoipa::path]` describes as `P`. Each thread of the server calls `route`.
    #[must_use]
    pub fn new<P: utoipa::Path>(
        access: Access,
        route: impl Fn() -> Route + Send + Sync + 'static,
    ) -> Self {
        let method = match P::methods().first() {
            Some(HttpMethod::Post) => Method::POST,
            Some(HttpMethod::Put) => Method::PUT,
            Some(HttpMethod::Patch) => Method::PATCH,
            Some(HttpMethod::Delete) => Method::DELETE,
            _ => Method::GET,
        };
        Self {
            method,
            path: P::path(),
            access,
            description: Some(Description {
                methods: P::methods,
                operation: P::operation,
            }),
            route: Arc::new(route),
        }
    }

    /// Returns a row for a file that browsers load: `GET` without a token, with any query parameters. It is not part of
    /// the API, so the OpenAPI document does not describe it.
    #[must_use]
    pub fn file(path: &str, route: impl Fn() -> Route + Send + Sync + 'static) -> Self {
        Self {
            method: Method::GET,
            path: path.to_owned(),
            access: Access::Public,
            description: None,
            route: Arc::new(route),
        }
    }
}

/// Adds the endpoints to an application. The rows of a path stand together; of two paths that
/// match a request, the first one is taken.
pub(crate) fn configure(config: &mut ServiceConfig, endpoints: &[Endpoint]) {
    for endpoints in endpoints.chunk_by(|one, next| one.path == next.path) {
        let Some(Endpoint { path, .. }) = endpoints.first() else {
            continue;
        };
        let allow = allowed_methods(endpoints);
        let other_method =
            web::to(move |request: HttpRequest| other_method(request, allow.clone()));
        let resource = endpoints
            .iter()
            .fold(web::resource(path.as_str()), |resource, endpoint| {
                let resource = resource.route((endpoint.route)().method(endpoint.method.clone()));
                if endpoint.method == Method::GET {
                    // The server leaves out the body of a response to HEAD.
                    resource.route((endpoint.route)().method(Method::HEAD))
                } else {
                    resource
                }
            });
        let known = endpoints.iter().filter_map(|endpoint| {
            Some(EndpointParameters {
                method: endpoint.method.clone(),
                is_public: endpoint.access == Access::Public,
                names: parameters::names_of((endpoint.description?.operation)()),
            })
        });
        config.service(
            resource
                .app_data(KnownParameters(known.collect()))
                .default_service(other_method)
                .wrap(from_fn(parameters::handle))
                .wrap(from_fn(panics::catch)),
        );
    }
}

fn allowed_methods(endpoints: &[Endpoint]) -> String {
    let mut methods = Vec::new();
    for endpoint in endpoints {
        methods.push(endpoint.method.as_str());
        if endpoint.method == Method::GET {
            methods.push("HEAD");
        }
    }
    methods.push("OPTIONS");
    methods.join(", ")
}

async fn other_method(request: HttpRequest, allow: String) -> Result<HttpResponse, Problem> {
    if request.method() == Method::OPTIONS {
        Ok(HttpResponse::NoContent()
            .insert_header((ALLOW, allow))
            .finish())
    } else {
        Err(Problem::method_not_allowed(allow))
    }
}

pub(crate) async fn no_such_route() -> Result<HttpResponse, Problem> {
    Err(Problem::no_such_route())
}
