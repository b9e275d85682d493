//! Transcripts of requests about tasks.

use std::fmt::Write as _;

use actix_web::body::{BodySize, MessageBody as _};
use actix_web::http::Method;
use insta::assert_snapshot;

use crate::wire::{Request, TASKS, Wire, body, get, post, request, transcript};

const RANDOM: &str = "/api/v1/tasks/01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f";

#[actix_web::test]
async fn created_task_is_read_changed_and_deleted() {
    let mut wire = Wire::new();
    wire.ask(post(r#"{"title": "Buy milk", "description": "2 litres"}"#))
        .await;
    let path = "/api/v1/tasks/00000000-0000-7000-8000-000000000002";
    let complete = &format!("{path}/complete");
    for request in [
        get(path),
        get(TASKS),
        request(Method::PUT, path).json(r#"{"title": "Buy oat milk", "completed": null}"#),
        request(Method::PATCH, path).json(r#"{"description": "1 litre"}"#),
        request(Method::PATCH, path)
            .json(r#"{"description": null, "completed": true}"#)
            .header("content-type", "application/merge-patch+json"),
        request(Method::PATCH, complete).json(r#"{"completed": true}"#),
        request(Method::PATCH, complete),
        get("/api/v1/tasks/stats"),
        request(Method::DELETE, path),
        request(Method::DELETE, path),
        get(TASKS),
    ] {
        wire.ask(request).await;
    }
    assert_snapshot!(wire.transcript());
}

#[actix_web::test]
async fn every_response_has_the_common_headers() {
    let wire = Wire::new();
    let mut shown = String::new();
    for request in [
        get(TASKS),
        get("/nowhere"),
        get("/health").header("x-request-id", "from-the-caller"),
    ] {
        let response = wire.answer(&request).await;
        let mut headers: Vec<_> = response
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}\n", value.to_str().expect("ASCII")))
            .collect();
        headers.sort();
        writeln!(shown, "{}\n{}", response.status(), headers.concat()).expect("written");
    }
    assert_snapshot!(shown);
}

#[actix_web::test]
async fn invalid_request_ids_are_replaced() {
    let wire = Wire::new();
    for (given, kept) in [
        ("abc-123", true),
        (&"x".repeat(128), true),
        (&"x".repeat(129), false),
        ("with space", false),
        ("tab\tinside", false),
    ] {
        let response = wire
            .answer(&get("/health/live").header("x-request-id", given))
            .await;
        let answered = response.headers().get("x-request-id").expect("an id");
        assert_eq!(answered == given, kept, "{given}");
    }
}

#[actix_web::test]
async fn malformed_bodies_are_rejected() {
    let wire = Wire::new();
    let path = wire.created(r#"{"title": "before"}"#).await;
    let put = |body: &[u8]| request(Method::PUT, &path).json("").bytes(body);
    let requests = [
        put(b""),
        put(b" "),
        put(b"{"),
        put(b"title=x"),
        put(b"{\"title\": NaN}"),
        put(b"{\"title\": 'x'}"),
        put(b"{\"title\": \"x\",}"),
        put(b"{\"title\": \"x\"} {}"),
        put(br#"{"title": "\ud800"}"#),
        put(b"{\"title\": \"\xff\"}"),
        put("\u{feff}{}".as_bytes()),
        put(b"[]"),
        put(b"null"),
        put(b"\"x\""),
        put("[".repeat(10_000).as_bytes()),
        put(format!("{{\"title\": \"{}\"}}", "x".repeat(65 * 1024)).as_bytes()),
        put(b"{}").header("content-type", ""),
        put(b"{}").header("content-type", "text/plain"),
        put(b"{}").header("content-type", "application/x-www-form-urlencoded"),
        put(b"{}").header("content-type", "application/json; charset=latin-1"),
        put(b"{}").header("content-type", "application/merge-patch+json"),
        put(b"{\"title\": \"in other words\"}")
            .header("content-type", "Application/JSON ; Charset=\"UTF-8\""),
    ];
    assert_snapshot!(transcript(wire, requests).await);
}

#[actix_web::test]
async fn invalid_members_return_422() {
    let wire = Wire::new();
    let path = wire.created(r#"{"title": "before"}"#).await;
    let complete = &format!("{path}/complete");
    let put = |body: &str| request(Method::PUT, &path).json(body);
    let patch = |body: &str| request(Method::PATCH, &path).json(body);
    let completion = |body: &str| request(Method::PATCH, complete).json(body);
    let requests = [
        post("{}"),
        post(r#"{"title": 7, "description": [], "completed": "yes"}"#),
        post(r#"{"title": "x", "completed": null}"#),
        post(&format!(
            r#"{{"title": "{}", "description": "{}"}}"#,
            "x".repeat(101),
            "x".repeat(501)
        )),
        post(r#"{"title": "\u0000", "description": "\u0000"}"#),
        put(r#"{"description": "no title"}"#),
        put(r#"{"title": ""}"#),
        put(r#"{"title": "x", "completed": 1}"#),
        patch("{}"),
        patch(r#"{"unknown": 1}"#),
        patch(r#"{"title": null}"#),
        patch(r#"{"completed": null}"#),
        patch(r#"{"completed": "true"}"#),
        completion("{}"),
        completion("null"),
        completion(r#"{"completed": null}"#),
        completion(r#"{"completed": 0}"#),
        completion("[]"),
        completion("true"),
        // None of the above changed the task. Of a repeated member the last one counts; unknown
        // members and an owner have no effect.
        put(r#"{"title": "first", "title": "last", "id": "x", "user_id": "bob", "created_at": 0}"#),
        get(&path),
    ];
    assert_snapshot!(transcript(wire, requests).await);
}

#[actix_web::test]
async fn pages_continue_at_their_cursor() {
    let mut wire = Wire::new();
    for title in ["Молоко", "milk", "bread 50%", "молоток", "Milk"] {
        wire.created(&format!(r#"{{"title": "{title}"}}"#)).await;
    }
    let mut path = format!("{TASKS}?limit=1&sort=title&q=M");
    for _ in 0..2 {
        let (_, page) = wire.ask(get(&path)).await;
        let Some(cursor) = page.get("next_cursor").and_then(|cursor| cursor.as_str()) else {
            break;
        };
        path = format!("{TASKS}?limit=1&sort=title&q=M&cursor={cursor}");
    }
    for query in [
        "limit=1&offset=3",
        "limit=1&offset=9007199254740991",
        "q=%25",
        "q=%D0%9C%D0%9E%D0%9B%D0%9E&sort=-title",
    ] {
        wire.ask(get(&format!("{TASKS}?{query}"))).await;
    }
    let lenient = get(&format!("{TASKS}?unknown=1&limit=1&completed=true"));
    wire.ask(lenient.header("prefer", "handling=lenient")).await;
    assert_snapshot!(wire.transcript());
}

#[actix_web::test]
async fn invalid_parameters_return_400() {
    let wire = Wire::new();
    for _ in 0..3 {
        wire.created(r#"{"title": "x"}"#).await;
    }
    let response = wire.answer(&get(&format!("{TASKS}?limit=1"))).await;
    let page: serde_json::Value = serde_json::from_slice(&body(response).await).expect("JSON");
    let cursor = page["next_cursor"].as_str().expect("there is more");
    let queries = [
        "limit=0",
        "limit=-1",
        "limit=1001",
        "limit=abc",
        "limit=999999999999",
        "limit=",
        "limit=1&limit=2",
        "offset=1",
        "limit=1&offset=-1",
        "limit=1&offset=x",
        "limit=1&offset=9007199254740992",
        "cursor=x",
        "limit=1&cursor=x",
        "limit=1&cursor=",
        "limit=1&cursor=AAAA",
        &format!("limit=1&offset=1&cursor={cursor}"),
        &format!("limit=1&sort=title&cursor={cursor}"),
        &format!("limit=1&completed=false&cursor={cursor}"),
        &format!("limit=1&cursor={cursor}A"),
        "sort=name",
        "sort=--title",
        "sort=",
        "completed=yes",
        "completed=",
        "q=%00",
        "q=%FF",
    ];
    let mut requests: Vec<_> = queries
        .iter()
        .map(|query| get(&format!("{TASKS}?{query}")))
        .collect();
    let bob =
        get(&format!("{TASKS}?limit=1&cursor={cursor}")).header("authorization", "Bearer user:bob");
    requests.push(bob);
    assert_snapshot!(transcript(wire, requests).await);
}

#[actix_web::test]
async fn conditions_decide_about_reads_and_writes() {
    let wire = Wire::new();
    let path = wire.created(r#"{"title": "version 1"}"#).await;
    let read = |tag: &str| get(&path).header("if-none-match", tag);
    let put = |tag: &str| {
        request(Method::PUT, &path)
            .json(r#"{"title": "changed"}"#)
            .header("if-match", tag)
    };
    let delete = |tag: &str| request(Method::DELETE, &path).header("if-match", tag);
    let requests = [
        read("\"1-6475ef6669175\""),
        read("W/\"1-6475ef6669175\""),
        read("\"2-6475ef6669175\""),
        read("nonsense"),
        put("\"2-6475ef6669175\""),
        put("W/\"1-6475ef6669175\""),
        put("nonsense"),
        put("\"1-6475ef6669175\""),
        request(Method::PATCH, &path)
            .json(r#"{"completed": true}"#)
            .header("if-match", "\"1-6475ef6669175\""),
        request(Method::PATCH, &format!("{path}/complete"))
            .header("if-match", "\"7-1\", \"2-6475ef6e0a375\""),
        delete("\"1-6475ef6669175\""),
        // The order of the checks: token, id, form of the request, rules, existence, ownership, tag.
        put("\"1-6475ef6669175\"").header("authorization", "Bearer x"),
        request(Method::PUT, "/api/v1/tasks/x")
            .json("{")
            .header("if-match", "x"),
        put("x").json(r#"{"title": ""}"#),
        put("\"1-6475ef6669175\"").json(r#"{"title": ""}"#),
        request(Method::PUT, RANDOM)
            .json(r#"{"title": "x"}"#)
            .header("if-match", "\"1-6475ef6669175\""),
        request(Method::PUT, RANDOM)
            .json(r#"{"title": "x"}"#)
            .header("if-match", "*"),
        put("\"1-6475ef6669175\"").header("authorization", "Bearer user:bob"),
        delete("*"),
    ];
    assert_snapshot!(transcript(wire, requests).await);
}

#[actix_web::test]
async fn unknown_paths_return_404_and_other_methods_405() {
    let wire = Wire::new();
    let path = wire.created(r#"{"title": "x"}"#).await;
    let encoded = path.replace('-', "%2D");
    let requests = [
        get("/nothing"),
        get("/api/v1"),
        get("/api/v1/nothing"),
        get("/api/v2/tasks"),
        request(Method::DELETE, TASKS),
        request(Method::POST, &path).json("{}"),
        request(Method::PUT, "/api/v1/tasks/stats").json(r#"{"title": "x"}"#),
        request(Method::from_bytes(b"BREW").expect("a method"), TASKS),
        request(Method::OPTIONS, TASKS),
        request(Method::OPTIONS, &path).header("authorization", ""),
        request(Method::OPTIONS, "/nowhere"),
        request(Method::HEAD, &path),
        request(Method::HEAD, RANDOM),
        get(&format!("{TASKS}/")),
        get(&encoded),
        get(&path.to_uppercase().replace("/API/V1/TASKS", TASKS)),
        get("/api/v1/tasks/.."),
        get("/api/v1/tasks/%00"),
        get("/api/v1/tasks/%FF"),
        get("/health"),
        get("/health/live"),
        get("/health/ready"),
    ];
    assert_snapshot!(transcript(wire, requests).await);
}

#[actix_web::test]
async fn missing_or_invalid_token_returns_401() {
    let as_who = |header: &str| get(TASKS).header("authorization", header);
    let requests = [
        as_who(""),
        as_who("Bearer"),
        as_who("Bearer "),
        as_who("Basic dXNlcjphbGljZQ=="),
        as_who("user:alice"),
        as_who("Bearer forged"),
        as_who("bearer user:alice"),
        as_who("BEARER  user:alice"),
        // The token is checked first.
        post("{").header("authorization", "Bearer forged"),
        request(Method::PUT, "/api/v1/tasks/x").header("authorization", ""),
    ];
    assert_snapshot!(transcript(Wire::new(), requests).await);
}

#[actix_web::test]
async fn exceeded_quota_returns_409() {
    let mut wire = Wire::limited(2);
    let paths = [
        wire.created(r#"{"title": "1"}"#).await,
        wire.created(r#"{"title": "2"}"#).await,
    ];
    wire.ask(post(r#"{"title": "one too many"}"#)).await;
    wire.clock().advance(-1_000_000);
    wire.ask(post(r#"{"title": "still one too many"}"#)).await;
    wire.ask(
        post(r#"{"title": "another's quota is another's"}"#)
            .header("authorization", "Bearer user:bob"),
    )
    .await;
    wire.clock().advance(-2_000_000);
    for path in paths {
        wire.ask(request(Method::DELETE, &path)).await;
        wire.clock().advance(-2_000_000);
    }
    wire.ask(post(r#"{"title": "there is room at once"}"#))
        .await;
    assert_snapshot!(wire.transcript());
}

#[actix_web::test]
async fn configured_origin_gets_cors_headers() {
    let from = |request: Request, origin: &str| request.header("origin", origin);
    let preflight = |origin: &str, method: &str, headers: &str| {
        from(
            request(Method::OPTIONS, TASKS).header("authorization", ""),
            origin,
        )
        .header("access-control-request-method", method)
        .header("access-control-request-headers", headers)
    };
    let ours = "https://app.example";
    let requests = [
        preflight(
            ours,
            "POST",
            "authorization,content-type,if-match,idempotency-key",
        ),
        preflight(ours, "DELETE", "authorization"),
        preflight(ours, "TRACE", ""),
        preflight(ours, "POST", "traceparent,x-of-tomorrow"),
        preflight(ours, "POST", "content-type,taskhold-page"),
        preflight("https://evil.example", "POST", "authorization"),
        from(get(TASKS), ours),
        from(get(TASKS), "https://evil.example"),
        from(get(TASKS), "null"),
        from(get(TASKS).header("authorization", ""), ours),
        from(post(r#"{"title": ""}"#), ours),
        from(get("/nowhere"), ours),
    ];
    assert_snapshot!(transcript(Wire::new().with_origin(ours), requests).await);
}

#[actix_web::test]
async fn unconfigured_origin_gets_no_cors_headers() {
    let requests = [
        get(TASKS).header("origin", "https://app.example"),
        request(Method::OPTIONS, TASKS)
            .header("origin", "https://app.example")
            .header("access-control-request-method", "POST"),
    ];
    assert_snapshot!(transcript(Wire::new(), requests).await);
}

#[actix_web::test]
async fn head_of_an_export_has_no_body_stream() {
    let wire = Wire::new();
    wire.created(r#"{"title": "Buy milk"}"#).await;
    let head = |method| request(method, "/api/v1/export");
    let (head, whole) = (head(Method::HEAD), head(Method::GET));
    let (head, whole) = (wire.answer(&head).await, wire.answer(&whole).await);
    assert_eq!(head.status(), whole.status());
    for name in ["content-type", "content-disposition"] {
        assert_eq!(head.headers().get(name), whole.headers().get(name));
    }
    assert_eq!(whole.body().size(), BodySize::Stream);
    assert_eq!(head.body().size(), BodySize::None);
}
