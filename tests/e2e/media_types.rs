//! What a body says of itself, on every route that reads one.

use reqwest::Method;
use reqwest::header::HeaderMap;

use crate::service::{Answer, Client, Database, Service, TASKS, endpoints};

const RANDOM_ID: &str = "01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f";

/// `{"title": "zipped"}`, as gzip writes it.
const ZIPPED: &[u8] = &[
    0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0x56, 0x2a, 0xc9, 0x2c, 0xc9, 0x49, 0x55, 0xb2, 0x52,
    0x50, 0xaa, 0xca, 0x2c, 0x28, 0x48, 0x4d, 0x51, 0xaa, 5, 0,
];

/// Sends a body with these headers.
async fn send(
    client: &Client,
    method: &Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let request = client.request(method.clone(), path).body(body.to_vec());
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    Answer::of(request).await
}

/// Returns the method and path of every route that reads a body.
fn routes_with_bodies() -> Vec<(Method, String)> {
    let endpoints = endpoints().into_iter().filter(|endpoint| {
        let is_account = endpoint.path == "/api/auth/me" && endpoint.method.as_str() == "DELETE";
        let has_no_body = endpoint.path.ends_with("/undo") || endpoint.path.ends_with("/restore");
        is_account || ["POST", "PUT", "PATCH"].contains(&endpoint.method.as_str()) && !has_no_body
    });
    let routes: Vec<_> = endpoints
        .map(|endpoint| {
            let method = endpoint.method.as_str().parse().expect("a method");
            (method, endpoint.path.replace("{id}", RANDOM_ID))
        })
        .collect();
    assert!(routes.len() >= 10, "{routes:?}");
    routes
}

#[tokio::test]
async fn encoded_body_returns_415_with_accept_encoding_on_every_route() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    for (method, path) in routes_with_bodies() {
        for (encoding, body) in [
            ("gzip", ZIPPED),
            ("GZIP", br#"{"title": "plain"}"#),
            ("deflate", b"{}"),
            ("identity, br", b"{}"),
        ] {
            let headers = [
                ("content-type", "application/json"),
                ("content-encoding", encoding),
            ];
            let answer = send(&alice, &method, &path, &headers, body).await;
            answer.assert_problem(415, "UNSUPPORTED_MEDIA_TYPE");
            assert_eq!(answer.header("accept-encoding"), "identity", "{answer:?}");
            let detail = answer.body["detail"].as_str().expect("a sentence");
            assert!(
                detail.contains(&format!("Content-Encoding is `{encoding}`")),
                "{detail}"
            );
        }
    }
    assert!(alice.tasks().await.is_empty());
    let headers = [
        ("content-type", "application/json"),
        ("content-encoding", "identity"),
    ];
    let answer = send(&alice, &Method::POST, TASKS, &headers, br#"{"title": "x"}"#).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

#[tokio::test]
async fn charsets_of_utf_8_are_taken_and_others_named() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let post = async |content_type: &str| {
        let headers = [("content-type", content_type)];
        send(&alice, &Method::POST, TASKS, &headers, br#"{"title": "x"}"#).await
    };
    for parameters in [
        "charset=utf8",
        "Charset=UTF-8",
        "charset=\"utf8\"",
        "charset=us-ascii",
        "CHARSET=\"US-ASCII\"",
        "charset=ascii",
        "charset='utf-8'",
        "charset=",
        "charset",
        "",
        "version=1; charset=utf-8",
        "x=\"; charset=latin-1\"",
    ] {
        let answer = post(&format!("application/json; {parameters}")).await;
        assert_eq!(answer.status, 201, "{parameters}: {answer:?}");
    }
    for (content_type, named) in [
        ("application/json; charset=latin-1", "charset `latin-1`"),
        ("application/json; charset=\"UTF-16\"", "charset `UTF-16`"),
        ("text/plain; charset=utf-8", "media type `text/plain`"),
        ("application/jsonx", "media type `application/jsonx`"),
        ("", "media type ``"),
    ] {
        let answer = post(content_type).await;
        answer.assert_problem(415, "UNSUPPORTED_MEDIA_TYPE");
        let detail = answer.body["detail"].as_str().expect("a sentence");
        assert!(detail.contains(named), "{content_type}: {detail}");
        assert!(is_absent(&answer.headers, "accept-encoding"), "{answer:?}");
    }
    let answer = send(&alice, &Method::POST, TASKS, &[], b"{}").await;
    answer.assert_problem(415, "UNSUPPORTED_MEDIA_TYPE");
    let detail = answer.body["detail"].as_str().expect("a sentence");
    assert!(detail.contains("Content-Type is missing"), "{detail}");
    assert_eq!(answer.header("accept"), "application/json");
}

fn is_absent(headers: &HeaderMap, name: &str) -> bool {
    headers.get(name).is_none()
}
