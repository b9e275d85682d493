//! The limit of open files: every connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::settings::Settings;

/// What is open beside the connections of clients and to the store, with room to spare: connections of the
/// metrics, the log, listeners, what each worker has, the files of SQLite.
const OTHER_FILES: u64 = 256;

/// Returns how many open files the settings may need.
pub fn needed(settings: &Settings) -> u64 {
    let store = settings.database.options.max_connections;
    u64::from(settings.server.max_connections.get()) + store as u64 + OTHER_FILES
}

/// Raises the soft limit to what the settings may need. With a lower hard limit the service works, but for
/// fewer connections at once.
pub fn allow_for(settings: &Settings) {
    let needed = needed(settings);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // None is no limit.
    if current.is_none_or(|current| current >= needed) {
        return;
    }
    let allowed = maximum.map_or(needed, |maximum| maximum.min(needed));
    if allowed < needed {
        tracing::warn!(
            allowed,
            needed,
            "the hard limit of open files is too low for server.max_connections"
        );
    }
    let raised = Rlimit {
        current: Some(allowed),
        maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, needed, "cannot raise the limit of open files");
    }
}
