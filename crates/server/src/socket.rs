//! Sockets at the configured addresses, which are taken before anything else is made or changed.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};

use anyhow::anyhow;
use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

use crate::settings::Settings;

/// The sockets of the service. No client can connect to one before it listens.
pub struct Sockets {
    pub server: TcpListener,
    pub metrics: Option<TcpListener>,
}

impl Sockets {
    /// Takes the addresses.
    ///
    /// # Errors
    /// One is in use, is not of this machine, or is not allowed, with the name of the setting.
    pub fn take(settings: &Settings) -> anyhow::Result<Self> {
        let address = SocketAddr::new(settings.server.host, settings.server.port);
        let server = bound(address).map_err(|error| {
            let other = "give another port with --port or in PORT";
            refused(address, &error, ["server.host", "server.port"], other)
        })?;
        let metrics = settings.metrics.address.map(|address| {
            let setting = "metrics.address";
            bound(address)
                .map_err(|error| refused(address, &error, [setting; 2], "set it to another port"))
        });
        let metrics = metrics.transpose()?;
        Ok(Self { server, metrics })
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpListener> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // Otherwise connections of the process before could keep the port for a minute.
    set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    Ok(TcpListener::from(socket))
}

fn refused(
    address: SocketAddr,
    error: &io::Error,
    [host, port]: [&str; 2],
    other: &str,
) -> anyhow::Error {
    match error.kind() {
        ErrorKind::AddrInUse => {
            anyhow!("{port}: another program listens on {address}: stop that one, or {other}")
        }
        ErrorKind::AddrNotAvailable => anyhow!(
            "{host}: this machine has no address {}: set it to one that it has, such as 127.0.0.1, or 0.0.0.0 \
             for all of them",
            address.ip()
        ),
        ErrorKind::PermissionDenied => anyhow!(
            "{port}: only root may listen on {address}: {other} from 1024 on, or give the program the capability \
             CAP_NET_BIND_SERVICE"
        ),
        _ => anyhow!("{port}: cannot listen on {address}: {error}"),
    }
}
