//! Whether the store answers, and how it is asked more.

use std::time::Duration;

use sea_orm::sqlx;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};
use taskhold_infrastructure::inspection::{Inspection, Row};
use taskhold_infrastructure::start::{Opening, UNFINISHED_RESTORE};
use taskhold_infrastructure::url::DatabaseUrl;

use super::finding::Finding;
use super::{OrNotChecked as _, Seen};
use crate::settings::{DIRECT_URL, Settings};

/// How long a server is waited for: who asks wants to know it now.
const PATIENCE: Duration = Duration::from_secs(3);
/// The oldest PostgreSQL that is still mended (as of November 2026), by its major version.
const OLDEST_MENDED: i64 = 14;

/// A store that can be asked, or why not.
pub struct Look {
    session: Result<Inspection, &'static str>,
}

/// Why nothing was seen.
#[derive(Debug, thiserror::Error)]
pub enum Unseen {
    /// There is nobody to ask.
    #[error("{0}")]
    Nobody(&'static str),
    /// The store did not say it.
    #[error("the store does not say it: {0}")]
    Failed(#[from] sqlx::Error),
}

impl Look {
    /// Reads rows.
    ///
    /// # Errors
    /// [`Unseen`].
    pub async fn read<T: Row>(&mut self, sql: &str) -> Result<Vec<T>, Unseen> {
        Ok(self.session()?.read(sql).await?)
    }

    /// Reads the one row that there is.
    ///
    /// # Errors
    /// [`Unseen`].
    pub async fn read_one<T: Row>(&mut self, sql: &str) -> Result<T, Unseen> {
        let mut rows = self.read(sql).await?;
        rows.pop().ok_or(Unseen::Failed(sqlx::Error::RowNotFound))
    }

    /// The session itself.
    ///
    /// # Errors
    /// [`Unseen`].
    pub fn session(&mut self) -> Result<&mut Inspection, Unseen> {
        self.session.as_mut().map_err(|why| Unseen::Nobody(why))
    }
}

/// Opens the store to look at it.
pub async fn open(opening: &Opening, setting: &str) -> (Finding, Look) {
    const CHECK: &str = "store";
    let brief = Opening {
        patience: opening.patience.min(PATIENCE),
        ..opening.clone()
    };
    let nothing = |why| Look { session: Err(why) };
    match brief.inspection().await {
        Ok(Some(session)) => {
            let mut look = Look {
                session: Ok(session),
            };
            let found = match &opening.url {
                DatabaseUrl::Sqlite(_) => sqlite(opening, &mut look).await,
                DatabaseUrl::Postgres(_) => postgres(opening, &mut look).await,
            };
            match found {
                Ok(finding) => (finding, look),
                Err(unseen) => (
                    Finding::problem(
                        CHECK,
                        format!("{}: {unseen}", opening.url),
                        match &opening.url {
                            DatabaseUrl::Sqlite(_) => {
                                "keep a copy of the file, and restore the newest verified backup (docs/operations/backup.md)"
                            }
                            DatabaseUrl::Postgres(_) => "look at the server's own log",
                        },
                    ),
                    nothing("the store does not answer"),
                ),
            }
        }
        Ok(None) => (
            Finding::ok(
                CHECK,
                format!("{} is not there yet: the first start makes it", opening.url),
            ),
            nothing("there is no store yet"),
        ),
        Err(error) => {
            let is_permanent = error.is_permanent();
            let found = format!("{setting}: {:#}", anyhow::Error::from(error));
            let advice = if is_permanent {
                format!("correct {setting}, or what it names")
            } else {
                "start the server, or see what keeps it from being reached; the service itself waits for it".to_owned()
            };
            (
                Finding::problem(CHECK, found, advice),
                nothing("the store does not answer"),
            )
        }
    }
}

async fn sqlite(opening: &Opening, look: &mut Look) -> Seen {
    let (version,): (String,) = look.read_one("SELECT sqlite_version()").await?;
    // What is no database says so only now.
    let _: (i64,) = look.read_one("SELECT count(*) FROM sqlite_master").await?;
    Ok(Finding::ok(
        "store",
        format!("{} answers; SQLite {version}", opening.url),
    ))
}

async fn postgres(opening: &Opening, look: &mut Look) -> Seen {
    const CHECK: &str = "store";
    let (version, number, half_restored, only_reads): (String, i64, bool, bool) = look
        .read_one(&format!(
            "SELECT current_setting('server_version'), current_setting('server_version_num')::int8,
                    EXISTS (SELECT FROM pg_namespace WHERE nspname = '{UNFINISHED_RESTORE}'),
                    pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on'"
        ))
        .await?;
    let found = format!("{} answers; version {version}", opening.url);
    Ok(if half_restored {
        Finding::problem(
            CHECK,
            format!("{found}; a backup is being restored into it, or that was cut off"),
            "wait for it, or run `taskhold restore` again",
        )
    } else if only_reads {
        Finding::problem(
            CHECK,
            format!("{found}; it takes no writes"),
            "name the primary server, or switch default_transaction_read_only off",
        )
    } else if number / 10_000 < OLDEST_MENDED {
        Finding::warning(CHECK, found, "move to a version that is still mended")
    } else {
        Finding::ok(CHECK, found)
    })
}

/// The server behind a pooler.
pub struct Direct {
    pub answer: Option<Finding>,
    pub look: Option<Look>,
}

/// Opens what the setting for migrations names, where there is one.
pub async fn direct(settings: &Settings) -> Direct {
    if settings.database.direct_setting() != DIRECT_URL {
        return Direct {
            answer: None,
            look: None,
        };
    }
    let (answer, look) = open(settings.database.direct_opening(), DIRECT_URL).await;
    Direct {
        answer: Some(answer.named("direct")),
        look: Some(look),
    }
}

/// Whether others can read along on the way to the server.
pub async fn encryption(options: &PgConnectOptions, look: &mut Look) -> Finding {
    const CHECK: &str = "tls";
    if matches!(options.get_ssl_mode(), PgSslMode::VerifyFull) {
        return match look.session() {
            // A session without it would not have come about.
            Ok(_) => Finding::ok(
                CHECK,
                "the connection is encrypted, and the server's certificate was verified",
            ),
            Err(unseen) => Finding::not_checked(CHECK, unseen.to_string()),
        };
    }
    let seen = look.read_one(
        "SELECT coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)",
    );
    seen.await
        .map(|(encrypted,)| {
            let how = if encrypted {
                "encrypted"
            } else {
                "not encrypted"
            };
            Finding::ok(
                CHECK,
                format!("the server is on this machine; the connection is {how}"),
            )
        })
        .or_not_checked(CHECK)
}
