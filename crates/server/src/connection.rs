//! A connection that a slow client cannot hold. The HTTP parser limits how long the first head of a
//! connection may take and how long it may idle; here is the rest: heads after the first, what is
//! left of a body that nobody read, and clients that do not read their answer.

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
/// How long a connection may idle between requests: longer than proxies keep theirs (60 s and the
/// like), so that it is they who close.
pub const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a client may leave its answer unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Whose turn it is on a connection. Shared between the connection and the requests on it.
#[derive(Debug, Clone, Default)]
pub struct Turn {
    /// When the client must have sent its next head; `None` while it is the service's turn, and
    /// before the first head, which the parser answers with 408 when it is late.
    client_until: Rc<Cell<Option<Instant>>>,
}

impl Turn {
    /// A request has arrived.
    pub fn to_service(&self) {
        self.client_until.set(None);
    }

    /// It is answered.
    pub fn to_client(&self) {
        self.client_until.set(Some(Instant::now() + KEEP_ALIVE));
    }

    /// The client has sent a part of its head.
    fn head_begins(&self) {
        if let Some(until) = self.client_until.get() {
            self.client_until
                .set(Some(until.min(Instant::now() + HEAD_TIMEOUT)));
        }
    }

    /// The client has taken a part of its answer: it could not know yet what to ask next.
    fn answer_is_read(&self) {
        if self.client_until.get().is_some() {
            self.to_client();
        }
    }
}

/// A client's connection, with an end to patience.
pub struct Connection {
    stream: TcpStream,
    turn: Turn,
    /// When the client must have taken something, while there is something that it does not take.
    reads_until: Option<Instant>,
    late_head: Alarm,
    late_reader: Alarm,
}

impl Connection {
    /// A connection whose client is to send its first head.
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            turn: Turn::default(),
            reads_until: None,
            late_head: Alarm::default(),
            late_reader: Alarm::default(),
        }
    }

    /// Whose turn it is on it.
    pub fn turn(&self) -> Turn {
        self.turn.clone()
    }

    /// An error once the client has let its turn pass; else the task is woken when it has.
    fn check_turn(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.turn.client_until.get() {
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
            self.turn.head_begins();
        }
        self.check_turn(cx)?;
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
            self.reads_until = None;
            self.turn.answer_is_read();
            // The parser may not read again before the client's turn is over.
            self.check_turn(cx)?;
        } else {
            let until = *self
                .reads_until
                .get_or_insert_with(|| Instant::now() + WRITE_TIMEOUT);
            if self.late_reader.rings(until, cx) {
                // The system would go on to offer the rest, for minutes.
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

/// Wakes a task at a moment that may be moved. Most connections never need theirs.
#[derive(Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Whether the moment has come; if not, the task is woken when it does.
    fn rings(&mut self, at: Instant, cx: &mut Context<'_>) -> bool {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if at < sleep.deadline() {
            sleep.as_mut().reset(at);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= at {
                return true;
            }
            // Put off no sooner than it rings: every request puts it off.
            sleep.as_mut().reset(at);
        }
        false
    }
}
