//! `taskhold serve`.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_server::ServerHandle;
use anyhow::Context as _;
use taskhold_api::Services;
use taskhold_application::clock::SystemClock;
use taskhold_application::housekeeping::Housekeeping;
use taskhold_application::ids::TimeOrderedIds;
use taskhold_application::readiness::Readiness;
use taskhold_application::tasks::TaskService;
use taskhold_infrastructure::idempotency::SqlKeys;
use taskhold_infrastructure::probe::SqlProbe;
use taskhold_infrastructure::tasks::SqlTasks;
use taskhold_security::jwt::{JwtTokens, Origin};
use tokio::signal::unix::{SignalKind, signal};

use crate::settings::{Profile, Settings};
use crate::{listener, metrics, migrate, open_files, secret};

/// How long the store's connections may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves until told to stop.
///
/// # Errors
/// Whatever keeps it from starting; never anything that happens to a request.
pub async fn serve(settings: Settings) -> anyhow::Result<()> {
    let secret = secret::signing_secret(&settings)?;
    let _lock = settings.database.lock()?;
    open_files::allow_for(&settings);
    let recorder = metrics::start()?;
    if settings.auto_migrate {
        let applied = migrate::up(&settings).await?;
        if applied > 0 {
            tracing::info!(applied, "migrated the database");
        }
    }
    let store = settings.database.store().await?;
    let metrics = recorder.source(store.clone());
    let clock = Arc::new(SystemClock);
    let ids = Arc::new(TimeOrderedIds);
    let readiness = Arc::new(Readiness::new(Arc::new(SqlProbe::new(store.clone()))));
    let origin = Origin {
        issuer: settings.issuer.clone(),
        audience: settings.audience.clone(),
    };
    let services = Services {
        tasks: TaskService::new(
            Arc::new(SqlTasks::new(store.clone())),
            clock.clone(),
            ids.clone(),
            settings.max_tasks_per_user,
        ),
        tokens: Arc::new(JwtTokens::new(&secret, origin)),
        readiness: readiness.clone(),
        clock,
        ids,
        origins: settings.origins.clone(),
        metrics: settings.metrics_address.is_none().then(|| metrics.clone()),
    };
    let listener = TcpListener::bind((settings.host, settings.port))
        .with_context(|| format!("cannot listen on {}:{}", settings.host, settings.port))?;
    let address = listener.local_addr()?;
    let server = listener::server(listener, settings.max_connections, services)
        .with_context(|| format!("cannot serve on {address}"))?;
    tracing::info!(url = %format_args!("http://{address}"), store = %settings.database.opening.url, "listening");
    if settings.profile == Profile::Development {
        println!(
            "Next: `make token` (`taskhold token --user NAME`) prints a token to try the API with."
        );
    }
    let metrics_server = settings
        .metrics_address
        .map(|address| metrics::serve(address, metrics))
        .transpose()?;
    let housekeeping =
        Housekeeping::new(Arc::new(SqlKeys::new(store.clone())), Arc::new(SystemClock));
    tokio::spawn(async move { housekeeping.run().await });
    tokio::spawn(stop_when_told(
        server.handle(),
        readiness,
        settings.drain_delay,
    ));
    server.await.context("the server ended")?;
    if let Some(metrics_server) = metrics_server {
        metrics_server.stop(false).await;
    }
    if tokio::time::timeout(CLOSE_TIMEOUT, store.close())
        .await
        .is_err()
    {
        tracing::warn!("the store's connections did not close in time");
    }
    tracing::info!("stopped");
    Ok(())
}

/// SIGTERM or Ctrl-C: from then on not ready; after `drain_delay` no new connections, and requests
/// in flight finish.
async fn stop_when_told(server: ServerHandle, readiness: Arc<Readiness>, drain_delay: Duration) {
    if let Err(error) = stop_signal().await {
        tracing::error!(%error, "cannot listen to signals: only a kill will stop this service");
        return;
    }
    tracing::info!("stopping");
    readiness.drain();
    tokio::time::sleep(drain_delay).await;
    server.stop(true).await;
}

async fn stop_signal() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
