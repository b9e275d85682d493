//! The settings of the endpoint for agents.

use std::net::SocketAddr;

use taskhold_mcp::settings::McpSettings;
use url::Url;

use crate::settings::Settings;

/// Returns the settings of the endpoint of a service that listens on `address`.
pub fn settings(settings: &Settings, address: SocketAddr) -> McpSettings {
    let own = match &settings.mcp_url {
        Some(url) => vec![url.origin()],
        None => own_origins(address),
    };
    let configured = settings.cors.origins.iter();
    let configured = configured.map(|origin| origin.as_str().to_owned());
    let issuer = settings.auth.required_claims.issuer.clone();
    McpSettings {
        url: settings.mcp_url.clone(),
        origins: own.into_iter().chain(configured).collect(),
        authorization_server: issuer.filter(|issuer| is_web(issuer)),
    }
}

/// Returns the origins of pages of a service without a public URL. The host of a request is not asked: if another host
/// was resolved to this service, it is the page's own.
fn own_origins(address: SocketAddr) -> Vec<String> {
    let port = address.port();
    let mut urls = vec![format!("http://{address}")];
    if address.ip().is_loopback() {
        urls.push(format!("http://localhost:{port}"));
    } else if address.ip().is_unspecified() {
        urls = ["127.0.0.1", "[::1]", "localhost"]
            .map(|host| format!("http://{host}:{port}"))
            .into();
    }
    let origins = urls.iter().filter_map(|url| Url::parse(url).ok());
    // As browsers send it: without the port 80.
    origins
        .map(|url| url.origin().ascii_serialization())
        .collect()
}

/// An issuer may have any name, but only a URL of the web leads clients to it.
fn is_web(issuer: &str) -> bool {
    Url::parse(issuer).is_ok_and(|url| ["http", "https"].contains(&url.scheme()) && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_on_loopback_has_the_origin_of_localhost_too() {
        for (address, origins) in [
            (
                "127.0.0.1:8080",
                &["http://127.0.0.1:8080", "http://localhost:8080"][..],
            ),
            ("[::1]:80", &["http://[::1]", "http://localhost"]),
            (
                "0.0.0.0:8080",
                &[
                    "http://127.0.0.1:8080",
                    "http://[::1]:8080",
                    "http://localhost:8080",
                ],
            ),
            ("192.0.2.1:8080", &["http://192.0.2.1:8080"]),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(own_origins(address), origins, "{address}");
        }
    }
}
