//! An external token issuer: its keys and its key-set endpoint.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A private key, generated for each test. `openssl` generates it because the product's libraries
/// need minutes for an RSA key in an unoptimised build.
pub struct IssuerKey {
    /// The only algorithm that the key supports.
    pub algorithm: Algorithm,
    key: EncodingKey,
    pem: Vec<u8>,
}

impl IssuerKey {
    /// Generates a key for `EdDSA`.
    #[must_use]
    pub fn ed25519() -> Self {
        let pem = openssl(&["genpkey", "-algorithm", "ed25519"], &[]);
        Self {
            algorithm: Algorithm::EdDSA,
            key: EncodingKey::from_ed_der(&der(&pem)),
            pem,
        }
    }

    /// Generates a key for `ES256`.
    #[must_use]
    pub fn p256() -> Self {
        let curve = "ec_paramgen_curve:P-256";
        let pem = openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", curve], &[]);
        Self {
            algorithm: Algorithm::ES256,
            key: EncodingKey::from_ec_der(&der(&pem)),
            pem,
        }
    }

    /// Generates a key for `RS256`.
    #[must_use]
    pub fn rsa(bits: u16) -> Self {
        let pem = openssl(&["genrsa", "-traditional", &bits.to_string()], &[]);
        Self {
            algorithm: Algorithm::RS256,
            key: EncodingKey::from_rsa_der(&der(&pem)),
            pem,
        }
    }

    /// Returns the public key as `openssl` writes it: PEM, PEM without its final line break, and
    /// DER.
    #[must_use]
    pub fn public_files(&self) -> [Vec<u8>; 3] {
        let pem = openssl(&["pkey", "-pubout"], &self.pem);
        let der = openssl(&["pkey", "-pubout", "-outform", "DER"], &self.pem);
        let trimmed = pem.trim_ascii_end().to_vec();
        [pem, trimmed, der]
    }

    /// Returns the public key as a JWK (RFC 7517) with only its required members.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.key, self.algorithm).expect("a key");
        let mut jwk = serde_json::to_value(jwk).expect("JSON");
        jwk.as_object_mut().expect("an object").remove("alg");
        jwk
    }

    /// Returns the public key as a JWK with this `kid`.
    #[must_use]
    pub fn jwk_with_id(&self, id: &str) -> Value {
        let mut jwk = self.jwk();
        let members = jwk.as_object_mut().expect("an object");
        members.insert("kid".to_owned(), json!(id));
        jwk
    }

    /// Signs a token with exactly this header and payload.
    #[must_use]
    pub fn sign(&self, header: &Value, payload: &Value) -> String {
        let part = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!("{}.{}", part(header), part(payload));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, self.algorithm);
        format!("{message}.{}", signature.expect("signed"))
    }

    /// Signs a token with a `kid` header, as most issuers do.
    #[must_use]
    pub fn token(&self, id: &str, payload: &Value) -> String {
        self.sign(&json!({"alg": self.algorithm, "kid": id}), payload)
    }
}

/// Decodes the body of a PEM file.
fn der(pem: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(pem).expect("PEM is ASCII");
    let lines = text.lines().filter(|line| !line.starts_with("-----"));
    let base64: String = lines.collect();
    BASE64_STANDARD.decode(base64).expect("PEM is base64")
}

fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl is there");
    let mut stdin = child.stdin.take().expect("a pipe");
    // `openssl genpkey` closes its input unread, so a failed write is expected.
    drop(stdin.write_all(input));
    drop(stdin);
    let output = child.wait_with_output().expect("an end");
    assert!(output.status.success(), "openssl {arguments:?}");
    output.stdout
}

/// Returns a key set of these keys.
#[must_use]
pub fn key_set(keys: &[Value]) -> Value {
    json!({ "keys": keys })
}

/// An HTTP server on loopback that publishes a key set and counts its requests.
pub struct JwksServer {
    address: SocketAddr,
    answer: Arc<Mutex<Option<Vec<u8>>>>,
    request_count: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl JwksServer {
    /// Starts a server on any free port.
    pub async fn start(keys: &Value) -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address"), keys).await
    }

    /// Starts a server at the address of a stopped one.
    pub async fn start_at(address: SocketAddr, keys: &Value) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let answer = Arc::new(Mutex::new(Some(ok(keys))));
        let request_count = Arc::new(AtomicUsize::new(0));
        Self {
            address: listener.local_addr().expect("an address"),
            server: tokio::spawn(serve(
                listener,
                Arc::clone(&answer),
                Arc::clone(&request_count),
            )),
            answer,
            request_count,
        }
    }

    /// Returns the URL of the key set.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/api/auth/jwks", self.address)
    }

    /// Returns the number of requests so far.
    #[must_use]
    pub fn request_count(&self) -> usize {
        self.request_count.load(Ordering::SeqCst)
    }

    /// Publishes these keys from now on.
    pub fn publish(&self, keys: &Value) {
        self.answer_with(Some(ok(keys)));
    }

    /// Answers with these bytes, head and body, from now on. With `None`, accepts requests and
    /// never answers them.
    pub fn answer_with(&self, answer: Option<Vec<u8>>) {
        *self.answer.lock().expect("unpoisoned") = answer;
    }

    /// Stops listening and returns the address.
    pub async fn stop(self) -> SocketAddr {
        self.server.abort();
        drop(self.server.await);
        self.address
    }
}

fn ok(keys: &Value) -> Vec<u8> {
    let body = keys.to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

async fn serve(
    listener: TcpListener,
    answer: Arc<Mutex<Option<Vec<u8>>>>,
    request_count: Arc<AtomicUsize>,
) {
    let mut unanswered: Vec<TcpStream> = Vec::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            match client.read_buf(&mut request).await {
                Ok(1..) => {}
                _ => break,
            }
        }
        request_count.fetch_add(1, Ordering::SeqCst);
        let answer = answer.lock().expect("unpoisoned").clone();
        match answer {
            // Some tests hang up before the answer is complete.
            Some(answer) => drop(client.write_all(&answer).await),
            None => unanswered.push(client),
        }
    }
}
