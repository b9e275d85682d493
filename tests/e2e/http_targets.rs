//! The host and the path of a request.

use crate::service::{Database, Service};
use crate::socket::Socket;

#[tokio::test]
async fn malformed_hosts_get_400() {
    let service = Service::start(&Database::sqlite()).await;
    let mut socket = Socket::connect(&service.url).await.expect("connected");
    for host in [
        "a b",
        "user@taskhold",
        "user:password@taskhold",
        "taskhold/path",
        "taskhold:x",
        "taskhold:80:80",
        "taskhold:65536",
        "[::1",
        "::1",
        "a\"b",
        "b\u{fc}cher.example",
    ] {
        let request = format!("GET /health/live HTTP/1.1\r\nhost: {host}\r\n\r\n");
        let answer = socket.exchange(&request).await.expect("an answer");
        assert_eq!(answer.status, 400, "{host} {answer:?}");
        assert_eq!(answer.body["error_code"], "MALFORMED_REQUEST", "{host}");
    }
    for host in [
        "taskhold",
        "taskhold:8080",
        "taskhold:",
        "192.0.2.1",
        "[::1]:80",
        "my_service.example",
        "",
    ] {
        let request = format!("GET /health/live HTTP/1.1\r\nhost: {host}\r\n\r\n");
        let answer = socket.exchange(&request).await.expect("an answer");
        assert_eq!(answer.status, 200, "{host} {answer:?}");
    }
    // RFC 9112, sections 3.2 and 3.2.2: none only in HTTP/1.0, never two; the host of the target counts.
    for (request, status) in [
        ("GET /health/live HTTP/1.1\r\n\r\n", 400),
        (
            "GET /health/live HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n",
            400,
        ),
        (
            "GET /health/live HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n",
            400,
        ),
        ("GET /health/live HTTP/1.0\r\n\r\n", 200),
        (
            "GET http://other/health/live HTTP/1.1\r\nhost: a\r\n\r\n",
            200,
        ),
        ("GET http://other/health/live HTTP/1.1\r\n\r\n", 400),
        (
            "GET http://user@other/health/live HTTP/1.1\r\nhost: other\r\n\r\n",
            400,
        ),
        (
            "GET http://other/health/live HTTP/1.1\r\nhost: a b\r\n\r\n",
            400,
        ),
    ] {
        let mut socket = Socket::connect(&service.url).await.expect("connected");
        let answer = socket.exchange(request).await.expect("an answer");
        assert_eq!(answer.status, status, "{request} {answer:?}");
    }
}

#[tokio::test]
async fn paths_name_a_route_exactly() {
    let service = Service::start(&Database::sqlite()).await;
    let mut socket = Socket::connect(&service.url).await.expect("connected");
    for (path, status) in [
        ("/health/live", 200),
        ("/health/live/", 200),
        ("/health/live/?x=//", 200),
        ("//health/live", 404),
        ("/health//live", 404),
        ("/health/live//", 404),
        ("//", 404),
        ("///health/live", 404),
        ("http://a//health/live", 404),
        ("/health/./live", 404),
        ("/health/../health/live", 404),
        ("/docs/../health/live", 404),
        ("/health/%2e%2e/health/live", 404),
        ("/health%2Flive", 404),
        ("/health%2flive", 404),
        ("/health/live%2F", 404),
        ("/health\\live", 404),
        ("/HEALTH/live", 404),
        ("/health/live;x=1", 404),
    ] {
        // No route knows the parameter `x`.
        let prefer = if path.contains('?') {
            "prefer: handling=lenient\r\n"
        } else {
            ""
        };
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n{prefer}\r\n");
        let answer = socket.exchange(&request).await.expect("an answer");
        assert_eq!(answer.status, status, "{path} {answer:?}");
        if status == 404 {
            assert_eq!(answer.body["error_code"], "NOT_FOUND", "{path}");
        }
    }
}
