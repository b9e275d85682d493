//! Proxies in the environment, which no client of the program uses: least of all to reach this machine.

use std::net::TcpListener;

use crate::service::{Database, SECRET, Service, eventually, run};

/// The variables that programs take proxies from, naming this address.
fn proxies(address: &str) -> Vec<(&'static str, String)> {
    let names = [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ];
    names
        .map(|name| (name, format!("http://{address}")))
        .to_vec()
}

#[tokio::test]
async fn health_doctor_keys_and_spans_reach_this_machine_without_a_proxy() {
    // Whoever connects to it is never answered, and is counted.
    let proxy = TcpListener::bind("127.0.0.1:0").expect("a free port");
    proxy.set_nonblocking(true).expect("set");
    let proxies = proxies(&proxy.local_addr().expect("an address").to_string());
    let proxies: Vec<_> = proxies
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let collector = TcpListener::bind("127.0.0.1:0").expect("a free port");
    collector.set_nonblocking(true).expect("set");
    let endpoint = format!("http://{}", collector.local_addr().expect("an address"));
    let issuer = TcpListener::bind("127.0.0.1:0").expect("a free port");
    issuer.set_nonblocking(true).expect("set");
    let keys = format!("http://{}/jwks", issuer.local_addr().expect("an address"));

    let database = Database::sqlite();
    let variables = [
        ("TASKHOLD__TELEMETRY__OTLP_ENDPOINT", endpoint.as_str()),
        ("TASKHOLD__AUTH__JWKS_URL", &keys),
    ];
    let service = Service::start_with(&database, &[&proxies[..], &variables].concat()).await;
    eventually("the issuer is asked for keys", async || {
        issuer.accept().ok()
    })
    .await;
    service.client("anna").get("/api/v1/tasks").await;
    eventually("spans are sent", async || collector.accept().ok()).await;

    let folder = database.folder.path();
    let (_, port) = service.url.rsplit_once(':').expect("a port");
    let by_name = format!("http://localhost:{port}");
    let set = [
        ("PORT", port),
        ("JWT_SECRET", SECRET),
        ("DATABASE_URL", &database.url),
    ];
    let settings = [&proxies[..], &set].concat();
    for arguments in [
        &["health"][..],
        &["health", "--url", &service.url],
        &["health", "--url", &by_name],
    ] {
        let output = run(folder, &settings, arguments);
        assert!(output.status.success(), "{output:?}");
    }
    let output = run(folder, &settings, &["doctor"]);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        printed.contains("a service answers at 127.0.0.1"),
        "{printed}"
    );
    assert!(proxy.accept().is_err(), "the proxy was asked");
}
