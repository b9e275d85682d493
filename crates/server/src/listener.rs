//! The HTTP server: its listener and its limits.

use std::cell::RefCell;
use std::io;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::rc::Rc;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol, Request, Response, Version};
use actix_server::Server;
use actix_service::{Service as _, apply_fn_factory, map_config};
use actix_web::body::{BodySize, BoxBody, MessageBody as _};
use actix_web::dev::AppConfig;
use actix_web::http::ConnectionType;
use actix_web::rt::net::TcpStream;
use taskhold_api::Services;

use crate::capacity::{AddressLimit, OpenConnections};
use crate::connection::{
    Connection, ConnectionState, GOODBYE_TIMEOUT, HEAD_TIMEOUT, KEEP_ALIVE, ResponseBody,
    close_gently,
};
use crate::{refusals, settings};

/// How many connections wait in the system to be accepted: more than come at once when a proxy moves its
/// load here, and few enough to be answered before their clients give up.
const BACKLOG: i32 = 1024;
/// How long requests in flight may take to finish after the service was told to stop.
const DRAIN_TIMEOUT_SECONDS: u64 = 25;

/// Builds a server of the API with `max_connections` at once; those beyond wait in the backlog until another one ends.
///
/// It is built of the parts of actix-web's own server, which accepts only plain connections.
pub fn server(
    listener: TcpListener,
    settings: &settings::Server,
    services: Services,
) -> io::Result<Server> {
    rustix::net::listen(&listener, BACKLOG)?;
    let address = listener.local_addr()?;
    let max_connections = usize::from(settings.max_connections.get());
    let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let workers = workers.min(max_connections);
    let limit = max_connections / workers;
    let addresses = AddressLimit::new(
        settings.max_connections_per_address,
        settings.trusted_proxies.clone(),
    );
    let builder = Server::build();
    let shutdown = builder.graceful_shutdown_signal();
    let builder = builder
        .workers(workers)
        .max_concurrent_connections(limit)
        .shutdown_timeout(DRAIN_TIMEOUT_SECONDS)
        .disable_signals();
    let builder = builder.listen("taskhold", listener, move || {
        let open = OpenConnections::new(limit);
        let app = map_config(taskhold_api::app(services.clone()), |()| {
            AppConfig::default()
        });
        let requests = {
            let open = Rc::clone(&open);
            apply_fn_factory(app, move |request: Request, app| {
                let connection = request.conn_data::<Rc<ConnectionState>>().cloned();
                let connection = connection.unwrap_or_default();
                connection.begin_request();
                let version = request.head().version;
                let response = app.call(request);
                let open = Rc::clone(&open);
                async move {
                    let response = response.await;
                    let response = response.map_or_else(Response::from, Response::from);
                    let closes = connection.is_shed() || open.closes_after_response();
                    Ok::<_, actix_web::Error>(begin(response, version, closes, connection))
                }
            })
        };
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
                data.insert(connection.state());
            })
            .finish(requests);
        let addresses = addresses.clone();
        apply_fn_factory(http, move |stream: TcpStream, http| {
            // A long list is many writes: each would wait for the acknowledgement of the one before, which
            // may take 40 ms.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection keeps its writes back");
            }
            // A client that is gone has no address, and no request either.
            let peer = stream.peer_addr().ok();
            let counted = peer.and_then(|peer| addresses.count(peer.ip()));
            if peer.is_some() && counted.is_none() {
                refusals::log_crowded_address();
            }
            let served = counted.map(|counted| {
                let stream = Rc::new(RefCell::new(stream));
                let connection = Connection::new(Rc::clone(&stream));
                let place = open.add(connection.state());
                let served = http.call((connection, Protocol::Http1, peer));
                (served, stream, (counted, place))
            });
            async move {
                if let Some((served, stream, _place)) = served {
                    let outcome = served.await;
                    if let Err(error) = &outcome {
                        refusals::log_error(error);
                    }
                    if let Ok(()) | Err(DispatchError::Parse(_)) = outcome
                        && let Ok(stream) = Rc::try_unwrap(stream)
                    {
                        close_gently(stream.into_inner()).await;
                    }
                }
                Ok(())
            }
        })
    })?;
    Ok(builder.run())
}

/// Begins a response on its connection. `closes` says whether the connection ends after the response in any case.
fn begin(
    mut response: Response<BoxBody>,
    version: Version,
    closes: bool,
    connection: Rc<ConnectionState>,
) -> Response<ResponseBody> {
    // HTTP/1.0 has no chunks.
    let ends_with_connection =
        version < Version::HTTP_11 && response.body().size() == BodySize::Stream;
    let head = response.head_mut();
    if ends_with_connection {
        head.no_chunking(true);
    }
    if closes || ends_with_connection {
        head.set_connection_type(ConnectionType::Close);
    }
    connection.begin_response(ends_with_connection);
    response.map_body(|_, body| ResponseBody::new(body, connection))
}
