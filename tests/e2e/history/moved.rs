//! A user who is moved to another store has one history.

use std::time::{Duration, Instant};

use super::Run;
use crate::service::{Database, taskhold};

on_all_pairs! { moved_user_stays_linearizable }

/// Writes may wait for less than a second; a machine that runs other tests may take longer.
const GENEROUS: Duration = Duration::from_secs(5);

/// Clients who know of no move ask the source first, for every single request. So one read that the source answers after
/// a write of the target, or one write that it takes, breaks the history.
async fn moved_user_stays_linearizable(source: Database, target: Database) {
    let (folder, from, to) = (
        tempfile::tempdir().expect("a folder"),
        source.url.clone(),
        target.url.clone(),
    );
    let run = Run::start_routed([source, target]).await;
    run.wait_for_progress(200).await;
    let mut command = taskhold(
        folder.path(),
        &[("DATABASE_URL", &from), ("TO_DATABASE_URL", &to)],
        &["copy", "--user", "player"],
    );
    let started = Instant::now();
    let moved = tokio::task::spawn_blocking(move || command.output().expect("it runs"));
    let moved = moved.await.expect("it ran");
    assert!(moved.status.success(), "{moved:?}");
    let printed = String::from_utf8_lossy(&moved.stdout).into_owned();
    let took = started.elapsed();
    run.wait_for_progress(200).await;
    let (pause, end) = run.shared.longest_pause();
    println!(
        "{printed}in {took:?}; between two answered writes at most {pause:?}, until {:?} after the command began",
        end.saturating_duration_since(started)
    );
    let (_, waited) = printed
        .split_once("its writes waited for ")
        .expect("they waited");
    let waited = waited.split(' ').next().expect("a number");
    let waited = Duration::from_millis(waited.parse().expect("milliseconds"));
    assert!(waited < GENEROUS, "{waited:?}");
    run.check().await;
}
