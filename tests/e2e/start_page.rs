//! `GET /`: where a browser begins.

use reqwest::Method;

use crate::service::{Answer, Database, Service};

#[tokio::test]
async fn root_leads_to_the_documentation_beside_it() {
    let service = Service::start(&Database::sqlite()).await;
    let client = service.client_with(None);
    for method in [Method::GET, Method::HEAD] {
        for accept in [
            "text/html,application/xhtml+xml;q=0.9",
            "application/json",
            "*/*",
        ] {
            let request = client.request(method.clone(), "/").header("accept", accept);
            let answer = Answer::of(request).await;
            assert_eq!(answer.status, 303, "{method} {accept}: {answer:?}");
            // Relative: below another path of a proxy, the browser stays below it.
            assert_eq!(answer.header("location"), "docs");
        }
    }
    let refused = client.send(Method::POST, "/", None).await;
    refused.assert_problem(405, "METHOD_NOT_ALLOWED");
    assert_eq!(client.send(Method::OPTIONS, "/", None).await.status, 204);
    assert_eq!(client.get("/docs").await.status, 200);
}
