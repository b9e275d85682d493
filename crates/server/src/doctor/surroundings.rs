//! What the service is run for, where it listens, and whose pages may use it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use taskhold_api::cors::Origin;
use taskhold_security::http_client;
use tokio::net::TcpStream;

use super::finding::Finding;
use crate::settings::{Profile, Settings};

/// How long something that listens may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Whether the profile is one to serve people with.
pub fn profile(settings: &Settings) -> Finding {
    let name = settings.profile.name();
    if settings.profile == Profile::Production || settings.host.is_loopback() {
        return Finding::ok("settings", format!("read; profile {name}"));
    }
    Finding::warning(
        "settings",
        format!("profile {name}, and others can reach the service"),
        "set TASKHOLD_PROFILE=production to serve people",
    )
}

/// Whether the service can listen, or does, and who can read along.
pub async fn listener(settings: &Settings) -> Finding {
    const CHECK: &str = "listener";
    let address = SocketAddr::new(settings.host, settings.port);
    if let Err(error) = TcpListener::bind((settings.host, 0)) {
        return Finding::problem(
            CHECK,
            format!("{} cannot be listened on: {error}", settings.host),
            "set server.host to an address of this machine",
        );
    }
    let found = if settings.port == 0 {
        "any free port".to_owned()
    } else {
        match who_answers(address).await {
            Answer::Nobody => format!("{address} is free"),
            Answer::Taskhold => format!("a service answers at {address}"),
            Answer::Another => {
                return Finding::problem(
                    CHECK,
                    format!("another program listens on {address}"),
                    "stop that one, or set PORT to another port",
                );
            }
        }
    };
    if !settings.host.is_loopback() && settings.trusted_proxies.0.is_empty() {
        return Finding::warning(
            CHECK,
            format!("{found}; others can reach it, and it speaks plain HTTP"),
            "put a proxy in front that speaks TLS, and name it in server.trusted_proxies; or listen on 127.0.0.1",
        );
    }
    Finding::ok(CHECK, found)
}

enum Answer {
    Nobody,
    Taskhold,
    Another,
}

async fn who_answers(address: SocketAddr) -> Answer {
    let host = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let address = SocketAddr::new(host, address.port());
    let connected = tokio::time::timeout(ANSWER_TIMEOUT, TcpStream::connect(address)).await;
    if !matches!(connected, Ok(Ok(_))) {
        return Answer::Nobody;
    }
    // Only ours has both a path of this name and ids for its requests.
    let client = http_client::builder().timeout(ANSWER_TIMEOUT).build();
    let Ok(client) = client else {
        return Answer::Another;
    };
    let answer = client
        .get(format!("http://{address}/health/live"))
        .send()
        .await;
    match answer {
        Ok(answer) if answer.headers().contains_key("x-request-id") => Answer::Taskhold,
        _ => Answer::Another,
    }
}

/// Whether what is measured is for operators only.
pub fn metrics(settings: &Settings) -> Finding {
    const CHECK: &str = "metrics";
    match settings.metrics_address {
        Some(address) if address.ip().is_loopback() => Finding::ok(CHECK, format!("on {address}")),
        Some(address) => Finding::warning(
            CHECK,
            format!("on {address}, where others may reach them"),
            "let only Prometheus through to that port",
        ),
        None if settings.profile == Profile::Production => Finding::warning(
            CHECK,
            "on the service's own port, for everybody who reaches it",
            "set metrics.address, such as to 127.0.0.1:9464",
        ),
        None => Finding::ok(CHECK, "on the service's own port"),
    }
}

/// Whether pages can be trusted to be whose they say.
pub fn origins(settings: &Settings) -> Finding {
    const CHECK: &str = "cors";
    let names: Vec<_> = settings.origins.iter().map(Origin::as_str).collect();
    if names.is_empty() {
        return Finding::ok(CHECK, "no other origin may use the API from a browser");
    }
    let plain: Vec<_> = names
        .iter()
        .copied()
        .filter(|name| {
            name.strip_prefix("http://")
                .is_some_and(|host| !is_local(host))
        })
        .collect();
    if plain.is_empty() {
        return Finding::ok(CHECK, names.join(", "));
    }
    Finding::warning(
        CHECK,
        format!(
            "{}: on its way anybody can change such a page",
            plain.join(", ")
        ),
        "name https origins in cors.origins",
    )
}

fn is_local(host: &str) -> bool {
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse()
            .is_ok_and(|ip: IpAddr| ip.is_loopback())
}
