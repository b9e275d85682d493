use std::io::Read as _;

use actix_web::App;
use actix_web::body::to_bytes;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{ACCEPT_ENCODING, HeaderName, IF_NONE_MATCH};
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::web::Bytes;
use flate2::read::GzDecoder;

use super::*;

/// Sends a request to the page under this base path.
async fn ask(base_path: &str, path: &str, headers: &[(HeaderName, &str)]) -> ServiceResponse {
    let page = Page::new(base_path);
    let app = page.addresses().iter().fold(App::new(), |app, address| {
        app.route(address.path, address.route())
    });
    let request = TestRequest::with_uri(path);
    let request = headers.iter().fold(request, |request, header| {
        request.insert_header(header.clone())
    });
    call_service(&init_service(app).await, request.to_request()).await
}

fn header<'a>(answer: &'a ServiceResponse, name: &str) -> &'a str {
    let value = answer.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

async fn body(answer: ServiceResponse) -> Bytes {
    to_bytes(answer.into_body()).await.unwrap()
}

/// Returns the paths of all files.
fn paths() -> Vec<String> {
    let files = FILES
        .iter()
        .map(|file| format!("/page/{DIGEST}/{}", file.path));
    files.chain(["/".to_owned(), "/sw.js".to_owned()]).collect()
}

fn unpacked(compressed: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    GzDecoder::new(compressed)
        .read_to_end(&mut content)
        .unwrap();
    content
}

#[actix_web::test]
async fn placeholder_is_the_path_of_the_files() {
    for (base_path, folder) in [
        ("", format!("/page/{DIGEST}/")),
        ("/todo", format!("/todo/page/{DIGEST}/")),
    ] {
        for path in paths() {
            let body = body(ask(base_path, &path, &[]).await).await;
            let text = String::from_utf8_lossy(&body);
            assert!(!text.contains("/page/@/"), "{path}: {text}");
            if path == "/" {
                let named = text.matches("/page/").count();
                assert!(named > 0, "{text}");
                assert_eq!(text.matches(&format!("\"{folder}")).count(), named);
            }
        }
    }
}

#[actix_web::test]
async fn compressed_file_equals_the_plain_one() {
    let mut compressed = 0;
    for path in paths() {
        let plain = ask("/todo", &path, &[]).await;
        assert_eq!(header(&plain, "content-encoding"), "", "{path}");
        let zipped = ask("/todo", &path, &[(ACCEPT_ENCODING, "gzip, br")]).await;
        for name in ["content-type", "cache-control", "content-security-policy"] {
            assert_eq!(header(&zipped, name), header(&plain, name), "{path}");
        }
        let is_compressed = header(&zipped, "content-encoding") == "gzip";
        let tags = [&plain, &zipped].map(|answer| header(answer, "etag").to_owned());
        assert_eq!(tags[0] != tags[1], is_compressed, "{path}: {tags:?}");
        let (plain, zipped) = (body(plain).await, body(zipped).await);
        if is_compressed {
            assert!(zipped.len() < plain.len(), "{path}");
            assert_eq!(unpacked(&zipped), plain, "{path}");
            compressed += 1;
        } else {
            assert_eq!(zipped, plain, "{path}");
        }
    }
    assert!(compressed > 0, "no file is compressed");
}

#[actix_web::test]
async fn encoding_is_the_one_that_the_client_prefers() {
    for (accepted, encoding) in [
        (None, ""),
        (Some(""), ""),
        (Some("gzip"), "gzip"),
        (Some("GZIP"), "gzip"),
        (Some("gzip, deflate, br, zstd"), "gzip"),
        (Some("identity, gzip"), "gzip"),
        (Some("br;q=1.0, gzip;q=0.2"), "gzip"),
        (Some("identity;q=0.5, gzip;q=0.8"), "gzip"),
        (Some("identity;q=0, gzip"), "gzip"),
        (Some("gzip;q=0.5, identity"), ""),
        (Some("gzip;q=0"), ""),
        (Some("gzip;q=0, *"), ""),
        (Some("identity"), ""),
        (Some("br"), ""),
        // Nothing that the page has is accepted, but a file is more use than a refusal.
        (Some("identity;q=0, br"), ""),
        (Some("gzip;q=high"), ""),
    ] {
        let headers = accepted.map(|accepted| (ACCEPT_ENCODING, accepted));
        let answer = ask("", "/", headers.as_slice()).await;
        assert_eq!(answer.status(), 200, "{accepted:?}");
        let chosen = header(&answer, "content-encoding");
        assert_eq!(chosen, encoding, "{accepted:?}");
        assert_eq!(header(&answer, "vary"), "Accept-Encoding", "{accepted:?}");
    }
}

#[actix_web::test]
async fn known_file_returns_304() {
    for path in paths() {
        let plain = ask("", &path, &[]).await;
        let zipped = ask("", &path, &[(ACCEPT_ENCODING, "gzip")]).await;
        let plain_tag = header(&plain, "etag");
        assert!(plain_tag.starts_with('"'), "a strong tag: {plain_tag}");
        for (condition, tag) in [
            (plain_tag.to_owned(), plain_tag),
            (format!("W/{plain_tag}"), plain_tag),
            (format!("\"x\", {plain_tag}"), plain_tag),
            (header(&zipped, "etag").to_owned(), header(&zipped, "etag")),
            ("*".to_owned(), plain_tag),
        ] {
            let answer = ask("", &path, &[(IF_NONE_MATCH, &condition)]).await;
            assert_eq!(answer.status(), 304, "{path} {condition}");
            assert_eq!(header(&answer, "etag"), tag, "{path} {condition}");
            for name in ["cache-control", "content-security-policy", "vary"] {
                assert_eq!(header(&answer, name), header(&plain, name), "{path} {name}");
            }
            for name in ["content-type", "content-encoding"] {
                assert_eq!(header(&answer, name), "", "{path} {name}");
            }
            assert!(body(answer).await.is_empty(), "{path} {condition}");
        }
        let unquoted = plain_tag.trim_matches('"');
        for condition in ["\"x\"", "W/\"x\"", "", unquoted] {
            let answer = ask("", &path, &[(IF_NONE_MATCH, condition)]).await;
            assert_eq!(answer.status(), 200, "{path} {condition}");
        }
    }
}

#[actix_web::test]
async fn other_base_path_has_another_tag() {
    let (root, below) = (ask("", "/", &[]).await, ask("/todo", "/", &[]).await);
    assert_ne!(header(&root, "etag"), header(&below, "etag"));
}

#[actix_web::test]
async fn unknown_file_returns_404() {
    let other_digest = DIGEST.chars().rev().collect::<String>();
    for path in [
        "/page/".to_owned(),
        format!("/page/{DIGEST}"),
        format!("/page/{DIGEST}/"),
        format!("/page/{DIGEST}/other.js"),
        format!("/page/{DIGEST}/app.js/x"),
        format!("/page/{DIGEST}/../app.js"),
        format!("/page/{DIGEST}/..%2fapp.js"),
        format!("/page/{DIGEST}/APP.JS"),
        // These have addresses of their own.
        format!("/page/{DIGEST}/index.html"),
        format!("/page/{DIGEST}/sw.js"),
        format!("/page/{other_digest}/app.js"),
        format!("/page/{}/app.js", DIGEST.to_uppercase() + "0"),
        "/page/@/app.js".to_owned(),
        "/index.html".to_owned(),
        "/app.js".to_owned(),
    ] {
        let answer = ask("", &path, &[]).await;
        assert_eq!(answer.status(), 404, "{path}");
    }
}
