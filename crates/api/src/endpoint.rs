//! The route table: every endpoint is a row, and routing, `HEAD`, `OPTIONS`, `Allow` and the test
//! of who may do what are made from the rows. A route that is in no row does not exist.

use std::collections::BTreeMap;

use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Route};

use crate::problem::Problem;
use crate::{health, tasks};

/// A row of the route table.
#[derive(Clone)]
pub struct Endpoint {
    /// The method.
    pub method: Method,
    /// The path, with `{id}` where a task is named.
    pub path: &'static str,
    /// Who may ask.
    pub access: Access,
    route: fn() -> Route,
}

/// Who may ask an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// Who has a token, and then about their own tasks only.
    Owner,
}

impl Endpoint {
    pub(crate) fn new(
        method: Method,
        path: &'static str,
        access: Access,
        route: fn() -> Route,
    ) -> Self {
        Self {
            method,
            path,
            access,
            route,
        }
    }
}

/// Every endpoint of the API. Of two paths that match, the first one does.
#[must_use]
pub fn endpoints() -> Vec<Endpoint> {
    [tasks::endpoints(), health::endpoints()].concat()
}

pub(crate) fn configure(config: &mut ServiceConfig) {
    let mut paths: Vec<&'static str> = Vec::new();
    let mut by_path: BTreeMap<&'static str, Vec<Endpoint>> = BTreeMap::new();
    for endpoint in endpoints() {
        if !by_path.contains_key(endpoint.path) {
            paths.push(endpoint.path);
        }
        by_path.entry(endpoint.path).or_default().push(endpoint);
    }
    for path in paths {
        let endpoints = by_path.remove(path).unwrap_or_default();
        let allow = allowed_methods(&endpoints);
        let mut resource = web::resource(path);
        for endpoint in endpoints {
            if endpoint.method == Method::GET {
                // HTTP leaves the body of an answer to HEAD out by itself.
                resource = resource.route((endpoint.route)().method(Method::HEAD));
            }
            resource = resource.route((endpoint.route)().method(endpoint.method));
        }
        config.service(
            resource.default_service(web::to(move |request: HttpRequest| {
                other_method(request, allow.clone())
            })),
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
