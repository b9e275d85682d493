//! How an endpoint is described. What follows from a part of it, such as the problems of any body, is
//! said here once.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::{Method, StatusCode};
use serde_json::Value;
use utoipa::openapi::path::{Operation, OperationBuilder, Parameter};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, HttpMethod, Ref, RefOr, Required, Schema};

use super::{fields, problems, schema};
use crate::body::JSON;
use crate::endpoint::{Access, Endpoint};
use crate::problem::Kind;

/// The name of the one security scheme.
pub(super) const BEARER: &str = "bearer";

/// What is said of an endpoint.
pub(super) struct Description {
    method: Method,
    path: &'static str,
    about: OperationBuilder,
    answers: BTreeMap<u16, Response>,
    problems: BTreeSet<Kind>,
}

/// A described endpoint, under the name that generated clients give it.
pub(super) fn describe(
    tag: &str,
    method: Method,
    path: &'static str,
    name: &str,
    summary: &str,
) -> Description {
    Description {
        method,
        path,
        about: OperationBuilder::new()
            .tag(tag)
            .operation_id(Some(name))
            .summary(Some(summary)),
        answers: BTreeMap::new(),
        problems: BTreeSet::from([Kind::InternalError]),
    }
}

impl Description {
    pub(super) fn is_of(&self, endpoint: &Endpoint) -> bool {
        self.method == endpoint.method && self.path == endpoint.path
    }

    pub(super) fn saying(mut self, text: &str) -> Self {
        self.about = self.about.description(Some(text));
        self
    }

    pub(super) fn parameter(mut self, parameter: impl Into<Parameter>) -> Self {
        self.about = self.about.parameter(parameter);
        self.failing(&[Kind::MalformedRequest])
    }

    pub(super) fn parameters(self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        parameters.into_iter().fold(self, Self::parameter)
    }

    fn shared_parameter(mut self, name: &str) -> Self {
        let place = format!("#/components/parameters/{name}");
        self.about = self.about.parameter_ref(Ref::new(place));
        self
    }

    /// It is about the task that its path names.
    pub(super) fn of_one_task(self) -> Self {
        self.shared_parameter(fields::TASK_ID)
            .failing(&[Kind::NotFound])
    }

    /// It changes a task that is there.
    pub(super) fn changing(self) -> Self {
        self.of_one_task()
            .shared_parameter(fields::IF_MATCH)
            .failing(&[
                Kind::MalformedRequest,
                Kind::Forbidden,
                Kind::PreconditionFailed,
            ])
            .keyed()
    }

    /// It is told when it knows the task already.
    pub(super) fn unless_known(self) -> Self {
        self.shared_parameter(fields::IF_NONE_MATCH)
            .failing(&[Kind::MalformedRequest])
            .answering(
                StatusCode::NOT_MODIFIED,
                answer("The task is what `If-None-Match` names.")
                    .header_ref("ETag", fields::ref_to("ETag")),
            )
    }

    /// It writes once, however often it is sent.
    pub(super) fn keyed(self) -> Self {
        self.shared_parameter(fields::IDEMPOTENCY_KEY)
            .failing(&[
                Kind::MalformedRequest,
                Kind::Conflict,
                Kind::ValidationError,
            ])
            .writing()
    }

    pub(super) fn writing(self) -> Self {
        self.failing(&[Kind::ServiceUnavailable, Kind::OutcomeUnknown])
    }

    /// It takes a body.
    pub(super) fn taking(mut self, body: RequestBody) -> Self {
        self.about = self.about.request_body(Some(body));
        self.failing(&[
            Kind::MalformedRequest,
            Kind::RequestTimeout,
            Kind::PayloadTooLarge,
            Kind::UnsupportedMediaType,
            Kind::ValidationError,
        ])
    }

    pub(super) fn failing(mut self, kinds: &[Kind]) -> Self {
        self.problems.extend(kinds);
        self
    }

    pub(super) fn answering(mut self, status: StatusCode, answer: ResponseBuilder) -> Self {
        self.answers.insert(status.as_u16(), answer.build());
        self
    }

    pub(super) fn method(&self) -> HttpMethod {
        match self.method {
            Method::POST => HttpMethod::Post,
            Method::PUT => HttpMethod::Put,
            Method::PATCH => HttpMethod::Patch,
            Method::DELETE => HttpMethod::Delete,
            _ => HttpMethod::Get,
        }
    }

    /// All of it.
    pub(super) fn operation(mut self, access: Access) -> Operation {
        let security = match access {
            Access::Public => Vec::new(),
            Access::Owner => {
                // To know whether a token was revoked takes the store.
                self = self.failing(&[Kind::Unauthorized, Kind::ServiceUnavailable]);
                vec![SecurityRequirement::new::<_, _, String>(BEARER, [])]
            }
        };
        let problems: BTreeMap<_, _> = self
            .problems
            .into_iter()
            .map(|kind| (kind.status().as_u16(), RefOr::Ref(problems::response(kind))))
            .collect();
        let answers = self
            .answers
            .into_iter()
            .map(|(status, answer)| (status, RefOr::T(answer)));
        problems
            .into_iter()
            .chain(answers)
            .fold(self.about, |about, (status, answer)| {
                about.response(status.to_string(), answer)
            })
            .securities(Some(security))
            .build()
    }
}

/// An answer, with the header that every one carries.
pub(super) fn answer(text: &str) -> ResponseBuilder {
    ResponseBuilder::new()
        .description(text)
        .header_ref("X-Request-Id", fields::ref_to("X-Request-Id"))
}

/// An answer in JSON.
pub(super) fn json_answer(text: &str, schema: &str, example: Value) -> ResponseBuilder {
    answer(text).content(JSON, content(schema::reference(schema), example))
}

pub(super) fn content(
    schema: impl Into<RefOr<Schema>>,
    example: Value,
) -> utoipa::openapi::Content {
    ContentBuilder::new()
        .schema(Some(schema))
        .example(Some(example))
        .build()
}

/// A body that must be there, in JSON.
pub(super) fn json_body(schema: &str, example: &Value) -> RequestBody {
    body(Required::True, &[JSON], schema, example)
}

pub(super) fn body(
    required: Required,
    media_types: &[&str],
    schema: &str,
    example: &Value,
) -> RequestBody {
    media_types
        .iter()
        .fold(
            RequestBodyBuilder::new().required(Some(required)),
            |body, media_type| {
                body.content(
                    *media_type,
                    content(schema::reference(schema), example.clone()),
                )
            },
        )
        .build()
}
