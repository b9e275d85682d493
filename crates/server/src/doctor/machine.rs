//! This machine: its limit of open files, who can read the settings, whom the service believes, and its metrics; and
//! the age of the time zones in the program.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use rustix::process::{Resource, getrlimit};
use taskhold_api::client_address::TrustedProxies;
use taskhold_application::clock::{Clock as _, SystemClock};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::zone::{Zone, database_version};

use super::report::{Finding, Report};
use super::{files, listener};
use crate::open_files;
use crate::settings::{DOTENV, Profile, Settings};

/// Networks of fewer bits are those of everybody: none that belongs to somebody is as large.
const SMALLEST_PREFIX: [u8; 2] = [8, 7];

/// Makes every check.
pub async fn check(settings: &Settings, report: &mut Report) {
    let dotenv = Path::new(DOTENV);
    if dotenv.exists() {
        report.add("env", env(dotenv, settings));
    }
    report.add("open-files", open_files(settings));
    report.add("streams", streams(settings));
    report.add(
        "time-zones",
        time_zones(database_version(), SystemClock.now()),
    );
    if !settings.server.trusted_proxies.0.is_empty() {
        report.add("proxies", proxies(&settings.server.trusted_proxies));
    }
    if let Some(address) = settings.metrics.address {
        report.add("metrics", metrics(address, settings).await);
    }
}

/// Checks that nobody else can read the file with the secrets.
fn env(path: &Path, settings: &Settings) -> Finding {
    let shown = path.display();
    let mode = files::mode(path);
    if mode & 0o044 == 0 {
        return Finding::ok(format!("{shown} is for its owner only"));
    }
    Finding::warning(
        format!("others can read {shown} (mode {mode:o}), and with it the secrets in it"),
        format!(
            "chmod 600 {shown}; replace the secrets that others may have read (docs/security.md)"
        ),
    )
    .problem_if(settings.profile == Profile::Production)
}

/// Checks the hard limit, up to which the service raises its own.
fn open_files(settings: &Settings) -> Finding {
    let needed = open_files::needed(settings);
    match getrlimit(Resource::Nofile).maximum {
        Some(allowed) if allowed < needed => Finding::warning(
            format!(
                "a process may have {allowed} open files; the settings need {needed}: further connections would be refused"
            ),
            "raise the limit (LimitNOFILE= of the unit, `ulimit -Hn`), or set server.max_connections lower",
        ),
        _ => Finding::ok(format!(
            "a process may have the {needed} that the settings need"
        )),
    }
}

/// Checks that streams leave connections for other requests.
fn streams(settings: &Settings) -> Finding {
    let connections = usize::from(settings.server.max_connections.get());
    let streams = settings.streams.all.get();
    if streams > connections / 4 * 3 {
        return Finding::warning(
            format!(
                "{streams} streams can take most of the {connections} connections of server.max_connections"
            ),
            "set limits.streams lower, or server.max_connections higher",
        );
    }
    Finding::ok(format!(
        "{streams} streams at most, of {connections} connections"
    ))
}

/// Checks the age of the time zone database. Its version tells the year, and no more: a version of December is a year
/// old when the next year is over.
fn time_zones(version: &str, now: Timestamp) -> Finding {
    let found = format!("the time zone database is {version}");
    let year = version.get(..4).and_then(|year| year.parse::<i16>().ok());
    let this_year = Zone::UTC.day_of(now).year();
    match year {
        Some(year) if year + 1 < this_year => Finding::warning(
            format!("{found}, more than a year old: it lacks later changes of summer time"),
            "upgrade to a version of taskhold with a newer one (docs/operations/upgrade.md)",
        ),
        _ => Finding::ok(found),
    }
}

fn proxies(TrustedProxies(networks): &TrustedProxies) -> Finding {
    let [v4, v6] = SMALLEST_PREFIX;
    let of_everybody = networks.iter().find(|network| {
        let smallest = if network.addr().is_ipv4() { v4 } else { v6 };
        network.prefix_len() < smallest
    });
    match of_everybody {
        Some(network) => Finding::problem(
            format!(
                "server.trusted_proxies has {network}: every client is believed, and can forge the address that limits \
                 and the log use"
            ),
            "name the addresses of your proxies only",
        ),
        None => Finding::ok(format!(
            "{} addresses or networks are trusted",
            networks.len()
        )),
    }
}

/// Checks that the metrics can be served, or are.
async fn metrics(address: SocketAddr, settings: &Settings) -> Finding {
    let service = SocketAddr::new(settings.server.host, settings.server.port);
    let overlaps = address.ip() == service.ip()
        || address.ip().is_unspecified()
        || service.ip().is_unspecified();
    if address.port() != 0 && address.port() == service.port() && overlaps {
        return Finding::problem(
            format!("{address} is the address of the service itself ({service})"),
            "set metrics.address to another",
        );
    }
    let Err(error) = TcpListener::bind(address) else {
        return Finding::ok(format!("{address} is free"));
    };
    if error.kind() != std::io::ErrorKind::AddrInUse {
        return Finding::problem(
            format!("{address} cannot be listened on: {error}"),
            "set metrics.address to an address of this machine",
        );
    }
    if is_ours(address).await {
        return Finding::ok(format!("a service answers at {address}"));
    }
    Finding::problem(
        format!("another program listens on {address}: the service does not start"),
        "stop that one, or set metrics.address to another",
    )
}

/// Returns whether a service answers there with its metrics.
async fn is_ours(address: SocketAddr) -> bool {
    let text = async { listener::ask(address, "/metrics").await?.text().await };
    text.await
        .is_ok_and(|text| text.contains("taskhold_build_info"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_zones_are_old_when_the_year_after_theirs_is_over() {
        for (version, now, is_fine) in [
            ("2026a", "2026-01-01T00:00:00Z", true),
            ("2026a", "2027-12-31T23:59:59.999999Z", true),
            ("2026z", "2028-01-01T00:00:00Z", false),
            ("2026f", "2031-06-01T00:00:00Z", false),
            // A machine whose clock is wrong.
            ("2026f", "1970-01-01T00:00:00Z", true),
        ] {
            let report = format!("{:?}", time_zones(version, now.parse().unwrap()));
            assert!(report.contains(version), "{report}");
            assert_eq!(report.contains("Ok"), is_fine, "{version} {now}: {report}");
        }
    }

    #[test]
    fn networks_of_everybody_are_told_from_those_of_somebody() {
        for (network, is_fine) in [
            ("0.0.0.0/0", false),
            ("::/0", false),
            ("0.0.0.0/1", false),
            ("128.0.0.0/1", false),
            ("2000::/3", false),
            ("10.0.0.0/8", true),
            ("172.16.0.0/12", true),
            ("fc00::/7", true),
            ("192.0.2.1/32", true),
        ] {
            let report = format!(
                "{:?}",
                proxies(&TrustedProxies(vec![network.parse().unwrap()]))
            );
            assert_eq!(report.contains("Ok"), is_fine, "{network}: {report}");
        }
    }
}
