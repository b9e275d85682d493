//! The files of the page over HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;

use flate2::read::GzDecoder;
use reqwest::Method;
use reqwest::header::HeaderMap;

use crate::requirements::repository;
use crate::service::{Client, Database, Service};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types taskhold";

const REVALIDATED: &str = "no-cache";
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// The most bytes of scripts and styles together, without compression.
const MAX_BYTES: usize = 100 * 1024;

/// An answer with a body of any type.
pub struct Got {
    pub status: u16,
    headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Got {
    pub async fn get(client: &Client, path: &str, headers: &[(&str, &str)]) -> Self {
        Self::of(client, Method::GET, path, headers).await
    }

    async fn of(client: &Client, method: Method, path: &str, headers: &[(&str, &str)]) -> Self {
        let request = client.request(method, path);
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        let response = request.send().await.expect("an answer");
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            bytes: response.bytes().await.expect("a body").into(),
        }
    }

    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("ASCII"))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).expect("UTF-8")
    }

    /// Returns the headers that do not depend on the time and the request.
    pub fn lasting(&self) -> BTreeMap<&str, &str> {
        let names = self.headers.keys().map(reqwest::header::HeaderName::as_str);
        let names = names.filter(|name| !["date", "x-request-id"].contains(name));
        names.map(|name| (name, self.header(name))).collect()
    }
}

/// Returns the digest of the page at `base_path`, as its HTML names it.
pub async fn digest(client: &Client, base_path: &str) -> String {
    let index = Got::get(client, &format!("{base_path}/"), &[]).await;
    let (_, rest) = index
        .text()
        .split_once(&format!("\"{base_path}/page/"))
        .unwrap_or_else(|| panic!("no file is named: {}", index.text()));
    let digest = rest.split('/').next().unwrap_or_default();
    assert!(digest.len() >= 16, "{digest}");
    digest.to_owned()
}

/// Returns the paths that `files.json` lists.
async fn listed(client: &Client, folder: &str) -> Vec<String> {
    let list = Got::get(client, &format!("{folder}/files.json"), &[]).await;
    assert_eq!(list.status, 200, "{folder}");
    serde_json::from_slice(&list.bytes).expect("a list of paths")
}

/// Returns the path of every file of the page, with the addresses of those that have one of their own.
pub async fn paths(client: &Client) -> Vec<String> {
    let folder = format!("/page/{}", digest(client, "").await);
    let listed = listed(client, &folder).await.into_iter();
    let files = listed.map(|path| format!("{folder}/{path}"));
    let own = ["/", "/sw.js"].map(str::to_owned);
    files
        .chain(own)
        .chain([format!("{folder}/files.json")])
        .collect()
}

/// Returns the files in `crates/web/assets` that are served, by their paths.
fn assets() -> BTreeMap<String, Vec<u8>> {
    let mut assets = BTreeMap::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let place = repository().join("crates/web/assets").join(&folder);
        for entry in fs::read_dir(place).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("UTF-8");
            let path = format!("{folder}{name}");
            if entry.path().is_dir() {
                folders.push(path + "/");
            } else if !name.starts_with('.') && !name.ends_with(".d.ts") {
                assets.insert(path, fs::read(entry.path()).expect("a file"));
            }
        }
    }
    assert!(assets.len() >= 3, "{:?}", assets.keys());
    assets
}

/// Asserts that the page at `base_path`, and every file that it names or lists, leads to the service.
pub async fn assert_page_is_served(client: &Client, base_path: &str) {
    let folder = format!("{base_path}/page/{}", digest(client, base_path).await);
    for path in listed(client, &folder).await {
        let file = Got::get(client, &format!("{folder}/{path}"), &[]).await;
        assert_eq!(file.status, 200, "{path}");
        assert_eq!(file.header("cache-control"), IMMUTABLE, "{path}");
    }
    for path in ["/", "/sw.js"] {
        let file = Got::get(client, &format!("{base_path}{path}"), &[]).await;
        assert_eq!(file.status, 200, "{path}");
        let named = file.text().matches("/page/").count();
        assert!(named > 0, "{path}: {}", file.text());
        let below = file.text().matches(&format!("{folder}/")).count();
        assert_eq!(below, named, "{path}: {}", file.text());
    }
}

#[tokio::test]
async fn files_have_the_headers_of_the_page() {
    let service = Service::start(&Database::sqlite()).await;
    let client = service.client_with(None);
    let folder = format!("/page/{}", digest(&client, "").await);
    for (path, media_type, caching) in [
        ("/".to_owned(), "text/html; charset=utf-8", REVALIDATED),
        (
            "/sw.js".to_owned(),
            "text/javascript; charset=utf-8",
            REVALIDATED,
        ),
        (
            format!("{folder}/app.js"),
            "text/javascript; charset=utf-8",
            IMMUTABLE,
        ),
        (
            format!("{folder}/app.css"),
            "text/css; charset=utf-8",
            IMMUTABLE,
        ),
        (
            format!("{folder}/manifest.webmanifest"),
            "application/manifest+json",
            IMMUTABLE,
        ),
        (format!("{folder}/icon.svg"), "image/svg+xml", IMMUTABLE),
        (
            format!("{folder}/files.json"),
            "application/json",
            IMMUTABLE,
        ),
    ] {
        let file = Got::get(&client, &path, &[]).await;
        assert_eq!(file.status, 200, "{path}");
        let length = file.bytes.len().to_string();
        let tag = file.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.len() > 10, "{path}: {tag}");
        let expected = BTreeMap::from([
            ("content-type", media_type),
            ("content-length", &length),
            ("cache-control", caching),
            ("content-security-policy", POLICY),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("vary", "Accept-Encoding"),
            ("etag", &tag),
        ]);
        assert_eq!(file.lasting(), expected, "{path}");
    }
}

#[tokio::test]
async fn every_file_is_listed_and_served_as_it_is() {
    let service = Service::start(&Database::sqlite()).await;
    let client = service.client_with(None);
    let folder = format!("/page/{}", digest(&client, "").await);
    let mut assets = assets();
    for (path, address) in [("index.html", "/"), ("sw.js", "/sw.js")] {
        let source = assets.remove(path).expect("a file");
        let served = Got::get(&client, address, &[]).await;
        assert_is_served(path, &source, &served, &folder);
        let refused = client.get(&format!("{folder}/{path}")).await;
        refused.assert_problem(404, "NOT_FOUND");
    }
    let listed = listed(&client, &folder).await;
    assert_eq!(
        listed.iter().collect::<BTreeSet<_>>(),
        assets.keys().collect()
    );
    for (path, source) in assets {
        let served = Got::get(&client, &format!("{folder}/{path}"), &[]).await;
        assert_is_served(&path, &source, &served, &folder);
    }
}

/// Asserts that a file is served as it is, but for the placeholder, and in code for what browsers do not read.
fn assert_is_served(path: &str, source: &[u8], served: &Got, folder: &str) {
    assert_eq!(served.status, 200, "{path}");
    let Ok(source) = std::str::from_utf8(source) else {
        assert_eq!(served.bytes, source, "{path}");
        return;
    };
    let source = source.replace("/page/@", folder);
    if !is_code(path) {
        assert_eq!(served.text(), source, "{path}");
        return;
    }
    let served = served.text();
    assert!(
        !served.contains("\n *") && !served.contains("@ts-check"),
        "{path}: {served}"
    );
    // The file has all that is served, in the same order.
    let mut source = source.chars().filter(|char| !char.is_whitespace());
    let mut served = served.chars().filter(|char| !char.is_whitespace());
    let added = served.find(|served| !source.any(|char| char == *served));
    assert_eq!(added, None, "{path}");
}

/// Returns `true` for scripts and styles.
fn is_code(path: &str) -> bool {
    [".js", ".css"].iter().any(|ending| path.ends_with(ending))
}

/// As browsers get them, before compression.
#[tokio::test]
async fn scripts_and_styles_have_at_most_100_kib() {
    let service = Service::start(&Database::sqlite()).await;
    let client = service.client_with(None);
    let mut sizes = Vec::new();
    for path in paths(&client).await {
        if is_code(&path) {
            sizes.push((Got::get(&client, &path, &[]).await.bytes.len(), path));
        }
    }
    sizes.sort();
    let total: usize = sizes.iter().map(|(size, _)| size).sum();
    let rows = sizes.iter().rev();
    let table: Vec<_> = rows
        .map(|(size, path)| format!("{size:>7} {path}\n"))
        .collect();
    let table = table.concat();
    println!("{table}{total:>7} of {MAX_BYTES}");
    assert!(total > 0 && total <= MAX_BYTES, "{total} bytes:\n{table}");
}

#[tokio::test]
async fn compressed_file_equals_the_plain_one() {
    let service = Service::start(&Database::sqlite()).await;
    let client = service.client_with(None);
    let mut compressed = 0;
    for path in paths(&client).await {
        let plain = Got::get(&client, &path, &[("accept-encoding", "identity")]).await;
        assert_eq!(plain.header("content-encoding"), "", "{path}");
        for accepted in ["gzip", "gzip, deflate, br, zstd"] {
            let file = Got::get(&client, &path, &[("accept-encoding", accepted)]).await;
            assert_eq!(file.status, 200, "{path}");
            assert_eq!(file.header("content-length"), file.bytes.len().to_string());
            if file.header("content-encoding") == "gzip" {
                compressed += 1;
                assert_ne!(file.header("etag"), plain.header("etag"), "{path}");
                assert_eq!(file.header("vary"), "Accept-Encoding", "{path}");
                assert!(file.bytes.len() < plain.bytes.len(), "{path}");
                let mut content = Vec::new();
                GzDecoder::new(file.bytes.as_slice())
                    .read_to_end(&mut content)
                    .expect("gzip");
                assert_eq!(content, plain.bytes, "{path}");
            } else {
                assert_eq!(file.bytes, plain.bytes, "{path}");
            }
        }
    }
    assert!(compressed > 0, "no file is compressed");
}

#[tokio::test]
async fn known_file_returns_304() {
    let service = Service::start(&Database::sqlite()).await;
    let client = service.client_with(None);
    for path in paths(&client).await {
        for accepted in ["identity", "gzip"] {
            let file = Got::get(&client, &path, &[("accept-encoding", accepted)]).await;
            let tag = file.header("etag");
            for (condition, status) in [(tag, 304), ("*", 304), ("\"other\"", 200)] {
                let headers = [("accept-encoding", accepted), ("if-none-match", condition)];
                let again = Got::get(&client, &path, &headers).await;
                assert_eq!(again.status, status, "{path} {condition}");
                for name in ["etag", "cache-control", "content-security-policy", "vary"] {
                    assert_eq!(again.header(name), file.header(name), "{path} {name}");
                }
                assert_eq!(again.bytes.is_empty(), status == 304, "{path} {condition}");
            }
        }
    }
}

#[tokio::test]
async fn head_has_the_headers_of_get() {
    let service = Service::start(&Database::sqlite()).await;
    let client = service.client_with(None);
    for path in paths(&client).await {
        for headers in [&[][..], &[("accept-encoding", "gzip")]] {
            let file = Got::get(&client, &path, headers).await;
            let head = Got::of(&client, Method::HEAD, &path, headers).await;
            assert_eq!(head.status, 200, "{path}");
            assert_eq!(head.lasting(), file.lasting(), "{path}");
            assert!(!file.bytes.is_empty(), "{path}");
        }
    }
}
