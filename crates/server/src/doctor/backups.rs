//! How much would be lost if the store were.

use std::time::Duration;

use taskhold_application::clock::{Clock as _, SystemClock};
use taskhold_backup::folder::{Backup, BackupFolder};
use taskhold_domain::timestamp::Timestamp;

use super::finding::Finding;
use crate::settings::{Profile, Settings};

/// The most that may be lost.
const OLDEST: Duration = Duration::from_hours(24);
/// The timer verifies one every day; some days may go wrong.
const VERIFIED_WITHIN: Duration = Duration::from_hours(3 * 24);

/// How old the newest backup is, and the newest that was verified.
pub fn look(settings: &Settings) -> Vec<Finding> {
    const CHECK: &str = "backup";
    let folder = BackupFolder::new(settings.backup.folder.clone());
    let shown = folder.path().display();
    let (backups, damaged) = match folder.list() {
        Ok(listed) => listed,
        Err(error) => {
            let found = format!("the folder cannot be read: {:#}", anyhow::Error::new(error));
            return vec![Finding::problem(
                CHECK,
                found,
                "give the folder to the user of the service",
            )];
        }
    };
    let now = SystemClock.now();
    let mut findings = vec![newest(settings, backups.last(), now)];
    findings.extend(verified(&backups, now));
    if let Some(error) = damaged.first() {
        findings.push(Finding::warning(
            "damaged",
            format!(
                "{} backups in {shown} cannot be read: {error}",
                damaged.len()
            ),
            "`taskhold backup list` names them; restore none of them",
        ));
    }
    findings
}

fn newest(settings: &Settings, newest: Option<&Backup>, now: Timestamp) -> Finding {
    const CHECK: &str = "backup";
    let advice = "run `taskhold backup`, and have it run every hour (docs/operations/backup.md)";
    let serves = settings.profile == Profile::Production;
    let Some(newest) = newest else {
        let found = format!("there is none in {}", settings.backup.folder.display());
        return Finding::wrong(serves, CHECK, found, advice);
    };
    let found = format!("the newest is of {}", newest.taken_at);
    if newest.taken_at > now.saturating_add(Duration::from_mins(1)) {
        return Finding::warning(
            CHECK,
            format!("{found}, which is to come"),
            "look at the clock of the machine that made it",
        );
    }
    if newest.taken_at < now.saturating_sub(OLDEST) {
        let found = format!(
            "{found}: more than {} h would be lost",
            OLDEST.as_secs() / 3600
        );
        return Finding::wrong(serves, CHECK, found, advice);
    }
    Finding::ok(CHECK, found)
}

fn verified(backups: &[Backup], now: Timestamp) -> Option<Finding> {
    const CHECK: &str = "verified";
    if backups.is_empty() {
        return None;
    }
    let advice = "run `taskhold backup verify`, and have it run every day: only a backup that was restored is known to be one";
    let newest = backups
        .iter()
        .rev()
        .find(|backup| backup.verified.is_some());
    Some(match newest {
        None => Finding::warning(CHECK, "no backup was ever verified", advice),
        Some(backup) if backup.taken_at < now.saturating_sub(VERIFIED_WITHIN) => Finding::warning(
            CHECK,
            format!("the newest that was verified is of {}", backup.taken_at),
            advice,
        ),
        Some(backup) => Finding::ok(
            CHECK,
            format!("{} was restored and compared", backup.name()),
        ),
    })
}
