//! The wiring of services, ports and adapters.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use taskhold_api::Services;
use taskhold_api::metrics::Metrics;
use taskhold_application::accounts::{AccountService, Lifetimes};
use taskhold_application::administration::Administration;
use taskhold_application::authentication::Authenticator;
use taskhold_application::change_log::{ChangeLog, Trash};
use taskhold_application::change_streams::ChangeStreams;
use taskhold_application::clock::SystemClock;
use taskhold_application::housekeeping::Housekeeping;
use taskhold_application::ids::{Ids as _, TimeOrderedIds};
use taskhold_application::import::UserImports;
use taskhold_application::leases::Lease;
use taskhold_application::personal_tokens::PersonalTokens;
use taskhold_application::rate_limits::RateLimiter;
use taskhold_application::readiness::Readiness;
use taskhold_application::revocations::Revocations;
use taskhold_application::tasks::{TaskPorts, TaskService};
use taskhold_application::user_limit::UserLimit;
use taskhold_infrastructure::replica::{Replica, Replicated};
use taskhold_infrastructure::{Database, batching};
use taskhold_security::jwt::JwtTokens;
use taskhold_security::passwords::Argon2Passwords;
use taskhold_web::Page;

use crate::background::HOUSEKEEPING_INTERVAL;
use crate::secret::Secrets;
use crate::settings::{Profile, Settings};
use crate::{mcp, routes};

/// Wires the API of a service that listens on `address` to a database.
pub fn api(
    settings: &Settings,
    tokens: JwtTokens,
    secrets: &Secrets,
    database: &Database,
    metrics: &Metrics,
    address: SocketAddr,
) -> Services {
    let store = Arc::new(database.clone());
    let clock = Arc::new(SystemClock);
    let ids = Arc::new(TimeOrderedIds);
    let tokens = Arc::new(tokens);
    let revocations = Arc::new(Revocations::new(store.clone(), clock.clone()));
    let personal_tokens = Arc::new(PersonalTokens::new(
        store.clone(),
        clock.clone(),
        ids.clone(),
    ));
    let accounts = AccountService {
        users: store.clone(),
        sessions: store.clone(),
        passwords: Arc::new(Argon2Passwords::recommended()),
        tokens: tokens.clone(),
        revocations: revocations.clone(),
        personal_tokens: personal_tokens.clone(),
        devices: secrets.device_tokens(),
        limits: RateLimiter::new(store.clone(), secrets.key("rate limits"), settings.limits),
        clock: clock.clone(),
        ids: ids.clone(),
        lifetimes: Lifetimes {
            refresh_token: settings.auth.refresh_token_lifetime,
            session: settings.auth.session_lifetime,
            max_token_lifetime: settings.auth.revocation_retention,
        },
        registration: settings.auth.registration,
    };
    let ports = served_task_ports(settings, database);
    let ports = TaskPorts {
        streams: ChangeStreams::new(ports.log.clone(), settings.streams),
        ..ports
    };
    let base_path = settings.server.base_path.clone();
    let has_page = settings.page.enabled;
    let page = has_page.then(|| Page::new(base_path.as_str()));
    Services {
        tasks: tasks(settings, ports.clone()),
        imports: UserImports::new(
            store.clone(),
            ports.clone(),
            clock.clone(),
            ids.clone(),
            settings.tasks.max_per_user,
        ),
        change_log: ChangeLog::new(ports.clone()),
        trash: Trash::new(ports, clock.clone()),
        accounts,
        authenticator: Authenticator {
            tokens,
            revocations,
            personal_tokens,
            users: store.clone(),
        },
        user_limit: UserLimit::new(settings.requests_per_user.get()),
        proxies: settings.server.trusted_proxies.clone(),
        base_path,
        accept_weak_etags: settings.server.accept_weak_etags,
        readiness: Arc::new(Readiness::new(store)),
        clock,
        ids,
        origins: settings.cors.origins.clone(),
        // Served with the API only if they have no address of their own, and never in production.
        metrics: (settings.metrics.address.is_none() && settings.profile != Profile::Production)
            .then(|| metrics.clone()),
        left_out: settings.left_out,
        traces: None,
        further_endpoints: routes::further(&mcp::settings(settings, address), page.as_ref()),
    }
}

/// Wires the storage ports of tasks to a database, and to its replica if there is one.
fn served_task_ports(settings: &Settings, database: &Database) -> TaskPorts {
    let ports = task_ports(settings, database);
    let Some(options) = &settings.database.replica else {
        return ports;
    };
    let replica = Replica::start(database.clone(), options.clone());
    let replicated = Replicated::new(ports.tasks, database.clone(), replica);
    TaskPorts::of(Arc::new(replicated))
}

/// Wires the storage ports of tasks to a database.
pub fn task_ports(settings: &Settings, database: &Database) -> TaskPorts {
    TaskPorts {
        tasks: batching::task_repository(database, settings.database.batch_size),
        ..TaskPorts::of(Arc::new(database.clone()))
    }
}

/// Wires the use cases of tasks to a database.
pub fn tasks(settings: &Settings, ports: TaskPorts) -> TaskService {
    TaskService::new(
        ports,
        Arc::new(SystemClock),
        Arc::new(TimeOrderedIds),
        settings.tasks.max_per_user,
        settings.keys_per_user,
    )
}

/// Wires the purge and the renewal of rows to a database.
pub fn housekeeping(settings: &Settings, database: &Database) -> Housekeeping {
    let store = Arc::new(database.clone());
    Housekeeping {
        keys: store.clone(),
        sessions: store.clone(),
        personal_tokens: store.clone(),
        revocations: store.clone(),
        rate_limits: store.clone(),
        search: store.clone(),
        trash: store.clone(),
        trash_retention: settings.tasks.trash_retention,
        log: store,
        history_retention: settings.tasks.history_retention,
        max_token_lifetime: settings.auth.revocation_retention,
        clock: Arc::new(SystemClock),
    }
}

/// The leases of the jobs that one instance at a time does.
pub struct Leases {
    pub housekeeping: Arc<Lease>,
    pub backups: Arc<Lease>,
}

impl Leases {
    /// Wires the leases of this instance to a database.
    pub fn new(settings: &Settings, database: &Database) -> Self {
        let store = Arc::new(database.clone());
        let holder = TimeOrderedIds.next();
        let lease = |name, interval: Duration| {
            let clock = Arc::new(SystemClock);
            Arc::new(Lease::new(store.clone(), clock, name, holder, interval))
        };
        Self {
            housekeeping: lease("housekeeping", HOUSEKEEPING_INTERVAL),
            backups: lease("backups", settings.backup.every.unwrap_or_default()),
        }
    }

    /// Releases those that this instance has, so that one that starts later goes on at once.
    pub async fn release(&self) {
        for lease in [&self.housekeeping, &self.backups] {
            if let Err(error) = lease.release().await {
                tracing::debug!(%error, "a lease was not released, and expires");
            }
        }
    }
}

/// Wires the operator's work on accounts to a database.
pub fn administration(settings: &Settings, database: &Database) -> Administration {
    Administration {
        users: Arc::new(database.clone()),
        passwords: Arc::new(Argon2Passwords::single_threaded()),
        clock: Arc::new(SystemClock),
        max_token_lifetime: settings.auth.revocation_retention,
    }
}
