//! A stand-in for an OpenTelemetry collector.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A collector that keeps every request body. It stops when dropped.
pub struct Collector {
    pub url: String,
    received: Arc<Mutex<Vec<u8>>>,
    task: JoinHandle<()>,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let received = Arc::<Mutex<Vec<u8>>>::default();
        let task = tokio::spawn({
            let received = Arc::clone(&received);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&received)));
                }
            }
        });
        Self {
            url,
            received,
            task,
        }
    }

    /// Returns all bodies received so far, one after the other.
    pub fn received(&self) -> Vec<u8> {
        self.received.lock().expect("unpoisoned").clone()
    }

    /// Returns whether any body contains these bytes.
    pub fn has(&self, bytes: &[u8]) -> bool {
        let received = self.received();
        received.windows(bytes.len()).any(|window| window == bytes)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers the requests of a connection until the client closes it.
async fn serve(mut stream: TcpStream, received: Arc<Mutex<Vec<u8>>>) {
    let mut bytes = Vec::new();
    loop {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            match stream.read_buf(&mut bytes).await {
                Ok(1..) => continue,
                Ok(0) | Err(_) => return,
            }
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        assert!(head.starts_with("post /v1/traces "), "{head}");
        assert!(head.contains("application/x-protobuf"), "{head}");
        let (_, length) = head.split_once("content-length: ").expect("a length");
        let length = length.lines().next().expect("a length");
        let length: usize = length.parse().expect("a number");
        while bytes.len() < end + 4 + length {
            match stream.read_buf(&mut bytes).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return,
            }
        }
        let rest = bytes.split_off(end + 4 + length);
        let body = &bytes[end + 4..];
        received.lock().expect("unpoisoned").extend_from_slice(body);
        bytes = rest;
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}
