//! A connection that a slow client cannot keep open. The HTTP parser limits how long the first head of a
//! connection may take and how long it may idle. This module limits the rest: later heads, what is left of
//! a body that no handler read, and clients that do not read their response.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long the head of a request may take to arrive.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may idle between requests: longer than proxies keep theirs (about 60 s), so that
/// the proxy closes it.
pub const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a client may leave its response unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The time by which the client must have sent its next head. Shared by a connection and the requests on
/// it.
#[derive(Debug, Clone, Default)]
pub struct ConnectionDeadline {
    /// `None` while a request is handled, and before the first head, which the parser answers with 408 if
    /// it is late.
    next_head: Rc<Cell<Option<Instant>>>,
}

impl ConnectionDeadline {
    /// Lifts the deadline: a request has arrived.
    pub fn pause(&self) {
        self.next_head.set(None);
    }

    /// Sets the deadline: the request has its response.
    pub fn resume(&self) {
        self.next_head.set(Some(Instant::now() + KEEP_ALIVE));
    }

    /// Shortens the deadline: the client has sent a part of its head.
    fn head_begins(&self) {
        if let Some(until) = self.next_head.get() {
            let until = until.min(Instant::now() + HEAD_TIMEOUT);
            self.next_head.set(Some(until));
        }
    }

    /// Extends the deadline: the client has read a part of its response, and could not send its next
    /// request before.
    fn response_is_read(&self) {
        if self.next_head.get().is_some() {
            self.resume();
        }
    }
}

/// A client's connection that ends when a deadline passes.
pub struct Connection {
    stream: TcpStream,
    deadline: ConnectionDeadline,
    /// When the client must have read something, while there is something that it does not read.
    read_deadline: Option<Instant>,
    late_head: Alarm,
    late_reader: Alarm,
}

impl Connection {
    /// Wraps a connection whose client is to send its first head.
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            deadline: ConnectionDeadline::default(),
            read_deadline: None,
            late_head: Alarm::default(),
            late_reader: Alarm::default(),
        }
    }

    /// Returns its deadline, for the requests on it.
    pub fn deadline(&self) -> ConnectionDeadline {
        self.deadline.clone()
    }

    /// Fails once the deadline has passed; otherwise the task is woken when it does.
    fn check_deadline(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.deadline.next_head.get() {
            Some(until) if self.late_head.rings(until, cx) => Err(io::ErrorKind::TimedOut.into()),
            _ => Ok(()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let had = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer)?;
        if buffer.filled().len() > had {
            self.deadline.head_begins();
        }
        self.check_deadline(cx)?;
        outcome.map(Ok)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes)?;
        if written.is_ready() {
            self.read_deadline = None;
            self.deadline.response_is_read();
            // The parser may not read again before the deadline.
            self.check_deadline(cx)?;
        } else {
            let until = *self
                .read_deadline
                .get_or_insert_with(|| Instant::now() + WRITE_TIMEOUT);
            if self.late_reader.rings(until, cx) {
                // The system would try to send the rest for minutes.
                self.stream.set_zero_linger()?;
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        written.map(Ok)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Wakes a task at a time that can be changed. Most connections never need theirs.
#[derive(Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Whether the time has come; if not, the task is woken when it does.
    fn rings(&mut self, at: Instant, cx: &mut Context<'_>) -> bool {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if at < sleep.deadline() {
            sleep.as_mut().reset(at);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= at {
                return true;
            }
            // The timer is moved only when it fires: moving it for every request would be slow.
            sleep.as_mut().reset(at);
        }
        false
    }
}
