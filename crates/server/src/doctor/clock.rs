//! This machine's clock, and the store's.

use taskhold_application::clock::{Clock as _, SystemClock};
use taskhold_infrastructure::url::DatabaseUrl;

use super::finding::Finding;
use super::store::{Look, Unseen};

const CHECK: &str = "clock";
const SECOND: i64 = 1_000_000;
/// Nothing of this program is older: 2026-11-01.
const EARLIEST: i64 = 1_793_491_200 * SECOND;
/// A clock that is set over the network is nearer.
const USUAL: i64 = 2 * SECOND;
/// As far as tokens of a machine are taken that is ahead.
const TOLERATED: i64 = 5 * SECOND;
const ADVICE: &str =
    "have the clocks of all machines set over the network (systemd-timesyncd, chrony)";

/// Whether they agree.
pub async fn look(store: &DatabaseUrl, look: &mut Look) -> Finding {
    let before = SystemClock.now().as_micros();
    if before < EARLIEST {
        return Finding::problem(
            CHECK,
            "this machine's clock is before this program was made",
            ADVICE,
        );
    }
    if let DatabaseUrl::Sqlite(_) = store {
        return Finding::ok(CHECK, "the store asks the clock of this machine");
    }
    let theirs = look.read_one("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8");
    let theirs: Result<(i64,), Unseen> = theirs.await;
    let after = SystemClock.now().as_micros();
    match theirs {
        Ok((theirs,)) => judged(before, theirs, after),
        Err(unseen) => Finding::not_checked(CHECK, unseen.to_string()),
    }
}

/// Theirs was read at some moment from `before` to `after`.
fn judged(before: i64, theirs: i64, after: i64) -> Finding {
    let apart = if theirs < before {
        before - theirs
    } else {
        (theirs - after).max(0)
    };
    let direction = if theirs < before { "behind" } else { "ahead" };
    let found = format!(
        "the database's clock is {}.{} s {direction}",
        apart / SECOND,
        apart % SECOND * 10 / SECOND
    );
    if apart > TOLERATED {
        Finding::problem(CHECK, found, ADVICE)
    } else if apart > USUAL {
        Finding::warning(CHECK, found, ADVICE)
    } else {
        Finding::ok(CHECK, "this machine and the database agree")
    }
}
