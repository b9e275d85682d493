//! A TCP proxy for faults that signals to the server cannot cause: a network path that silently
//! drops everything, or a reply that is lost after its request took effect.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The number of bytes that are read, searched and forwarded together.
const CHUNK: usize = 64 * 1024;

/// A proxy that forwards connections from a free loopback port to a server and injects the
/// requested faults. The proxy and its connections end when this value is dropped, and with the
/// runtime that it was started on.
#[derive(Debug)]
pub struct FaultProxy {
    port: u16,
    target: watch::Sender<SocketAddr>,
    faults: Arc<Faults>,
    /// Aborts its tasks when dropped.
    _tasks: JoinSet<()>,
}

impl FaultProxy {
    /// Starts a proxy to `target`, which is `host:port` or a URL that contains both. The server
    /// need not be running: a connection that cannot be established is closed.
    pub async fn start(target: &str) -> Self {
        let target = watch::Sender::new(address(target).await);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let faults = Arc::<Faults>::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, target.subscribe(), Arc::clone(&faults)));
        Self {
            port,
            target,
            faults,
            _tasks: tasks,
        }
    }

    /// Returns the port of 127.0.0.1 that the proxy listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns `url` with the proxy's host and port.
    #[must_use]
    pub fn url(&self, url: &str) -> String {
        let [before, _, after] = split_at_address(url);
        format!("{before}127.0.0.1:{}{after}", self.port)
    }

    /// Returns the number of connections that were accepted and have not ended. Frozen connections
    /// count forever because they never end.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.faults.freeze.receiver_count()
    }

    /// Stops forwarding on all open connections, in both directions, without ever closing them. New
    /// connections are served. The kernel still acknowledges what a frozen client sends, so TCP
    /// keepalive does not detect the fault; only a timeout of the client does.
    pub fn freeze_existing(&self) {
        self.faults.freeze.send_replace(());
    }

    /// Lets new connections lead to another server, as an address that moves in a failover. Open
    /// connections still lead to the old one.
    pub async fn lead_to(&self, target: &str) {
        self.target.send_replace(address(target).await);
    }

    /// While `refuse` is true, closes new connections as soon as they are accepted. Open
    /// connections are unaffected.
    pub fn refuse_new(&self, refuse: bool) {
        self.faults.refusing.store(refuse, Ordering::SeqCst);
    }

    /// Loses the reply to the next request of any client: once the server has processed the
    /// request, the client's connection is reset. Each call causes one fault, as do the calls of
    /// the two methods below.
    ///
    /// The next request of a PostgreSQL client may be the ping of its pool or the preparation of a
    /// statement: see [`cut_reply_with`](Self::cut_reply_with).
    pub fn cut_next_reply(&self) {
        self.cut_next_reply_to(b"");
    }

    /// Loses the reply to the next request that contains `request`. The text of a prepared
    /// statement is sent and answered before the statement is executed, and not sent again
    /// afterwards; the texts of `BEGIN` and `COMMIT` are sent when they are executed.
    pub fn cut_next_reply_to(&self, request: &'static [u8]) {
        self.faults.requests.add(request);
    }

    /// Loses the next reply that contains `reply`, whatever the request. PostgreSQL answers `INSERT
    /// 0 1`, `UPDATE 1`, `DELETE 1`, `SELECT 1` or `COMMIT` when it has executed such a statement,
    /// prepared or not; losing one of these loses the confirmation of a completed statement.
    pub fn cut_reply_with(&self, reply: &'static [u8]) {
        self.faults.replies.add(reply);
    }
}

/// The faults that the connections still have to cause.
#[derive(Debug, Default)]
struct Faults {
    refusing: AtomicBool,
    requests: Needles,
    replies: Needles,
    /// Every open connection subscribes to this channel.
    freeze: watch::Sender<()>,
}

/// Byte strings, each of which is matched once.
#[derive(Debug, Default)]
struct Needles(Mutex<Vec<&'static [u8]>>);

impl Needles {
    fn add(&self, needle: &'static [u8]) {
        let mut needles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        needles.push(needle);
    }

    /// Removes the first byte string that `bytes` contains, and returns whether there was one.
    fn take(&self, bytes: &[u8]) -> bool {
        let holds = |needle: &[u8]| {
            needle.is_empty() || bytes.windows(needle.len()).any(|window| window == needle)
        };
        let mut needles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = needles.iter().position(|needle| holds(needle));
        found.map(|index| needles.remove(index)).is_some()
    }
}

async fn accept(listener: TcpListener, target: watch::Receiver<SocketAddr>, faults: Arc<Faults>) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.expect("a connection");
        if !faults.refusing.load(Ordering::SeqCst) {
            let frozen = faults.freeze.subscribe();
            let target = *target.borrow();
            connections.spawn(serve(client, target, Arc::clone(&faults), frozen));
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(
    mut client: TcpStream,
    target: SocketAddr,
    faults: Arc<Faults>,
    mut frozen: watch::Receiver<()>,
) {
    let Ok(mut server) = TcpStream::connect(target).await else {
        return;
    };
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("an open socket");
    }
    let reply_is_lost = tokio::select! {
        biased;
        _ = frozen.changed() => std::future::pending().await,
        lost = relay(&mut client, &mut server, &faults) => lost,
    };
    if reply_is_lost {
        // The server must finish the request before the client learns of the loss. An error here
        // loses the connection just as well.
        drop(server.shutdown().await);
        drop(tokio::io::copy(&mut server, &mut tokio::io::sink()).await);
        client.set_zero_linger().expect("an open socket");
    }
}

/// Forwards until an end closes or a reply must be lost. Returns whether a reply must be lost.
async fn relay(client: &mut TcpStream, server: &mut TcpStream, faults: &Faults) -> bool {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let cut = AtomicBool::new(false);
    let requests = forward(from_client, to_server, |request| {
        if !cut.load(Ordering::SeqCst) && faults.requests.take(request) {
            cut.store(true, Ordering::SeqCst);
        }
        true
    });
    let replies = forward(from_server, to_client, |reply| {
        !cut.load(Ordering::SeqCst) && !faults.replies.take(reply)
    });
    tokio::select! {
        stopped = requests => stopped,
        stopped = replies => stopped,
    }
}

/// Forwards the bytes that `should_forward` accepts. Returns whether it rejected any before the
/// connection ended.
async fn forward(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    should_forward: impl Fn(&[u8]) -> bool,
) -> bool {
    let mut bytes = Vec::with_capacity(CHUNK);
    while let Ok(1..) = from.read_buf(&mut bytes).await {
        if !should_forward(&bytes) {
            return true;
        }
        if to.write_all(&bytes).await.is_err() {
            break;
        }
        bytes.clear();
    }
    false
}

/// Returns the address of `host:port`, or of a URL that contains both.
async fn address(target: &str) -> SocketAddr {
    let [_, target, _] = split_at_address(target);
    tokio::net::lookup_host(target)
        .await
        .expect("the target is host:port")
        .next()
        .expect("the host has an address")
}

/// Splits a URL into the parts before, at and after its host and port.
fn split_at_address(url: &str) -> [&str; 3] {
    let authority = url.find("://").map_or(0, |scheme| scheme + "://".len());
    let (scheme, rest) = url.split_at(authority);
    let (authority, after) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let user = authority.rfind('@').map_or(0, |at| at + 1);
    let (before, address) = url.split_at(scheme.len() + user);
    let (address, _) = address.split_at(authority.len() - user);
    [before, address, after]
}
