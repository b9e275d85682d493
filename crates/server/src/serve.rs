//! `taskhold serve`.

use std::sync::Arc;
use std::time::Duration;

use actix_server::ServerHandle;
use anyhow::Context as _;
use taskhold_application::change_streams::ChangeStreams;
use taskhold_application::pseudonym::Pseudonym;
use taskhold_application::readiness::Readiness;
use taskhold_application::reasons::reasons;
use taskhold_backup::folder::BackupFolder;
use taskhold_infrastructure::Database;
use taskhold_infrastructure::db::connect::Engine;
use taskhold_infrastructure::db::migrations::LOCK_WAIT;
use taskhold_security::jwt::JwtTokens;
use tokio::signal::unix::{SignalKind, signal};

use crate::metrics::Recorder;
use crate::output::say;
use crate::schedule::Schedule;
use crate::secret::Secrets;
use crate::services::Leases;
use crate::settings::{Profile, Settings};
use crate::socket::Sockets;
use crate::telemetry::Export;
use crate::{background, issuer, listener, metrics, migrate, open_files, services};

/// The longest that the store's connections may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves until told to stop.
///
/// # Errors
/// Anything that keeps the service from starting, and a failure of the server as a whole; never the failure
/// of a request.
pub async fn serve(settings: Settings, export: Option<Export>) -> anyhow::Result<()> {
    let secrets = Secrets::configured(&settings)?;
    let sockets = Sockets::take(&settings)?;
    let secrets = secrets.map_or_else(|| Secrets::read_or_generate(&settings), Ok)?;
    Pseudonym::set_key(secrets.key("pseudonyms"));
    if let Some(missing) = issuer::missing_audience(&settings) {
        tracing::warn!("{missing}: {}", issuer::SET_AUDIENCE);
    }
    let tokens = secrets.tokens(&settings, settings.auth.lifetime);
    let tokens = match issuer::keys(&settings.auth).await? {
        Some(keys) => tokens.with_issuer_keys(keys),
        None => tokens,
    };
    let _lock = settings.database.lock()?;
    open_files::allow_for(&settings);
    let recorder = metrics::start()?;
    settings.database.refuse_missing_rights().await?;
    settings.database.refuse_another_direct_database().await?;
    if settings.auto_migrate {
        let applied = migrate::up(&settings, LOCK_WAIT).await?;
        if applied > 0 {
            tracing::info!(applied, "migrated the database");
        }
    }
    let database = settings.database.connect().await?;
    if let Some(warning) = database.engine().and_then(Engine::warning) {
        tracing::warn!("{warning} (docs/operations/postgresql.md)");
    }
    let served = serve_on(
        &database,
        settings,
        tokens,
        &secrets,
        recorder,
        export.clone(),
        sockets,
    )
    .await;
    if tokio::time::timeout(CLOSE_TIMEOUT, database.close())
        .await
        .is_err()
    {
        tracing::warn!("the store's connections did not close in time");
    }
    if let Some(export) = export {
        export.shut_down().await;
    }
    if served.is_ok() {
        tracing::info!("stopped");
    }
    served
}

/// Serves on an open database until told to stop.
async fn serve_on(
    database: &Database,
    settings: Settings,
    tokens: JwtTokens,
    secrets: &Secrets,
    recorder: Recorder,
    export: Option<Export>,
    sockets: Sockets,
) -> anyhow::Result<()> {
    let metrics = recorder.source(database.clone());
    let address = sockets.server.local_addr()?;
    let mut services = services::api(&settings, tokens, secrets, database, &metrics, address);
    services.traces = export.map(|export| Arc::new(export) as _);
    let readiness = services.readiness.clone();
    let revocations = services.authenticator.revocations.clone();
    let streams = services.change_log.streams();
    // Logs at once why requests cannot be served, such as a schema that nobody has migrated.
    _ = readiness.check().await;
    let server = listener::server(sockets.server, &settings.server, services)
        .with_context(|| format!("cannot serve on {address}"))?;
    let engine = database.engine().map(tracing::field::display);
    tracing::info!(
        url = %format_args!("http://{address}"),
        store = %settings.database.options.url,
        engine,
        "listening"
    );
    if settings.profile == Profile::Development {
        let next = "Next: `make token` (`taskhold token NAME`) prints a token to try the API with.";
        if let Err(error) = say(next) {
            tracing::warn!("{}", reasons(error.as_ref()));
        }
    }
    let metrics_server = sockets
        .metrics
        .map(|listener| metrics::serve(listener, metrics))
        .transpose()?;
    let housekeeping = services::housekeeping(&settings, database);
    let leases = Leases::new(&settings, database);
    let store = settings.database.options.url.sqlite_path();
    let disks = store.map(|path| ("store", path.to_owned()));
    let disks = disks
        .into_iter()
        .chain([("backups", settings.backup.folder.clone())]);
    tokio::spawn(metrics::run_disk_loop(disks.collect()));
    let housekeeping = tokio::spawn(background::run_housekeeping_loop(
        housekeeping,
        leases.housekeeping.clone(),
    ));
    tokio::spawn(background::run_refresh_loop(revocations));
    tokio::spawn({
        let streams = Arc::clone(&streams);
        async move { streams.run().await }
    });
    let schedule = Schedule {
        store: settings.database.direct_options().clone(),
        folder: BackupFolder::new(settings.backup.folder),
        every: settings.backup.every,
        lease: leases.backups.clone(),
    };
    let backups = tokio::spawn(schedule.run());
    tokio::spawn(stop_when_told(
        server.handle(),
        readiness,
        streams,
        settings.server.drain_delay,
    ));
    let outcome = server.await.context("the server ended");
    if let Some(metrics_server) = metrics_server {
        metrics_server.stop(false).await;
    }
    // A job that goes on would acquire its lease again.
    housekeeping.abort();
    backups.abort();
    if tokio::time::timeout(CLOSE_TIMEOUT, leases.release())
        .await
        .is_err()
    {
        tracing::debug!("the leases were not released in time, and expire");
    }
    outcome
}

/// Waits for SIGTERM or Ctrl-C, then stops the server: it is not ready and ends its streams at once, and after
/// `drain_delay` it accepts no new connections and finishes the requests in flight.
async fn stop_when_told(
    server: ServerHandle,
    readiness: Arc<Readiness>,
    streams: Arc<ChangeStreams>,
    drain_delay: Duration,
) {
    if let Err(error) = stop_signal().await {
        tracing::error!(%error, "cannot listen to signals: only a kill will stop this service");
        return;
    }
    tracing::info!("stopping");
    readiness.drain();
    streams.drain();
    tokio::time::sleep(drain_delay).await;
    server.stop(true).await;
}

/// Waits for SIGTERM or Ctrl-C.
async fn stop_signal() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
