//! `taskhold doctor`: checks what the service needs, and says what is wrong and what to do about it. It
//! changes nothing and shows no secret.
//!
//! | module | checks |
//! | --- | --- |
//! | `secret` | the secrets that tokens are signed with, and the keys of another issuer |
//! | `listener` | the profile and the address |
//! | `machine` | the limit of open files, `.env`, trusted proxies, the address of the metrics, time zones |
//! | `store` | the store, as it answers |
//! | `postgres` | how a PostgreSQL server is set up, and the programs that backups of it need |
//! | `files` | the SQLite file, the folder of backups, and free space |
//! | `backups` | the age of the newest backup, and of the newest verified one |
//! | `report` | holds the findings and prints them |

mod backups;
mod files;
mod listener;
mod machine;
mod postgres;
mod report;
mod secret;
mod store;

use std::process::ExitCode;

use self::report::{Finding, Report};
use crate::cli;
use crate::settings::{Misconfigured, Settings};

/// Makes every check and prints the findings. A problem is a failure; a warning is none.
pub async fn doctor(settings: &Settings, options: &cli::Doctor) -> anyhow::Result<ExitCode> {
    let mut report = Report::default();
    report.add("settings", listener::profile(settings));
    secret::check(settings, &mut report).await;
    report.add("listener", listener::check(settings).await);
    machine::check(settings, &mut report).await;
    store::check(settings, &mut report).await;
    files::check_space(settings, &mut report);
    backups::check(settings, &mut report).await;
    report.print(options.json)?;
    Ok(if report.has_problem() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Prints that the settings are wrong, which keeps every other check from being made.
pub fn misconfigured(error: &Misconfigured, options: &cli::Doctor) -> anyhow::Result<()> {
    let advice = "correct it; no other check can be made before (docs/reference/settings.md)";
    let mut report = Report::default();
    report.add("settings", Finding::problem(error.to_string(), advice));
    report.print(options.json)
}
