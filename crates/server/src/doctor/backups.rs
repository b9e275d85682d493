//! How much would be lost if the store were.

use std::time::Duration;

use taskhold_application::clock::{Clock as _, SystemClock};
use taskhold_application::reasons::reasons;
use taskhold_backup::error::BackupError;
use taskhold_backup::folder::{Backup, BackupFolder};
use taskhold_backup::origin::Origin;
use taskhold_domain::timestamp::Timestamp;

use super::report::{Finding, Report};
use crate::output::count;
use crate::settings::{Profile, Settings};

/// A backup may be so old: what was written since would be lost.
const MAX_AGE: Duration = Duration::from_hours(24);
/// The clock of the machine that makes backups may be ahead by so much.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_mins(1);
/// The timer verifies one every day; one day may fail.
const MAX_VERIFIED_AGE: Duration = Duration::from_hours(2 * 24);

/// Checks the age of the newest backup of the store, and of its newest verified one.
pub async fn check(settings: &Settings, report: &mut Report) {
    let folder = BackupFolder::new(settings.backup.folder.clone());
    let (mut backups, unreadable) = match folder.list() {
        Ok(listed) => listed,
        Err(error) => {
            let found = format!("the folder cannot be read: {}", reasons(&error));
            let advice = "give the folder to the user of the service";
            return report.add("backup", Finding::problem(found, advice));
        }
    };
    let now = SystemClock.now();
    let origin = Origin::of_or_kind(settings.database.direct_options()).await;
    let all = backups.len();
    backups.retain(|backup| origin.has(&backup.manifest));
    let others = all - backups.len();
    report.add("backup", newest(settings, backups.last(), others, now));
    if !backups.is_empty() {
        report.add("verified", verified(&backups, now));
    }
    let (damaged, unreadable): (Vec<_>, Vec<_>) = unreadable
        .into_iter()
        .partition(|error| matches!(error, BackupError::Damaged { .. }));
    for (check, errors, advice) in [
        (
            "damaged",
            damaged,
            "`taskhold backup list` names them; restore none of them",
        ),
        (
            "unreadable",
            unreadable,
            "give them to the user of the service (`chown -R`); they need not be damaged",
        ),
    ] {
        if let Some(error) = errors.first() {
            let found = format!(
                "{} in {} cannot be read: {}",
                count(errors.len(), "backup"),
                folder.path().display(),
                reasons(error)
            );
            report.add(check, Finding::warning(found, advice));
        }
    }
}

fn newest(settings: &Settings, newest: Option<&Backup>, others: usize, now: Timestamp) -> Finding {
    let advice = "run `taskhold backup`, and have it run every hour (docs/operations/backup.md)";
    let is_production = settings.profile == Profile::Production;
    let Some(newest) = newest else {
        let shown = settings.backup.folder.display();
        let found = match others {
            0 => format!("there is none in {shown}"),
            _ => format!("there is none in {shown} of this store; {others} are of others"),
        };
        return Finding::warning(found, advice).problem_if(is_production);
    };
    let found = format!("the newest is of {}", newest.taken_at);
    if newest.taken_at > now.saturating_add(MAX_CLOCK_DIFFERENCE) {
        return Finding::warning(
            format!("{found}, which is in the future: newer backups count as older ones"),
            "remove it, and correct the clock of the machine that made it",
        );
    }
    if newest.taken_at < now.saturating_sub(MAX_AGE) {
        let hours = MAX_AGE.as_secs() / 3600;
        let found = format!("{found}: more than {hours} h would be lost");
        return Finding::warning(found, advice).problem_if(is_production);
    }
    Finding::ok(found)
}

fn verified(backups: &[Backup], now: Timestamp) -> Finding {
    let advice = "run `taskhold backup verify`, and have it run every day: only a backup that was restored is known to be one";
    let mut verified = backups.iter().filter(|backup| backup.verified.is_some());
    match verified.next_back() {
        None => Finding::warning("no backup was ever verified", advice),
        Some(backup) if backup.taken_at < now.saturating_sub(MAX_VERIFIED_AGE) => Finding::warning(
            format!("the newest that was verified is of {}", backup.taken_at),
            advice,
        ),
        Some(backup) => Finding::ok(format!("{} was restored and compared", backup.name())),
    }
}
