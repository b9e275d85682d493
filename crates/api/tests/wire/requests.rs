//! Transcripts of requests as browsers, libraries and proxies send them.

use actix_web::http::Method;
use insta::assert_snapshot;

use crate::wire::{Request, TASKS, Wire, get, post, request, transcript};

#[actix_web::test]
async fn encoded_bodies_and_other_charsets_are_rejected() {
    let path = &format!("{TASKS}/stats/complete");
    let encoded = |encoding: &str| post(r#"{"title": "x"}"#).header("content-encoding", encoding);
    let typed = |content_type: &str| post(r#"{"title": "x"}"#).header("content-type", content_type);
    let requests = [
        encoded("gzip"),
        encoded("identity, br"),
        encoded("Identity"),
        request(
            Method::PATCH,
            &path.replace("stats", "00000000-0000-7000-8000-000000000002"),
        )
        .header("content-encoding", "gzip"),
        typed("application/json; charset=latin-1"),
        typed("application/json; charset=\"UTF-16\""),
        typed("application/json; charset=utf8"),
        typed("application/json;charset=US-ASCII"),
        typed("application/json; charset=\"Utf\\-8\"; x=\"a; charset=latin-1\""),
        typed("application/jsonp"),
        // Only problems are cut: the end of a long header counts as well.
        encoded(&format!("{}gzip", "identity, ".repeat(12))),
        typed(&format!(
            "application/json; x={}; charset=latin-1",
            "x".repeat(100)
        )),
        typed(&"x".repeat(200)),
        typed("application/json; charset=latin-1").header("content-encoding", "gzip"),
    ];
    assert_snapshot!(transcript(Wire::new(), requests).await);
}

#[actix_web::test]
async fn unknown_parameters_are_rejected_unless_lenience_is_preferred() {
    let many = "x0=1&x1=1&x2=1&x3=1&x4=1&x5=1&x6=1";
    let list = |query: &str| get(&format!("{TASKS}?{query}"));
    let lenient = |request: Request| request.header("prefer", "handling=lenient");
    let requests = [
        list("status=pending"),
        list("Completed=true"),
        list("limit=1&ofset=2&Sort=title&ofset=3"),
        list(many),
        list("%FF=1"),
        list("=1"),
        list("&"),
        list(&format!("{}=1", "long".repeat(100))),
        list("sort=-create_at"),
        list("completed=True"),
        get("/api/v1/export?format=ndj"),
        get("/api/v1/export?format=console&format=ndjson"),
        get("/api/v1/export?timezone=Berlin&timezone=UTC"),
        get("/health?x=1"),
        request(Method::HEAD, "/health?x=1"),
        request(Method::OPTIONS, "/health?x=1"),
        request(Method::DELETE, "/health?x=1"),
        get("/nowhere?x=1"),
        request(Method::POST, "/api/auth/logout?x=1").json(r#"{"refresh_token": "made up"}"#),
        // The order of the checks: token, id, parameters.
        list("x=1").header("authorization", "Bearer x"),
        get(&format!("{TASKS}/x?x=1")),
        get(&format!(
            "{TASKS}/00000000%2D0000-7000-8000-000000000002?x=1"
        )),
        lenient(list("x=1")),
        lenient(list("x=1&limit=0")),
        lenient(get("/health/live?x=1")),
    ];
    assert_snapshot!(transcript(Wire::new(), requests).await);
}

#[actix_web::test]
async fn references_begin_with_the_base_path() {
    let mut wire = Wire::new().with_base_path("/todo");
    for path in [TASKS, "/todo/api/v1/tasks"] {
        wire.ask(request(Method::POST, path).json(r#"{"title": "x"}"#))
            .await;
    }
    let account = r#"{"email": "a@example.org", "password": "correct horse battery"}"#;
    for request in [
        get("/todo/api/v1/tasks?limit=1"),
        get("/api/v1/tasks?limit=1"),
        get("/todo/health/live/"),
        get("/todo"),
        get("/todos/health"),
        get("/nowhere"),
        get("/docs"),
        request(Method::POST, "/todo/api/auth/register").json(account),
    ] {
        wire.ask(request).await;
    }
    assert_snapshot!(wire.transcript());
}

#[actix_web::test]
async fn weak_tags_match_where_they_are_accepted() {
    let mut wire = Wire::new().with_weak_etags();
    let path = wire.created(r#"{"title": "x"}"#).await;
    for tag in ["W/\"7-6475ef6669175\"", "W/\"1-6475ef6669175\""] {
        let put = request(Method::PUT, &path).json(r#"{"title": "y"}"#);
        wire.ask(put.header("if-match", tag)).await;
    }
    assert_snapshot!(wire.transcript());
}
