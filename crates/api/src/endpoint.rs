//! The route table: every endpoint is a row, and routing, `HEAD`, `OPTIONS`, `Allow` and the test
//! of who may do what are made from the rows. A route that is in no row does not exist.

use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Route};

use crate::problem::Problem;
use crate::{accounts, docs_page, export, health, metrics, openapi, panics, tasks};

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
    /// Who has a token, and then about their own tasks and account only.
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

/// Every endpoint of the API. The rows of a path stand together; of two paths that match, the first
/// one does.
#[must_use]
pub fn endpoints() -> Vec<Endpoint> {
    [
        tasks::endpoints(),
        export::endpoints(),
        accounts::endpoints(),
        health::endpoints(),
        metrics::endpoints(),
        openapi::endpoints(),
        docs_page::endpoints(),
    ]
    .concat()
}

pub(crate) fn configure(config: &mut ServiceConfig) {
    for endpoints in endpoints().chunk_by(|one, next| one.path == next.path) {
        let Some(Endpoint { path, .. }) = endpoints.first() else {
            continue;
        };
        let allow = allowed_methods(endpoints);
        let other_method =
            web::to(move |request: HttpRequest| other_method(request, allow.clone()));
        let resource = endpoints
            .iter()
            .fold(web::resource(*path), |resource, endpoint| {
                let resource = resource.route((endpoint.route)().method(endpoint.method.clone()));
                if endpoint.method == Method::GET {
                    // HTTP leaves the body of an answer to HEAD out by itself.
                    resource.route((endpoint.route)().method(Method::HEAD))
                } else {
                    resource
                }
            });
        config.service(
            resource
                .default_service(other_method)
                .wrap(from_fn(panics::caught)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_a_path_stand_together_and_no_method_is_given_twice() {
        let endpoints = endpoints();
        let mut paths: Vec<_> = endpoints
            .chunk_by(|one, next| one.path == next.path)
            .map(|rows| rows[0].path)
            .collect();
        let groups = paths.len();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), groups);
        for (index, endpoint) in endpoints.iter().enumerate() {
            let again =
                |other: &&Endpoint| other.path == endpoint.path && other.method == endpoint.method;
            assert_eq!(
                endpoints.iter().position(|other| again(&other)),
                Some(index)
            );
        }
    }
}
