//! A service that is shutting down closes its connections.

use actix_web::HttpResponse;
use actix_web::http::{ConnectionType, Method};

use crate::wire::{Wire, get, request};

fn ends_its_connection(response: &HttpResponse) -> bool {
    response.head().connection_type() == ConnectionType::Close
}

#[actix_web::test]
async fn draining_closes_every_connection() {
    let wire = Wire::new();
    let path = wire.created(r#"{"title": "stays"}"#).await;
    let requests = [
        get(&path),
        get("/health/ready"),
        get("/nowhere"),
        get("/api/v1/tasks").header("authorization", ""),
        request(Method::POST, "/api/v1/tasks").json("no JSON"),
        request(Method::DELETE, &path),
    ];
    for request in &requests {
        assert!(!ends_its_connection(&wire.answer(request).await));
    }
    wire.drain();
    for request in &requests {
        assert!(ends_its_connection(&wire.answer(request).await));
    }
}
