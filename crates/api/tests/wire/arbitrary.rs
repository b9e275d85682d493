//! Arbitrary requests: none of them returns a 5xx, and every error is a problem in the form of the
//! contract.

use actix_web::http::Method;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::wire::{Request, Wire, body, request};

/// Sends the requests that `make` builds from every value of `strategy`.
fn for_all<T: std::fmt::Debug>(
    strategy: &impl Strategy<Value = T>,
    make: impl Fn(T, &str) -> Vec<Request>,
) {
    let system = actix_web::rt::System::new();
    let wire = Wire::new();
    let path = system.block_on(wire.created(r#"{"title": "x"}"#));
    let config = Config {
        cases: 400,
        failure_persistence: Some(Box::new(
            proptest::test_runner::FileFailurePersistence::Direct(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/wire/found.txt"
            )),
        )),
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(strategy, |value| {
        for request in make(value, &path) {
            system.block_on(assert_no_defect(&wire, &request));
        }
        Ok(())
    });
    outcome.expect("no request shows a defect");
}

async fn assert_no_defect(wire: &Wire, request: &Request) {
    let response = wire.answer(request).await;
    let status = response.status();
    assert!(!status.is_server_error(), "{status}");
    let headers = response.headers().clone();
    if status.is_client_error() {
        let content_type = headers.get("content-type").expect("a type");
        assert_eq!(content_type, "application/problem+json");
        let body = body(response).await;
        assert!(body.len() < 2_000, "{} bytes", body.len());
        let problem: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(problem.get("status"), Some(&Value::from(status.as_u16())));
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\u{0}a😀]{0,600}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let name = prop_oneof![
            Just("title".to_owned()),
            Just("description".to_owned()),
            Just("completed".to_owned()),
            any::<String>()
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn every_write(body: &[u8], path: &str) -> Vec<Request> {
    [
        (Method::POST, "/api/v1/tasks".to_owned()),
        (Method::PUT, path.to_owned()),
        (Method::PATCH, path.to_owned()),
        (Method::PATCH, format!("{path}/complete")),
    ]
    .map(|(method, path)| request(method, &path).json("").bytes(body))
    .to_vec()
}

#[test]
fn arbitrary_bytes_as_body_never_return_500() {
    for_all(&any::<Vec<u8>>(), |bytes, path| every_write(&bytes, path));
}

#[test]
fn arbitrary_json_as_body_never_returns_500() {
    for_all(&json(), |value, path| {
        every_write(value.to_string().as_bytes(), path)
    });
}

/// The JSON is cut at any place, with any byte replaced.
#[test]
fn damaged_json_as_body_never_returns_500() {
    let valid =
        r#"{"title":"a \u00e9\ud83d\ude00\n","description":null,"completed":true,"x":[1e5,{}]}"#;
    let damage = (0..valid.len(), any::<u8>(), 0..=valid.len());
    for_all(&damage, |(place, byte, length), path| {
        let mut bytes = valid.as_bytes().to_vec();
        if let Some(damaged) = bytes.get_mut(place) {
            *damaged = byte;
        }
        bytes.truncate(length);
        every_write(&bytes, path)
    });
}

#[test]
fn arbitrary_query_never_returns_500() {
    let names = prop_oneof![
        Just("limit"),
        Just("offset"),
        Just("cursor"),
        Just("sort"),
        Just("completed"),
        Just("q"),
        Just("x"),
    ];
    let values = prop_oneof![
        any::<String>(),
        "[0-9-]{0,22}",
        "[A-Za-z0-9_-]{0,120}",
        Just("true".to_owned()),
        Just("title".to_owned()),
        Just("-updated_at".to_owned()),
    ];
    let query = prop::collection::vec((names, values), 0..5);
    for_all(&query, |pairs, _| {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        vec![request(Method::GET, &format!("/api/v1/tasks?{query}"))]
    });
    let raw = "([!-~&&[^#<>\"\\\\^`{|}]]|%[0-9A-Fa-f]{2}|&|=){0,60}";
    for_all(&raw, |query, _| {
        vec![request(Method::GET, &format!("/api/v1/tasks?{query}"))]
    });
}

#[test]
fn arbitrary_condition_never_returns_500() {
    let header = prop_oneof![
        "[ -~]{0,40}",
        "(W/)?\"[0-9a-z]{0,20}\"(, ?(W/)?\"[0-9]{0,3}\"){0,3}"
    ];
    for_all(&header, |header, path| {
        vec![
            request(Method::GET, path).header("if-none-match", &header),
            request(Method::PATCH, path)
                .json(r#"{"completed": true}"#)
                .header("if-match", &header),
        ]
    });
}

#[test]
fn arbitrary_path_and_token_never_return_500() {
    let path = "(/|[!-~&&[^?#<>\"\\\\^`{|}%]]|%[0-9A-Fa-f]{2}){0,40}";
    for_all(&(path, "[ -~]{0,60}"), |(path, token), _| {
        vec![
            request(Method::GET, &format!("/api/v1/tasks/{path}")),
            request(Method::DELETE, &format!("/{path}")).header("authorization", &token),
            request(Method::GET, "/api/v1/tasks")
                .header("authorization", &format!("Bearer {token}")),
        ]
    });
}
