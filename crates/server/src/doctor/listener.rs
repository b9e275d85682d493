//! The profile and the address that the service listens on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use reqwest::Response;
use taskhold_security::http_client;

use super::report::Finding;
use crate::settings::{Profile, Settings};

/// How long a program that listens may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Checks that the profile is one to serve people with, where others can reach the service.
pub fn profile(settings: &Settings) -> Finding {
    let name = settings.profile.name();
    if settings.profile == Profile::Production || settings.server.host.is_loopback() {
        return Finding::ok(format!("read; profile {name}"));
    }
    Finding::warning(
        format!("profile {name}, and others can reach the service"),
        "set TASKHOLD_PROFILE=production to serve people",
    )
}

/// Checks that the service can listen, or does, and that no one else can read what it sends.
pub async fn check(settings: &Settings) -> Finding {
    let address = SocketAddr::new(settings.server.host, settings.server.port);
    if let Err(error) = TcpListener::bind((settings.server.host, 0)) {
        return Finding::problem(
            format!("{} cannot be listened on: {error}", settings.server.host),
            "set server.host to an address of this machine",
        );
    }
    let found = match listening(address).await {
        _ if settings.server.port == 0 => "any free port".to_owned(),
        None => format!("{address} is free"),
        Some(Program::Taskhold) => format!("a service answers at {address}"),
        Some(Program::Other) => {
            return Finding::problem(
                format!("another program listens on {address}"),
                "stop that one, or set PORT to another port",
            );
        }
    };
    if settings.server.host.is_loopback() || !settings.server.trusted_proxies.0.is_empty() {
        return Finding::ok(found);
    }
    Finding::warning(
        format!("{found}; others can reach it, and it speaks plain HTTP"),
        "put a proxy in front that speaks TLS, and name it in server.trusted_proxies; or listen on 127.0.0.1",
    )
}

enum Program {
    Taskhold,
    Other,
}

/// Returns which program listens on an address, if any.
async fn listening(address: SocketAddr) -> Option<Program> {
    match ask(address, "/health/live").await {
        // Only ours has both a path of this name and ids for its requests.
        Ok(answer) if answer.headers().contains_key("x-request-id") => Some(Program::Taskhold),
        Err(error) if error.is_connect() => None,
        Ok(_) | Err(_) => Some(Program::Other),
    }
}

/// Gets a path from the program that listens on an address.
pub async fn ask(mut address: SocketAddr, path: &str) -> reqwest::Result<Response> {
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let client = http_client::builder().timeout(ANSWER_TIMEOUT).build()?;
    client.get(format!("http://{address}{path}")).send().await
}
