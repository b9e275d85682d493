//! Requests of pages of other origins.

use reqwest::Method;

use crate::service::{Answer, Database, Service, endpoints};

const ORIGIN: &str = "https://app.example";

/// Headers that browsers, and libraries for tracing, HTTP and forms, add to requests.
const ADDED: [&str; 20] = [
    "authorization",
    "content-type",
    "idempotency-key",
    "prefer",
    "traceparent",
    "tracestate",
    "baggage",
    "sentry-trace",
    "b3",
    "x-b3-traceid",
    "x-datadog-trace-id",
    "newrelic",
    "x-requested-with",
    "x-csrf-token",
    "cache-control",
    "pragma",
    "if-modified-since",
    "x-correlation-id",
    "last-event-id",
    "x-header-of-tomorrow",
];

#[tokio::test]
async fn preflight_allows_headers_that_libraries_add() {
    let variables = [("TASKHOLD__CORS__ORIGINS", ORIGIN)];
    let database = Database::sqlite();
    let service = Service::start_with(&database, &variables).await;
    let anonymous = service.client_with(None);
    let names = ADDED.join(",");
    for endpoint in endpoints() {
        let method = endpoint.method.as_str();
        let preflight = |origin: &str| {
            let request = anonymous.request(Method::OPTIONS, &endpoint.path);
            let request = request.header("origin", origin);
            let request = request.header("access-control-request-method", method);
            Answer::of(request.header("access-control-request-headers", &names))
        };
        let answer = preflight(ORIGIN).await;
        assert_eq!(answer.status, 200, "{method} {}: {answer:?}", endpoint.path);
        assert_eq!(answer.header("access-control-allow-origin"), ORIGIN);
        let allowed = answer.header("access-control-allow-headers");
        for name in ADDED {
            assert!(
                allowed.split(',').any(|allowed| allowed.trim() == name),
                "{name}: {allowed}"
            );
        }
        let answer = preflight("https://other.example").await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
}

/// The header makes a browser send the cookie of the page to effect.
#[tokio::test]
async fn preflight_never_allows_the_header_of_the_page() {
    let database = Database::sqlite();
    for variables in [&[("TASKHOLD__CORS__ORIGINS", ORIGIN)][..], &[]] {
        let service = Service::start_with(&database, variables).await;
        let anonymous = service.client_with(None);
        for endpoint in endpoints() {
            let method = endpoint.method.as_str();
            for asked in [
                "taskhold-page",
                "content-type, Taskhold-Page",
                "a,taskhold-page,b",
            ] {
                let request = anonymous.request(Method::OPTIONS, &endpoint.path);
                let request = request.header("origin", ORIGIN);
                let request = request.header("access-control-request-method", method);
                let request = request.header("access-control-request-headers", asked);
                let answer = Answer::of(request).await;
                answer.assert_problem(400, "MALFORMED_REQUEST");
                for name in ["origin", "headers", "methods"] {
                    let name = format!("access-control-allow-{name}");
                    assert_eq!(answer.header(&name), "", "{method} {}", endpoint.path);
                }
            }
        }
        service.stop().await;
    }
}
