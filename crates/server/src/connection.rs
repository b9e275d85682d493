//! A connection that a slow client cannot keep open. The HTTP parser limits how long the first head of a
//! connection may take and how long it may idle. This module limits the rest: later heads, what is left of
//! a body that no handler read, and clients that do not read their response. It also makes up for what the parser
//! does to requests that follow each other closely, and to connections that end.

mod gate;

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::rt::net::TcpStream;
use actix_web::web::{Bytes, BytesMut};
use rustix::net::sockopt::set_socket_linger;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use self::gate::RequestGate;

/// How long the head of a request may take to arrive.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may idle between requests: longer than proxies keep theirs (about 60 s), so that
/// the proxy closes it.
pub const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a client may leave its response unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may take to close a connection that ends.
pub const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// The state of a connection, which its requests share.
#[derive(Debug, Default)]
pub struct ConnectionState {
    /// The time by which the client must have sent its next head. `None` while a request is handled, and before the
    /// first head, which the parser answers with 408 if it is late.
    next_head: Cell<Option<Instant>>,
    /// Since when the connection waits for a whole head. `None` while a request is handled or answered.
    idle_since: Cell<Option<Instant>>,
    /// Whether the parser has the whole response.
    is_answered: Cell<bool>,
    /// Whether only the end of the connection shows where the response ends.
    ends_response: Cell<bool>,
    /// Whether the connection is given up for another one.
    is_shed: Cell<bool>,
    task: RefCell<Option<Waker>>,
}

impl ConnectionState {
    /// Notes that a request has arrived.
    pub fn begin_request(&self) {
        self.next_head.set(None);
        self.idle_since.set(None);
        self.is_answered.set(false);
    }

    /// Notes that the request has its response. If the response ends with the connection, the connection is reset
    /// when it ends before.
    pub fn begin_response(&self, ends_with_connection: bool) {
        self.extend_deadline();
        self.ends_response.set(ends_with_connection);
    }

    /// Notes that the parser has the whole response.
    pub fn end_response(&self) {
        self.is_answered.set(true);
    }

    /// Returns since when the connection waits for a request, which may have begun to arrive.
    pub fn idle_since(&self) -> Option<Instant> {
        self.idle_since.get()
    }

    /// Ends the connection, unless its next request is there.
    pub fn shed(&self) {
        self.is_shed.set(true);
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// Whether the connection is to end, at the latest after the present request.
    pub fn is_shed(&self) -> bool {
        self.is_shed.get()
    }

    fn extend_deadline(&self) {
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
            self.extend_deadline();
        }
    }
}

/// A client's connection that ends when a deadline passes, or when another one needs its place.
pub struct Connection {
    stream: Rc<RefCell<TcpStream>>,
    state: Rc<ConnectionState>,
    gate: RequestGate,
    /// What the client has sent and the parser does not have.
    held: BytesMut,
    /// Whether the system resets the connection when it is closed.
    is_reset_on_close: bool,
    /// When the client must have read something, while there is something that it does not read.
    read_deadline: Option<Instant>,
    late_head: Alarm,
    late_reader: Alarm,
}

impl Connection {
    /// Wraps a connection whose client is to send its first head.
    pub fn new(stream: Rc<RefCell<TcpStream>>) -> Self {
        let state = ConnectionState {
            idle_since: Cell::new(Some(Instant::now())),
            ..ConnectionState::default()
        };
        Self {
            stream,
            state: Rc::new(state),
            gate: RequestGate::new(),
            held: BytesMut::new(),
            is_reset_on_close: false,
            read_deadline: None,
            late_head: Alarm::default(),
            late_reader: Alarm::default(),
        }
    }

    /// Returns its state, for the requests on it.
    pub fn state(&self) -> Rc<ConnectionState> {
        Rc::clone(&self.state)
    }

    /// Fails once the deadline has passed; otherwise the task is woken when it does.
    fn check_deadline(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.state.next_head.get() {
            Some(until) if self.late_head.rings(until, cx) => Err(io::ErrorKind::TimedOut.into()),
            _ => Ok(()),
        }
    }

    /// Fails if the connection is to end and no request is there.
    fn check_shed(&self, cx: &Context<'_>) -> io::Result<()> {
        if self.state.is_shed() && self.state.idle_since().is_some() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let mut task = self.state.task.borrow_mut();
        if !task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
        Ok(())
    }

    /// Moves what the parser may have to `buffer`.
    fn release(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let admitted = self.gate.admit(&mut self.held).min(buffer.remaining());
        self.gate.take(admitted);
        buffer.put_slice(&self.held.split_to(admitted));
        if self.held.is_empty() {
            self.held = BytesMut::new();
        }
        admitted > 0
    }

    /// Reads until there is something that the parser may have, or the end of the stream.
    fn poll_admitted(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.held.is_empty() && self.release(buffer) {
            return Poll::Ready(Ok(()));
        }
        // Of what must wait, a little is read to see whether the client is still there.
        while self.held.is_empty() || !self.gate.is_closed() {
            if self.gate.is_broken() {
                return Poll::Ready(Ok(()));
            }
            let had = buffer.filled().len();
            ready!(Pin::new(&mut *self.stream.borrow_mut()).poll_read(cx, buffer))?;
            let Some(new) = buffer.filled_mut().get_mut(had..) else {
                break;
            };
            if new.is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.state.head_begins();
            // Most requests come alone and whole, and are not copied.
            let admitted = if self.held.is_empty() {
                self.gate.admit(new)
            } else {
                0
            };
            self.gate.take(admitted);
            self.held
                .extend_from_slice(new.get(admitted..).unwrap_or_default());
            buffer.set_filled(had + admitted);
            if admitted > 0 || self.release(buffer) {
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Pending
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = self.poll_admitted(cx, buffer)?;
        if outcome.is_pending() {
            self.check_shed(cx)?;
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
        if self.state.ends_response.get() && !self.is_reset_on_close {
            // A client could not tell the end of a program that is killed from the end of the response.
            self.stream.borrow().set_zero_linger()?;
            self.is_reset_on_close = true;
        }
        // Without a request, it is the parser that answers, and it does not say that the connection ends.
        let announced = self.state.idle_since().and_then(|_| announce_close(bytes));
        let out = announced.as_deref().unwrap_or(bytes);
        let written = Pin::new(&mut *self.stream.borrow_mut()).poll_write(cx, out)?;
        if let Poll::Ready(written) = written {
            self.read_deadline = None;
            self.state.response_is_read();
            // The parser may not read again before the deadline.
            self.check_deadline(cx)?;
            return match announced {
                None => Poll::Ready(Ok(written)),
                Some(all) if written == all.len() => Poll::Ready(Ok(bytes.len())),
                Some(_) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            };
        }
        let until = *self
            .read_deadline
            .get_or_insert_with(|| Instant::now() + WRITE_TIMEOUT);
        if self.late_reader.rings(until, cx) {
            // The system would try to send the rest for minutes.
            self.stream.borrow().set_zero_linger()?;
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }

    /// Is called when the parser has nothing left to write.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut *self.stream.borrow_mut()).poll_flush(cx))?;
        if self.state.is_answered.get() && self.gate.open() {
            self.state.is_answered.set(false);
            self.state.idle_since.set(Some(Instant::now()));
            if !self.held.is_empty() {
                cx.waker().wake_by_ref();
            }
        }
        if self.is_reset_on_close && self.state.idle_since().is_some() {
            set_socket_linger(&*self.stream.borrow(), None)?;
            self.is_reset_on_close = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_shutdown(cx)
    }
}

/// Adds `Connection: close` to a response that lacks it.
fn announce_close(response: &[u8]) -> Option<Vec<u8>> {
    const CLOSE: &[u8] = b"\r\nconnection: close";
    let end_of_status = response.windows(2).position(|two| two == b"\r\n")?;
    let has_it = response.windows(CLOSE.len()).any(|part| part == CLOSE);
    let (status, headers) = response.split_at(end_of_status);
    (!has_it).then(|| [status, CLOSE, headers].concat())
}

/// Ends a connection so that the client gets the last response: while it still sends, closing the socket would reset
/// the connection (RFC 9112, section 9.6).
pub async fn close_gently(mut stream: TcpStream) {
    let discard = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    if let Ok(Err(error)) = tokio::time::timeout(GOODBYE_TIMEOUT, discard).await {
        tracing::debug!(%error, "a client closed its connection first");
    }
}

/// The body of a response, which tells its connection when the parser has it all.
pub struct ResponseBody {
    body: BoxBody,
    state: Rc<ConnectionState>,
}

impl ResponseBody {
    pub fn new(body: BoxBody, state: Rc<ConnectionState>) -> Self {
        Self { body, state }
    }
}

impl MessageBody for ResponseBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_pin_mut().poll_next(cx)
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.state.end_response();
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
