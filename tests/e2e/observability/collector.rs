//! A collector of OpenTelemetry that keeps the bodies of all requests.

use std::sync::{Arc, Mutex};

use actix_web::dev::ServerHandle;
use actix_web::web::{Bytes, Data, PayloadConfig, post};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};

const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;

type Bodies = Arc<Mutex<Vec<u8>>>;

/// A collector that runs until it is dropped.
pub struct Collector {
    pub url: String,
    bodies: Bodies,
    server: ServerHandle,
}

impl Collector {
    /// Starts a collector on a free port.
    pub async fn start() -> Self {
        let bodies = Bodies::default();
        let data = Data::from(Arc::clone(&bodies));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .app_data(PayloadConfig::new(MAX_BATCH_BYTES))
                .route("/v1/traces", post().to(receive))
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0");
        let server = server.expect("a free port");
        let url = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self {
            url,
            bodies,
            server: handle,
        }
    }

    /// Returns all bodies so far.
    pub fn received(&self) -> Vec<u8> {
        self.bodies.lock().expect("unpoisoned").clone()
    }

    /// Returns whether a body contains these bytes.
    pub fn has(&self, bytes: &[u8]) -> bool {
        let received = self.received();
        received.windows(bytes.len()).any(|window| window == bytes)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // Sends the command at once; nothing waits for the end.
        drop(self.server.stop(false));
    }
}

async fn receive(request: HttpRequest, body: Bytes, bodies: Data<Mutex<Vec<u8>>>) -> HttpResponse {
    let kind = request.headers().get("content-type").expect("a type");
    assert_eq!(kind, "application/x-protobuf");
    bodies.lock().expect("unpoisoned").extend_from_slice(&body);
    HttpResponse::Ok().finish()
}
