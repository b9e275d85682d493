//! The address of the client that sent a request.

use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Once;

use actix_web::dev::Payload;
use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, X_FORWARDED_FOR};
use actix_web::{FromRequest, HttpRequest, web};
use ipnet::IpNet;

use crate::header_values::{parameter, split, unquote};
use crate::problem::Problem;

/// The proxies whose `X-Forwarded-For` and `Forwarded` are trusted.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(pub Vec<IpNet>);

/// The address of the client, or of the last proxy that is not [trusted](TrustedProxies).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The address that stands for every client whose address a trusted proxy wrote in no readable form. These clients
/// share the limits of this address instead of the proxy's, so that they do not use up the limits of others. It is
/// an IPv4 address because the limits count an IPv6 network as one address.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The longest part of a header that is logged.
const MAX_LOGGED_CHARS: usize = 100;

impl FromRequest for ClientAddress {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

impl ClientAddress {
    /// Returns the address of the client that sent a request.
    pub(crate) fn of(request: &HttpRequest) -> Result<Self, Problem> {
        // Only a request of a test has no peer address.
        let peer = request.peer_addr().map_or(UNKNOWN, |peer| peer.ip());
        let proxies = request
            .app_data::<web::Data<TrustedProxies>>()
            .ok_or_else(|| Problem::internal("the application has no list of proxies"))?;
        Ok(Self(proxies.client(peer, request.headers())))
    }
}

impl TrustedProxies {
    /// Returns the address of the client.
    ///
    /// A proxy usually writes one of the two headers and passes the other one on as the client sent it.
    /// So of two headers neither is believed unless they agree.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return peer;
        }
        let listed = self.read(headers, &X_FORWARDED_FOR, |entry| address(&unquote(entry)?));
        let forwarded = self.read(headers, &FORWARDED, forwarded_for);
        match (listed, forwarded) {
            (None, None) => peer,
            (Some(client), None) | (None, Some(client)) => client,
            (Some(client), Some(same)) if client == same => client,
            (Some(_), Some(_)) => {
                log_disagreement();
                UNKNOWN
            }
        }
    }

    /// Returns the client according to a header, or `None` without the header. Every proxy appends the
    /// address of its peer, so that the list is read from its end for as long as the entries were written
    /// by trusted proxies.
    fn read(
        &self,
        headers: &HeaderMap,
        name: &HeaderName,
        parse: impl Fn(&str) -> Option<IpAddr>,
    ) -> Option<IpAddr> {
        let lines = headers.get_all(name);
        let lines: Vec<_> = lines
            .map(|line| String::from_utf8_lossy(line.as_bytes()))
            .collect();
        // `Forwarded` may name the protocol alone.
        let names_clients = |line: &str| line.to_ascii_lowercase().contains("for");
        if lines.is_empty() || (name == FORWARDED && !lines.iter().any(|line| names_clients(line)))
        {
            return None;
        }
        // A comma in quotes splits too, and leaves malformed parts: a client writes the beginning of a list, and a
        // quote that it leaves open must not hide the entries that proxies append.
        let entries = lines.iter().rev().flat_map(|line| line.rsplit(','));
        let mut client = None;
        for entry in entries.map(str::trim).filter(|entry| !entry.is_empty()) {
            if client.is_some_and(|client| !self.trusts(client)) {
                break;
            }
            let Some(address) = parse(entry) else {
                log_unreadable(name, entry);
                return Some(UNKNOWN);
            };
            client = Some(address.to_canonical());
        }
        if client.is_none() {
            log_unreadable(name, "");
        }
        Some(client.unwrap_or(UNKNOWN))
    }

    /// Returns whether the proxy at an address is trusted.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Parses an element of `Forwarded` (RFC 7239).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut node = None;
    for part in split(element, ';').filter(|part| !part.is_empty()) {
        let (name, value) = parameter(part)?;
        if name.eq_ignore_ascii_case("for") && node.replace(value).is_some() {
            return None;
        }
    }
    address(&node?)
}

/// Parses an address with or without brackets, a port or a zone. `unknown` and obfuscated names (RFC 7239,
/// section 6) are no addresses.
fn address(text: &str) -> Option<IpAddr> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        let is_well_formed = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        let address: Ipv6Addr = without_zone(address).parse().ok()?;
        return is_well_formed.then_some(address.into());
    }
    without_zone(text).parse().ok().or_else(|| {
        let (address, port) = text.rsplit_once(':')?;
        let address = without_zone(address).parse().ok()?;
        is_port(port).then_some(address)
    })
}

fn without_zone(address: &str) -> &str {
    address.split('%').next().unwrap_or(address)
}

/// Returns `true` for a port, which may be obfuscated (RFC 7239, section 6.2).
fn is_port(text: &str) -> bool {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok();
    is_number || text.starts_with('_')
}

fn log_unreadable(header: &HeaderName, entry: &str) {
    static LOGGED: Once = Once::new();
    let entry: String = entry.chars().take(MAX_LOGGED_CHARS).collect();
    LOGGED.call_once(|| {
        tracing::warn!(
            %header,
            ?entry,
            "a trusted proxy wrote no client address that can be read: such clients share the limits of one \
             address, 0.0.0.0. Let the proxy write addresses. This is logged once"
        );
    });
}

fn log_disagreement() {
    static LOGGED: Once = Once::new();
    LOGGED.call_once(|| {
        tracing::warn!(
            "X-Forwarded-For and Forwarded from a trusted proxy name different clients: such clients share the \
             limits of one address, 0.0.0.0. Let the proxy remove the header that it does not write. This is \
             logged once"
        );
    });
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    const CLIENT: &str = "203.0.113.9";
    const APART: &str = "0.0.0.0";

    /// Returns the address of a client whose request came from this peer with these lines of headers.
    fn client(peer: &str, lines: &[(HeaderName, &'static str)]) -> String {
        let proxies = TrustedProxies(vec![
            "10.0.0.0/8".parse().unwrap(),
            "2001:db8::/32".parse().unwrap(),
        ]);
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append(name.clone(), HeaderValue::from_static(line));
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn untrusted_forwarded_addresses_are_ignored() {
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &[][..], "192.0.2.1"),
            ("192.0.2.1", &[CLIENT], "192.0.2.1"),
            ("192.0.2.1", &["unknown"], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[CLIENT], CLIENT),
            ("::ffff:10.0.0.1", &[CLIENT], CLIENT),
            // What a client writes itself precedes what the proxies wrote.
            ("10.0.0.1", &["1.1.1.1, 203.0.113.9"], CLIENT),
            ("10.0.0.1", &["\", 203.0.113.9"], CLIENT),
            ("10.0.0.1", &["unknown, 203.0.113.9"], CLIENT),
            ("10.0.0.1", &["1.1.1.1", "203.0.113.9,10.0.0.2"], CLIENT),
            ("10.0.0.1", &["203.0.113.9, 2001:db8::7"], CLIENT),
            ("10.0.0.1", &["203.0.113.9, [2001:db8::7]:80, ,"], CLIENT),
            ("10.0.0.1", &["203.0.113.9:4711, 10.0.0.2:80"], CLIENT),
        ] {
            let lines: Vec<_> = forwarded
                .iter()
                .map(|line| (X_FORWARDED_FOR, *line))
                .collect();
            assert_eq!(client(peer, &lines), expected, "{peer} {forwarded:?}");
        }
        let mut headers = HeaderMap::new();
        headers.append(X_FORWARDED_FOR, HeaderValue::from_static(CLIENT));
        let none = TrustedProxies::default().client("10.0.0.1".parse().unwrap(), &headers);
        assert_eq!(none.to_string(), "10.0.0.1");
    }

    #[test]
    fn every_form_of_an_address_is_read() {
        for (entry, expected) in [
            ("203.0.113.9", CLIENT),
            ("203.0.113.9 ", CLIENT),
            ("203.0.113.9:4711", CLIENT),
            ("203.0.113.9:_port", CLIENT),
            ("\"203.0.113.9:4711\"", CLIENT),
            ("::ffff:203.0.113.9", CLIENT),
            ("[::ffff:203.0.113.9]:4711", CLIENT),
            ("2001:4860::1", "2001:4860::1"),
            ("2001:4860:0:0:0:0:0:1:4711", "2001:4860::1"),
            ("[2001:4860::1]", "2001:4860::1"),
            ("[2001:4860::1]:4711", "2001:4860::1"),
            ("\"[2001:4860::1]:4711\"", "2001:4860::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%eth0]:4711", "fe80::1"),
        ] {
            assert_eq!(
                client("10.0.0.1", &[(X_FORWARDED_FOR, entry)]),
                expected,
                "{entry}"
            );
        }
    }

    #[test]
    fn unreadable_addresses_count_apart_from_the_proxy() {
        for entry in [
            "",
            " , ",
            "unknown",
            "_hidden",
            "_hidden:_port",
            "203.0.113.9:",
            "203.0.113.9:99999",
            "203.0.113",
            "[203.0.113.9]:80",
            "[2001:4860::1",
            "[2001:4860::1]80",
            "\"203.0.113.9",
            "example.org",
            "203.0.113.9;1",
            "1.1.1.1, unknown",
            "1.1.1.1, _hidden",
        ] {
            assert_eq!(
                client("10.0.0.1", &[(X_FORWARDED_FOR, entry)]),
                APART,
                "{entry:?}"
            );
        }
    }

    #[test]
    fn forwarded_names_the_client_in_its_for_parameter() {
        for (lines, expected) in [
            (&["for=203.0.113.9"][..], CLIENT),
            (&["For=\"203.0.113.9:4711\""], CLIENT),
            (&["proto=https;FOR=203.0.113.9;by=10.0.0.1"], CLIENT),
            (&["by=10.0.0.1; for=203.0.113.9 ; host=\"a;b\""], CLIENT),
            (&["for=\"[2001:4860::1]:4711\""], "2001:4860::1"),
            (&["for=2001:4860::1"], "2001:4860::1"),
            (&["for=1.1.1.1, for=203.0.113.9"], CLIENT),
            (&["for=\"1.1.1.1, for=203.0.113.9"], CLIENT),
            (&["for=1.1.1.1", "for=203.0.113.9", "for=10.0.0.2"], CLIENT),
            (&["for=unknown"], APART),
            (&["for=_hidden"], APART),
            (&["for=\"_hidden:80\""], APART),
            (&["for=203.0.113.9;for=1.1.1.1"], APART),
            (&["for=1.1.1.1, proto=https"], APART),
            (&["for=203.0.113.9;host=\"a, for=1.1.1.1;x=\""], APART),
            (&["for"], APART),
            // Without `for`, the header names no client.
            (&["proto=https;host=example.org"], "10.0.0.1"),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| (FORWARDED, *line)).collect();
            assert_eq!(client("10.0.0.1", &lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn two_headers_are_believed_only_if_they_agree() {
        for (listed, forwarded, expected) in [
            (CLIENT, "for=\"203.0.113.9:80\"", CLIENT),
            (CLIENT, "proto=https", CLIENT),
            (CLIENT, "for=1.1.1.1", APART),
            (CLIENT, "for=unknown", APART),
            ("unknown", "for=203.0.113.9", APART),
        ] {
            let lines = [(X_FORWARDED_FOR, listed), (FORWARDED, forwarded)];
            assert_eq!(client("10.0.0.1", &lines), expected, "{lines:?}");
        }
    }
}
