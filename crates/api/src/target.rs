//! Checks of the host and the path that all requests have in common.

use std::net::Ipv6Addr;

use actix_web::dev::ServiceRequest;
use actix_web::http::header::HOST;
use actix_web::http::uri::Authority;

use crate::problem::Problem;

/// Checks the target of a request. The parser has already refused a request of HTTP/1.1 without exactly one `Host`.
///
/// # Errors
/// A problem if the host is malformed (RFC 9112, section 3.2) or names a user (RFC 9110, section 4.2.4), or the path
/// has an empty segment before its end: a proxy that protects `/a/b` may not protect `/a//b`.
pub(crate) fn check(request: &ServiceRequest) -> Result<(), Problem> {
    let host = request.headers().get(HOST);
    let host = host.map_or(Some(""), |host| host.to_str().ok());
    let target = request.uri().authority().map_or("", Authority::as_str);
    for host in [host, Some(target)] {
        if !host.is_some_and(is_valid_host) {
            return Err(Problem::malformed("The host of the request is malformed."));
        }
    }
    if request.path().contains("//") {
        return Err(Problem::no_such_route());
    }
    Ok(())
}

/// Returns `true` for `host[:port]`. The host may be empty: a target may have none.
fn is_valid_host(host: &str) -> bool {
    let bracketed = host.strip_prefix('[').and_then(|host| host.split_once(']'));
    let (is_valid_name, port) = if let Some((address, port)) = bracketed {
        (address.parse::<Ipv6Addr>().is_ok(), port)
    } else {
        let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
        (is_valid_name(name), port)
    };
    let is_valid_port = match port.strip_prefix(':') {
        None => port.is_empty(),
        Some(port) => {
            port.bytes().all(|digit| digit.is_ascii_digit())
                && (port.is_empty() || port.parse::<u16>().is_ok())
        }
    };
    is_valid_name && is_valid_port
}

/// Returns `true` for a `reg-name` of RFC 3986. IPv4 addresses are such names.
fn is_valid_name(name: &str) -> bool {
    let mut parts = name.split('%');
    let is_plain = |part: &str| {
        part.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte))
    };
    parts.next().is_some_and(is_plain)
        && parts.all(|part| {
            part.split_at_checked(2).is_some_and(|(encoded, plain)| {
                encoded.bytes().all(|digit| digit.is_ascii_hexdigit()) && is_plain(plain)
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_host_with_an_optional_port_is_valid() {
        for host in [
            "",
            "todo.example",
            "todo.example:8080",
            "todo.example:",
            "localhost",
            "192.0.2.1:80",
            "[::1]",
            "[2001:db8::1]:8080",
            "b%C3%BCcher.example",
            "my_service",
            ":80",
        ] {
            assert!(is_valid_host(host), "{host}");
        }
        for host in [
            "a b",
            "a,b c",
            "user@todo.example",
            "user:password@todo.example",
            "todo.example/path",
            "todo.example?x",
            "todo.example#x",
            "a:80:80",
            "a:http",
            "a:65536",
            "a:+80",
            "::1",
            "[::1",
            "[::1]80",
            "[todo.example]",
            "a\\b",
            "a%zz",
            "a%2",
            "bücher.example",
            "a\"b",
            "a<b>",
        ] {
            assert!(!is_valid_host(host), "{host}");
        }
    }
}
