//! Clients behind a trusted proxy, by the headers with which proxies name them.

use serde_json::json;

use crate::service::{Answer, Database, Service};

const LOGIN: &str = "/api/auth/login";

/// A setting that trusts a proxy on this machine.
const BEHIND_A_PROXY: (&str, &str) = ("TASKHOLD__SERVER__TRUSTED_PROXIES", "127.0.0.1");

/// Writes a header with the number of the client and of the request.
type Form = fn(u8, u8) -> String;

/// Sends a wrong password with these lines of headers.
async fn guess(service: &Service, email: &str, lines: &[(&str, String)]) -> u16 {
    let client = service.client_with(None);
    let body = json!({"email": email, "password": "not this one"});
    let request = client.request(reqwest::Method::POST, LOGIN).json(&body);
    let request = lines.iter().fold(request, |request, (name, value)| {
        request.header(*name, value)
    });
    Answer::of(request).await.status
}

async fn each_form_of_an_address_has_its_own_limit(database: Database) {
    let service = Service::start_with(&database, &[BEHIND_A_PROXY]).await;
    let forms: [(&str, Form); 10] = [
        ("x-forwarded-for", |client, _| format!("203.0.113.{client}")),
        ("x-forwarded-for", |client, port| {
            format!("203.0.113.{client}:400{port}")
        }),
        ("x-forwarded-for", |client, port| {
            format!("1.1.1.{port}, \"203.0.113.{client}:80\"")
        }),
        ("x-forwarded-for", |client, port| {
            format!("[2001:4860:{client}::{port}]:443")
        }),
        ("x-forwarded-for", |client, port| {
            format!("2001:4860:{client}::{port}, 127.0.0.1:80")
        }),
        ("forwarded", |client, _| {
            format!("for=203.0.113.{client};proto=https")
        }),
        ("forwarded", |client, port| {
            format!("proto=http; FOR=\"203.0.113.{client}:400{port}\"")
        }),
        ("forwarded", |client, port| {
            format!("By=_x;For=\"[2001:4860:{client}::{port}]:1\"")
        }),
        ("forwarded", |client, _| {
            format!("for=unknown, for=\"203.0.113.{client}:_x\"")
        }),
        ("forwarded", |client, _| {
            format!("for=\"1.1.1.1, for=203.0.113.{client}")
        }),
    ];
    for (number, (name, form)) in (0_u8..).zip(forms) {
        let email = format!("anna{number}@example.org");
        let guess = async |client, port| {
            let line = [(name, form(client, port))];
            guess(&service, &email, &line).await
        };
        let (guesser, other) = (2 * number + 10, 2 * number + 11);
        for port in 0..5 {
            assert_eq!(guess(guesser, port).await, 401, "{}", form(guesser, port));
        }
        assert_eq!(guess(guesser, 9).await, 429, "{}", form(guesser, 9));
        assert_eq!(guess(other, 0).await, 401, "{}", form(other, 0));
    }
}

async fn unreadable_addresses_share_a_limit_that_is_not_the_proxys(database: Database) {
    let service = Service::start_with(&database, &[BEHIND_A_PROXY]).await;
    let unreadable = [
        ("x-forwarded-for", "unknown"),
        ("x-forwarded-for", "_hidden"),
        ("x-forwarded-for", ""),
        ("forwarded", "for=unknown"),
        ("forwarded", "for=\"_hidden:80\""),
        ("forwarded", "for=\"203.0.113.9"),
    ];
    let guess = async |lines: &[(&str, String)]| guess(&service, "anna@example.org", lines).await;
    let mut statuses = Vec::new();
    for (name, value) in unreadable {
        statuses.push(guess(&[(name, value.to_owned())]).await);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429]);
    // Two lines of a header are one list, and two headers must agree.
    let lines = ["203.0.113.9", "unknown"].map(|line| ("x-forwarded-for", line.to_owned()));
    assert_eq!(guess(&lines).await, 429);
    let lines = [
        ("x-forwarded-for", "203.0.113.9"),
        ("forwarded", "for=203.0.113.8"),
    ]
    .map(|(name, line)| (name, line.to_owned()));
    assert_eq!(guess(&lines).await, 429);
    // The proxy itself, as in a check of its own, and clients with an address have their own limits.
    assert_eq!(guess(&[]).await, 401);
    let lines = ["unknown", "203.0.113.9"].map(|line| ("x-forwarded-for", line.to_owned()));
    assert_eq!(guess(&lines).await, 401);
    let log = service.log();
    for message in [
        "wrote no client address that can be read",
        "name different clients",
    ] {
        assert_eq!(log.matches(message).count(), 1, "{log}");
    }
}

on_both_stores! {
    each_form_of_an_address_has_its_own_limit
    unreadable_addresses_share_a_limit_that_is_not_the_proxys
}
