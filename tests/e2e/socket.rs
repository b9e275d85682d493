//! HTTP on a single connection, without a client library, which would hide reconnects and partial data.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;

use crate::service::token;

/// A connection, with the bytes that have arrived but are not consumed.
pub struct Socket {
    stream: TcpStream,
    received: Vec<u8>,
}

/// An answer with its head as text.
#[derive(Debug)]
pub struct RawAnswer {
    pub status: u16,
    /// The status line and the headers, in lower case.
    pub head: String,
    /// Null if the body is empty or not JSON.
    pub body: Value,
}

impl Socket {
    /// Connects to the service or proxy at this URL.
    pub async fn connect(url: &str) -> io::Result<Self> {
        let address = url.trim_start_matches("http://");
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self::of(stream))
    }

    /// Wraps an open connection.
    pub fn of(stream: TcpStream) -> Self {
        Self {
            stream,
            received: Vec::new(),
        }
    }

    /// Sends bytes.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// Sends a request and waits for its answer.
    pub async fn exchange(&mut self, request: &str) -> io::Result<RawAnswer> {
        self.send(request).await?;
        self.answer().await
    }

    /// Receives the next answer; a connection that is closed before it is an error.
    pub async fn answer(&mut self) -> io::Result<RawAnswer> {
        let end_of_head = loop {
            if let Some(end) = self
                .received
                .windows(4)
                .position(|four| four == b"\r\n\r\n")
            {
                break end + 4;
            }
            self.receive().await?;
        };
        let head = String::from_utf8_lossy(&self.received[..end_of_head]).to_lowercase();
        let length = head
            .split_once("content-length: ")
            .and_then(|(_, rest)| rest.lines().next()?.parse().ok())
            .unwrap_or(0);
        while self.received.len() < end_of_head + length {
            self.receive().await?;
        }
        let answer: Vec<_> = self.received.drain(..end_of_head + length).collect();
        Ok(RawAnswer {
            status: head[9..12].parse().map_err(io::Error::other)?,
            body: serde_json::from_slice(&answer[end_of_head..]).unwrap_or(Value::Null),
            head,
        })
    }

    /// Returns whether unconsumed data has arrived, or the connection is closed.
    pub fn has_data(&mut self) -> bool {
        !self.received.is_empty() || self.stream.try_read_buf(&mut self.received).is_ok()
    }

    /// Waits until the connection is broken, without reading from it.
    pub async fn wait_until_broken(&self) {
        // Waiting for an error only leaves readable data where it is.
        self.stream.ready(Interest::ERROR).await.expect("a state");
    }

    /// Reads until the other side closes the connection.
    pub async fn wait_until_closed(&mut self) {
        while self.receive().await.is_ok() {}
    }

    /// Ends what the client sends.
    pub async fn end(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// Reads until the other side ends the connection. A reset is an error.
    pub async fn rest(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.receive().await {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(std::mem::take(&mut self.received));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Closes the connection with a reset, like a client that crashes.
    pub fn reset(self) -> io::Result<()> {
        self.stream.set_zero_linger()
    }

    async fn receive(&mut self) -> io::Result<()> {
        if self.stream.read_buf(&mut self.received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

/// Formats a request of `user`, with a JSON body if there is one.
pub fn request(method: &str, path: &str, user: &str, body: Option<&Value>) -> String {
    let body = body.map(Value::to_string);
    let headers = body.as_ref().map_or_else(String::new, |body| {
        format!(
            "content-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        )
    });
    format!(
        "{method} {path} HTTP/1.1\r\nhost: taskhold\r\nauthorization: Bearer {}\r\n{headers}\r\n{}",
        token(user),
        body.unwrap_or_default()
    )
}
