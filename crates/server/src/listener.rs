//! The HTTP server: its listener and its limits.

use std::io;
use std::net::TcpListener;
use std::num::{NonZeroU16, NonZeroUsize};
use std::time::Duration;

use actix_http::{HttpService, Protocol};
use actix_server::Server;
use actix_service::{ServiceFactoryExt as _, fn_service, map_config};
use actix_web::dev::{AppConfig, Service as _};
use actix_web::rt::net::TcpStream;
use taskhold_api::Services;

use crate::connection::{Connection, ConnectionDeadline, HEAD_TIMEOUT, KEEP_ALIVE};

/// How many connections wait in the system to be accepted: more than come at once when a proxy moves its
/// load here, and few enough to be answered before their clients give up.
const BACKLOG: i32 = 1024;
/// How long requests in flight may take to finish after the service was told to stop.
const DRAIN_TIMEOUT_SECONDS: u64 = 25;
/// How long a client may take to close a connection that ends.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// Builds a server of the API with `max_connections` at once; those beyond wait in the backlog.
///
/// It is built of the parts of actix-web's own server, which accepts only plain connections.
pub fn server(
    listener: TcpListener,
    max_connections: NonZeroU16,
    services: Services,
) -> io::Result<Server> {
    rustix::net::listen(&listener, BACKLOG)?;
    let address = listener.local_addr()?;
    let max_connections = usize::from(max_connections.get());
    let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let workers = workers.min(max_connections);
    let builder = Server::build();
    let shutdown = builder.graceful_shutdown_signal();
    let builder = builder
        .workers(workers)
        .max_concurrent_connections(max_connections / workers)
        .shutdown_timeout(DRAIN_TIMEOUT_SECONDS)
        .disable_signals();
    let builder = builder.listen("taskhold", listener, move || {
        let app = taskhold_api::app(services.clone()).wrap_fn(|request, service| {
            let deadline = request.conn_data::<ConnectionDeadline>();
            let deadline = deadline.cloned().unwrap_or_default();
            deadline.pause();
            let response = service.call(request);
            async move {
                let response = response.await;
                deadline.resume();
                response
            }
        });
        let shutdown = shutdown.clone();
        let http = HttpService::build()
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(HEAD_TIMEOUT)
            .client_disconnect_timeout(GOODBYE_TIMEOUT)
            .local_addr(address)
            .graceful_shutdown_signal(move || {
                let shutdown = shutdown.clone();
                async move { shutdown.notified().await }
            })
            .on_connect_ext(|connection: &Connection, data| {
                data.insert(connection.deadline());
            })
            .finish(map_config(app, |()| AppConfig::default()));
        fn_service(|stream: TcpStream| async move {
            // A long list is many writes: each would wait for the acknowledgement of the one before, which
            // may take 40 ms.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection keeps its writes back");
            }
            let peer = stream.peer_addr().ok();
            Ok((Connection::new(stream), Protocol::Http1, peer))
        })
        .and_then(http)
    })?;
    Ok(builder.run())
}
