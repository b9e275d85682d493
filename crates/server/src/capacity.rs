//! The limits on connections. Where a worker has as many as it may have, the one that idles longest makes room, so that
//! clients that only hold connections open keep nobody out.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use taskhold_api::client_address::TrustedProxies;
use taskhold_application::rate_limits::network;
use tokio::time::{Instant, sleep};

use crate::connection::ConnectionState;

/// How long a connection idles at least before it is closed for another one: its request may be on the way.
const MIN_IDLE: Duration = Duration::from_millis(500);
/// How often a worker that is full looks for a connection to close.
const INTERVAL: Duration = Duration::from_millis(100);

/// The open connections of a worker.
pub struct OpenConnections {
    limit: usize,
    open: RefCell<BTreeMap<u64, Rc<ConnectionState>>>,
    next_id: Cell<u64>,
    is_making_room: Cell<bool>,
    closes_next: Cell<bool>,
}

impl OpenConnections {
    /// Returns a list for `limit` connections at once.
    pub fn new(limit: usize) -> Rc<Self> {
        Rc::new(Self {
            limit,
            open: RefCell::default(),
            next_id: Cell::new(0),
            is_making_room: Cell::new(false),
            closes_next: Cell::new(false),
        })
    }

    /// Adds a connection until the entry is dropped.
    pub fn add(self: &Rc<Self>, state: Rc<ConnectionState>) -> OpenConnection {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        self.open.borrow_mut().insert(id, state);
        if self.is_full() && !self.is_making_room.replace(true) {
            actix_web::rt::spawn(Rc::clone(self).make_room());
        }
        OpenConnection {
            all: Rc::clone(self),
            id,
        }
    }

    /// Whether a connection that has a response is to end because another client may wait: at most one in each
    /// interval.
    pub fn closes_after_response(&self) -> bool {
        self.closes_next.take()
    }

    fn is_full(&self) -> bool {
        self.open.borrow().len() >= self.limit
    }

    async fn make_room(self: Rc<Self>) {
        let since = Instant::now();
        while self.is_full() {
            // If none idles for long enough, a busy one makes room: its client is told, and loses no request.
            let closes_next = !self.shed_longest_idle() && since.elapsed() >= MIN_IDLE;
            self.closes_next.set(closes_next);
            sleep(INTERVAL).await;
        }
        self.closes_next.set(false);
        self.is_making_room.set(false);
    }

    fn shed_longest_idle(&self) -> bool {
        let now = Instant::now();
        let open = self.open.borrow();
        let idle = open.values().filter(|connection| !connection.is_shed());
        let longest = idle
            .filter_map(|connection| Some((connection.idle_since()?, connection)))
            .filter(|(since, _)| now.duration_since(*since) >= MIN_IDLE)
            .min_by_key(|(since, _)| *since);
        if let Some((_, connection)) = longest {
            connection.shed();
        }
        longest.is_some()
    }
}

/// An entry in [`OpenConnections`].
pub struct OpenConnection {
    all: Rc<OpenConnections>,
    id: u64,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.all.open.borrow_mut().remove(&self.id);
    }
}

/// The limit on the connections from each address, of which a customer has many in IPv6. Proxies that are trusted have
/// no limit.
#[derive(Clone)]
pub struct AddressLimit {
    limit: Option<NonZeroU16>,
    proxies: TrustedProxies,
    open: Counts,
}

/// The number of open connections from each address that has any.
type Counts = Arc<Mutex<HashMap<IpAddr, u16>>>;

impl AddressLimit {
    /// Returns a limit that all workers share; `None` is no limit.
    pub fn new(limit: Option<NonZeroU16>, proxies: TrustedProxies) -> Self {
        Self {
            limit,
            proxies,
            open: Arc::default(),
        }
    }

    /// Counts a connection until the result is dropped. Returns `None` if its address has too many.
    pub fn count(&self, peer: IpAddr) -> Option<CountedAddress> {
        let peer = peer.to_canonical();
        let Some(limit) = self.limit.filter(|_| !self.proxies.trusts(peer)) else {
            return Some(CountedAddress(None));
        };
        let address = network(peer);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= limit.get() {
            return None;
        }
        *count += 1;
        Some(CountedAddress(Some((Arc::clone(&self.open), address))))
    }
}

/// A connection that counts against its address.
pub struct CountedAddress(Option<(Counts, IpAddr)>);

impl Drop for CountedAddress {
    fn drop(&mut self) {
        if let Some((open, address)) = &self.0 {
            let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = open.get_mut(address) {
                *count -= 1;
                if *count == 0 {
                    open.remove(address);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_of_an_address_are_limited_until_they_end() {
        let proxies = TrustedProxies(vec!["10.0.0.0/8".parse().unwrap()]);
        let limit = AddressLimit::new(NonZeroU16::new(2), proxies);
        let count = |address: &str| limit.count(address.parse().unwrap());
        let first = count("192.0.2.1").unwrap();
        let _second = count("::ffff:192.0.2.1").unwrap();
        assert!(count("192.0.2.1").is_none());
        let _other = count("192.0.2.2").unwrap();
        drop(first);
        let _again = count("192.0.2.1").unwrap();
        assert!(count("192.0.2.1").is_none());
        let _network = [count("2001:db8::1").unwrap(), count("2001:db8::2").unwrap()];
        assert!(count("2001:db8::3").is_none());
        let many: Vec<_> = (0..10).map(|_| count("10.0.0.1").unwrap()).collect();
        drop(many);
    }
}
