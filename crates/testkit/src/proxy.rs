//! A TCP proxy in front of a server, for the faults that signals to the server cannot make: a path
//! that drops everything without a word, a reply that is lost after its request was obeyed.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Bytes that are read, searched and forwarded at once.
const CHUNK: usize = 64 * 1024;

/// Forwards connections from a free port of loopback to a server, until told of a fault to make.
/// It and its connections end with this value, and with the runtime that it was started on.
#[derive(Debug)]
pub struct FaultProxy {
    port: u16,
    faults: Arc<Faults>,
    /// Aborts its tasks when dropped.
    _tasks: JoinSet<()>,
}

impl FaultProxy {
    /// Starts one in front of `target`, which is `host:port`, or a URL that holds both. The server
    /// need not run yet: a connection that cannot be made to it is closed.
    pub async fn start(target: &str) -> Self {
        let [_, target, _] = around_address(target);
        let target = tokio::net::lookup_host(target)
            .await
            .expect("the target is host:port")
            .next()
            .expect("the host has an address");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let faults = Arc::<Faults>::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, target, Arc::clone(&faults)));
        Self {
            port,
            faults,
            _tasks: tasks,
        }
    }

    /// The port of 127.0.0.1 that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `url` with the proxy's host and port in place of its own.
    #[must_use]
    pub fn url(&self, url: &str) -> String {
        let [before, _, after] = around_address(url);
        format!("{before}127.0.0.1:{}{after}", self.port)
    }

    /// How many connections are open: accepted and not ended yet. Those that are frozen count, as
    /// they never end.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.faults.freeze.receiver_count()
    }

    /// Nothing passes any more on the connections that are open now, in either direction, and none
    /// of them is closed, whatever their ends do. New connections are served. The kernel still
    /// acknowledges what a frozen client sends: no keepalive notices, only a timeout of the
    /// client's own.
    pub fn freeze_existing(&self) {
        self.faults.freeze.send_replace(());
    }

    /// While `yes`, new connections are closed as soon as they are accepted; open ones go on.
    pub fn refuse_new(&self, yes: bool) {
        self.faults.refusing.store(yes, Ordering::SeqCst);
    }

    /// The reply to whatever any client sends next is lost: the server obeys, and once it has, the
    /// client's connection is reset. Happens once per call, as do the two below.
    ///
    /// What a client of PostgreSQL sends next may be the ping of its pool, or the preparation of a
    /// statement: see [`cut_reply_with`](Self::cut_reply_with).
    pub fn cut_next_reply(&self) {
        self.cut_next_reply_to(b"");
    }

    /// The same for the next bytes from a client that hold `request`. The text of a prepared
    /// statement is sent, and replied to, before it is executed, and not again after that; the text
    /// of `BEGIN` and `COMMIT` is sent as it is executed.
    pub fn cut_next_reply_to(&self, request: &'static [u8]) {
        self.faults.requests.add(request);
    }

    /// The same for the next reply that holds `reply`, whatever it replies to. PostgreSQL says
    /// `INSERT 0 1`, `UPDATE 1`, `DELETE 1`, `SELECT 1` or `COMMIT` when it has executed such a
    /// statement, prepared or not: with these, what is lost is the word of a thing done.
    pub fn cut_reply_with(&self, reply: &'static [u8]) {
        self.faults.replies.add(reply);
    }
}

/// What the connections are told.
#[derive(Debug, Default)]
struct Faults {
    refusing: AtomicBool,
    requests: Needles,
    replies: Needles,
    /// Each open connection listens to it.
    freeze: watch::Sender<()>,
}

/// Each is found once.
#[derive(Debug, Default)]
struct Needles(Mutex<Vec<&'static [u8]>>);

impl Needles {
    fn add(&self, needle: &'static [u8]) {
        let mut needles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        needles.push(needle);
    }

    /// Whether the bytes hold one, which is then gone.
    fn take(&self, bytes: &[u8]) -> bool {
        let holds = |needle: &[u8]| {
            needle.is_empty() || bytes.windows(needle.len()).any(|window| window == needle)
        };
        let mut needles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = needles.iter().position(|needle| holds(needle));
        found.map(|index| needles.remove(index)).is_some()
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, faults: Arc<Faults>) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.expect("a connection");
        if !faults.refusing.load(Ordering::SeqCst) {
            let frozen = faults.freeze.subscribe();
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
        // The server finishes all it was sent before the client knows. If it fails at that, the
        // connection is as lost as it was to be.
        drop(server.shutdown().await);
        drop(tokio::io::copy(&mut server, &mut tokio::io::sink()).await);
        client.set_zero_linger().expect("an open socket");
    }
}

/// Forwards until an end closes, or until a reply is to be lost; says whether it is that.
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

/// Forwards what `may_pass`. Whether that stopped it, and not the end of the connection.
async fn forward(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    may_pass: impl Fn(&[u8]) -> bool,
) -> bool {
    let mut bytes = Vec::with_capacity(CHUNK);
    while let Ok(1..) = from.read_buf(&mut bytes).await {
        if !may_pass(&bytes) {
            return true;
        }
        if to.write_all(&bytes).await.is_err() {
            break;
        }
        bytes.clear();
    }
    false
}

/// Splits a URL into what is before its host and port, these, and what is after them.
fn around_address(url: &str) -> [&str; 3] {
    let authority = url.find("://").map_or(0, |scheme| scheme + "://".len());
    let (scheme, rest) = url.split_at(authority);
    let (authority, after) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let user = authority.rfind('@').map_or(0, |at| at + 1);
    let (before, address) = url.split_at(scheme.len() + user);
    let (address, _) = address.split_at(authority.len() - user);
    [before, address, after]
}
