//! `taskhold doctor`: looks at everything that the service needs, says what is wrong and what to do
//! about it. It changes nothing and shows no secret.
//!
//! | module | looks at |
//! | --- | --- |
//! | `surroundings` | profile, addresses, other origins |
//! | `secret` | the secrets that tokens are signed with |
//! | `store` | whether the store answers, its version, encryption |
//! | `sqlite` | the SQLite file |
//! | `rights`, `connections`, `pooler` | the role on PostgreSQL, how many connections it may have, what stands in front |
//! | `schema` | migrations |
//! | `clock` | this machine's clock and the store's |
//! | `disk` | room |
//! | `backups` | how old the newest backup is |
//! | `finding` | what is found, and how it is told |

mod backups;
mod clock;
mod connections;
mod disk;
mod finding;
mod pooler;
mod rights;
mod schema;
mod secret;
mod sqlite;
mod store;
mod surroundings;

use std::process::ExitCode;

use taskhold_infrastructure::url::DatabaseUrl;

use self::finding::{Finding, Report};
use crate::cli;
use crate::settings::{Misconfigured, Settings};

/// Looks at everything and says what it found. A problem is a failure, a warning is none.
///
/// # Errors
/// Where nobody can have read it.
pub async fn doctor(settings: &Settings, options: &cli::Doctor) -> anyhow::Result<ExitCode> {
    let report = Report::of(examined(settings).await);
    report.tell(options.json)?;
    Ok(if report.has_problem() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Says that the settings are wrong, and that nothing else can be looked at.
///
/// # Errors
/// As [`doctor`].
pub fn misconfigured(wrong: &Misconfigured, options: &cli::Doctor) -> anyhow::Result<()> {
    Report::of(vec![Finding::problem(
        "settings",
        wrong.to_string(),
        "correct it; nothing else can be looked at before (docs: README.md, Settings)",
    )])
    .tell(options.json)
}

/// One after the other; what one of them meets keeps no other from being done.
async fn examined(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![surroundings::profile(settings)];
    findings.extend(secret::look(settings).await);
    findings.push(surroundings::listener(settings).await);
    findings.push(surroundings::metrics(settings));
    findings.push(surroundings::origins(settings));

    // The file's header is read before SQLite has it open.
    let file = match &settings.database.opening.url {
        DatabaseUrl::Sqlite(path) => sqlite::file(path),
        DatabaseUrl::Postgres(_) => vec![],
    };
    let (answer, mut look) =
        store::open(&settings.database.opening, settings.database.setting).await;
    findings.push(answer);
    findings.extend(file);
    findings.extend(match &settings.database.opening.url {
        DatabaseUrl::Sqlite(_) => vec![sqlite::integrity(&mut look).await],
        DatabaseUrl::Postgres(options) => {
            let mut direct = store::direct(settings).await;
            let mut found = vec![store::encryption(options, &mut look).await];
            found.extend(direct.answer);
            let migrating = direct.look.as_mut();
            found.push(rights::rows(&mut look).await);
            found.push(rights::tables(settings, migrating.unwrap_or(&mut look)).await);
            found.push(connections::look(settings, &mut look).await);
            found.push(pooler::look(settings, &mut look).await);
            found
        }
    });
    findings.push(schema::look(settings, &mut look).await);
    findings.push(clock::look(&settings.database.opening.url, &mut look).await);
    findings.extend(disk::look(settings));
    findings.extend(backups::look(settings));
    findings
}

/// What a check that asks the store makes of no answer.
trait OrNotChecked {
    fn or_not_checked(self, check: &'static str) -> Finding;
}

impl OrNotChecked for Result<Finding, store::Unseen> {
    fn or_not_checked(self, check: &'static str) -> Finding {
        self.unwrap_or_else(|unseen| Finding::not_checked(check, unseen.to_string()))
    }
}

/// What a check found that asks the store.
type Seen = Result<Finding, store::Unseen>;
