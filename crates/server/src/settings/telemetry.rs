//! The settings of traces.

use serde::Deserialize;
use url::Url;

use super::{Misconfigured, given};

/// The path at which a collector takes spans (OTLP/HTTP).
const TRACES: &str = "v1/traces";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetrySection {
    otlp_endpoint: String,
}

impl TelemetrySection {
    /// Returns the address that spans are sent to; `None` if none are sent.
    pub fn traces(&self) -> Result<Option<Url>, Misconfigured> {
        let endpoint = given(self.otlp_endpoint.clone()).map(|raw| traces(&raw));
        endpoint
            .transpose()
            .map_err(|reason| Misconfigured(format!("telemetry.otlp_endpoint: {reason}")))
    }
}

fn traces(raw: &str) -> Result<Url, &'static str> {
    let mut url = Url::parse(raw).map_err(|_| "it is no URL")?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("it must start with http:// or https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "it must not hold a user or a password; give what the collector asks for in OTEL_EXPORTER_OTLP_HEADERS",
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it must end with its path");
    }
    let path = format!("{}/{TRACES}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_go_to_a_path_below_the_endpoint() {
        for raw in ["http://localhost:4318", "http://localhost:4318/"] {
            let url = traces(raw).unwrap();
            assert_eq!(url.as_str(), "http://localhost:4318/v1/traces");
        }
        let url = traces("https://otlp.example.org/tenant/").unwrap();
        assert_eq!(url.as_str(), "https://otlp.example.org/tenant/v1/traces");
        for wrong in [
            "localhost",
            "localhost:4318",
            "grpc://localhost:4317",
            "http://u:p@localhost",
            "http://localhost/?a=b",
        ] {
            assert!(traces(wrong).is_err(), "{wrong}");
        }
    }
}
