//! The server that the address of a database leads to.
//!
//! After a failover the address leads to another server, and sessions with the old one may still be open: it was
//! paused or cut off, and nobody has stopped it. What is written there is lost. So the first session with the new
//! server ends all sessions with the old one, and no answer of the old one counts after that.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

/// One run of a server, as [`FIND_SERVER`] names it: the time at which it started, in microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Server(String);

/// Finds the server of a session. A standby has no name: it is not where writes go, whatever leads there.
pub(crate) const FIND_SERVER: &str = "SELECT CASE WHEN pg_is_in_recovery() THEN '' \
     ELSE (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::int8::text END";

impl Server {
    /// Returns the server that [`FIND_SERVER`] has found, or `None` for a standby.
    pub(crate) fn named(name: String) -> Option<Self> {
        (!name.is_empty()).then_some(Self(name))
    }
}

/// The server of a session, as the number of servers that were replaced before the session was opened.
#[derive(Debug)]
pub(crate) struct Place {
    primary: Arc<Primary>,
    generation: u64,
}

impl Place {
    /// Returns whether another server has replaced that of the session: a write there would be lost.
    pub(crate) fn is_replaced(&self) -> bool {
        self.generation != *self.primary.generation.borrow()
    }
}

/// The server that takes the writes, as the newest session found it.
#[derive(Debug, Default)]
pub(crate) struct Primary {
    generation: watch::Sender<u64>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The server, and when it was found to be another one than before.
    current: Option<(Server, Instant)>,
    replaced: HashSet<Server>,
    /// The address has led back to a server that was replaced, so several take writes: replacing them in turn would
    /// end every session all the time.
    are_several: bool,
}

impl Primary {
    /// Records the server of a session that began to open at `began`. Returns `None` if the server has been replaced
    /// meanwhile.
    pub(crate) fn opened(
        self: &Arc<Self>,
        server: Option<Server>,
        began: Instant,
    ) -> Option<Place> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(server) = server.filter(|_| !known.are_several) else {
            return Some(self.place());
        };
        match known.current.take() {
            None => known.current = Some((server, began)),
            Some((current, since)) if current == server => known.current = Some((current, since)),
            Some((current, since)) if began < since => {
                known.current = Some((current, since));
                return None;
            }
            Some((current, since)) if known.replaced.contains(&server) => {
                known.current = Some((current, since));
                known.are_several = true;
                tracing::warn!(
                    "the address of the database leads to several servers that take writes, in turn: if they do not \
                     share their data, let it lead to one"
                );
            }
            Some((current, _)) => {
                known.replaced.insert(current);
                known.current = Some((server, Instant::now()));
                self.generation.send_modify(|generation| *generation += 1);
                tracing::info!(
                    "the address of the database leads to another server than before, or to one that was restarted: \
                     earlier sessions are given up"
                );
            }
        }
        Some(self.place())
    }

    /// Returns a channel that tells when a server is replaced.
    pub(crate) fn replacements(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    fn place(self: &Arc<Self>) -> Place {
        Place {
            primary: Arc::clone(self),
            generation: *self.generation.borrow(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn server(name: &str) -> Option<Server> {
        Server::named(name.to_owned())
    }

    #[test]
    fn session_with_another_server_replaces_those_before() {
        let primary = Arc::<Primary>::default();
        let started = Instant::now();
        let old = primary.opened(server("a"), started).expect("current");
        let same = primary.opened(server("a"), Instant::now());
        assert!(!same.expect("current").is_replaced());
        let new = primary.opened(server("b"), Instant::now());
        let new = new.expect("current");
        assert!(old.is_replaced() && !new.is_replaced());
        // It began to open before the first session with the new server was there.
        assert!(primary.opened(server("a"), started).is_none());
        assert!(!new.is_replaced());
    }

    #[test]
    fn standby_replaces_no_server() {
        let primary = Arc::<Primary>::default();
        let session = primary.opened(server("a"), Instant::now());
        let standby = primary.opened(server(""), Instant::now());
        for session in [session, standby] {
            assert!(!session.expect("current").is_replaced());
        }
    }

    #[test]
    fn servers_in_turn_do_not_replace_each_other_forever() {
        let primary = Arc::<Primary>::default();
        for name in ["a", "b"] {
            let session = primary.opened(server(name), Instant::now());
            assert!(session.is_some());
        }
        let later = Instant::now() + Duration::from_secs(1);
        let last = primary.opened(server("a"), later).expect("current");
        for name in ["b", "a", "b", "c"] {
            assert!(primary.opened(server(name), later).is_some());
            assert!(!last.is_replaced(), "{name}");
        }
    }
}
