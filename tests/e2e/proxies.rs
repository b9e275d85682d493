//! The configurations of `docs/operations/proxies`, in front of two instances.

mod programs;
pub mod running;

use serde_json::json;

use self::programs::HOST;
pub use self::programs::{Program, Proxy};
use crate::change_stream::Events;
use crate::service::{Database, Service, token};

/// Defines a test for each function and each program. The functions take a `Program`.
macro_rules! behind_each_proxy {
    ($($test:ident)+) => {
        behind_each_proxy! { haproxy HaProxy: $($test)+ }
        behind_each_proxy! { nginx Nginx: $($test)+ }
        behind_each_proxy! { caddy Caddy: $($test)+ }
    };
    ($module:ident $program:ident: $($test:ident)+) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $test() { super::$test(super::Program::$program).await }
            )+
        }
    };
}

behind_each_proxy! {
    tls_ends_and_nobody_forges_an_address
    service_is_published_under_a_path
    changes_are_streamed
}

fn port(service: &Service) -> u16 {
    let (_, port) = service.url.rsplit_once(':').expect("a port");
    port.parse().expect("a number")
}

/// A key of a client stays, too.
async fn tls_ends_and_nobody_forges_an_address(program: Program) {
    let database = Database::postgres().await;
    let variables = [
        ("TASKHOLD__SERVER__TRUSTED_PROXIES", "127.0.0.1"),
        ("TASKHOLD__LOG__FORMAT", "json"),
    ];
    let services = [
        Service::start_with(&database, &variables).await,
        Service::start_with(&database, &variables).await,
    ];
    let proxy = Proxy::start(program, services.each_ref().map(port)).await;

    let (status, head, _) = proxy.curl("http", "/docs?a=b", &[]);
    assert_eq!(status, 308, "{head}");
    assert!(
        head.contains(&format!("location: https://{HOST}")),
        "{head}"
    );
    let (status, head, _) = proxy.curl("https", "/health/ready", &[]);
    assert_eq!(status, 200, "{head}");
    assert!(
        head.contains("\r\nstrict-transport-security: max-age=31536000"),
        "{head}"
    );

    let credentials = json!({"email": "anna@example.org", "password": "correct horse"}).to_string();
    let json = ["-H", "content-type: application/json"];
    let register = [&json[..], &["--data", &credentials]].concat();
    let (status, ..) = proxy.curl("https", "/api/auth/register", &register);
    assert_eq!(status, 201);
    let guess = credentials.replace("correct", "wrong");
    let mut statuses = Vec::new();
    for round in 0..8 {
        let listed = format!("X-Forwarded-For: 203.0.113.{round}");
        let forwarded = format!("Forwarded: for=203.0.113.{round}");
        let forged: &[&str] = match round % 4 {
            0 => &["-H", &listed],
            1 => &["-H", &forwarded],
            2 => &["-H", &listed, "-H", &forwarded],
            _ => &[
                "-H",
                &listed,
                "-H",
                "X-Forwarded-For: 203.0.113.99, 127.0.0.1",
            ],
        };
        let login = [&json[..], forged, &["--data", &guess]].concat();
        statuses.push(proxy.curl("https", "/api/auth/login", &login).0);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429, 429]);
    for service in &services {
        assert!(!service.log().contains("203.0.113"), "{}", service.log());
    }

    let authorization = format!("authorization: Bearer {}", token("anna"));
    let create = [
        &json[..],
        &["-H", &authorization, "--data", r#"{"title": "once"}"#],
    ]
    .concat();
    let keyed = [&create[..], &["-H", "idempotency-key: mine"]].concat();
    for (arguments, is_replay) in [
        (&keyed, false),
        (&keyed, true),
        (&create, false),
        (&create, false),
    ] {
        let (status, head, _) = proxy.curl("https", "/api/v1/tasks", arguments);
        assert_eq!(status, 201, "{head}");
        let has_replayed = head.contains("idempotent-replayed: true");
        assert_eq!(has_replayed, is_replay, "{head}");
    }
}

/// The service answers at its path, with that path in what it says of itself, and nowhere else.
async fn service_is_published_under_a_path(program: Program) {
    let database = Database::sqlite();
    let service = Service::start_with(&database, &[("TASKHOLD__SERVER__BASE_PATH", "/todo")]).await;
    let proxy = Proxy::start_under_path(program, port(&service)).await;
    let authorization = format!("authorization: Bearer {}", token("anna"));
    let create = [
        "-H",
        "content-type: application/json",
        "-H",
        &authorization,
        "--data",
        r#"{"title": "once"}"#,
    ];
    let (status, head, _) = proxy.curl("https", "/todo/api/v1/tasks", &create);
    assert_eq!(status, 201, "{head}");
    assert!(head.contains("\r\nlocation: /todo/api/v1/tasks/"), "{head}");
    let (status, _, body) = proxy.curl("https", "/another/health/ready", &[]);
    assert!(status != 200 || body.is_null(), "{status} {body}");
    assert!(service.log().contains("/api/v1/tasks"));
}

/// A proxy that collected a response before it passes it on would never pass on this one.
async fn changes_are_streamed(program: Program) {
    let database = Database::postgres().await;
    let services = [
        Service::start(&database).await,
        Service::start(&database).await,
    ];
    let proxy = Proxy::start(program, services.each_ref().map(port)).await;
    let anna = services[0].client("anna").at(&proxy.url);
    let mut events = Events::open(&anna).await;
    let mut cursors = vec![events.next().await];
    for title in ["first", "second", "third"] {
        anna.create(json!({"title": title})).await;
        cursors.push(events.next().await);
    }
    cursors.dedup();
    assert_eq!(cursors.len(), 4);
}
