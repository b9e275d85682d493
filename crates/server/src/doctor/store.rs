//! The store: whether it answers, and what it says of itself.

use std::time::Duration;

use taskhold_application::clock::{Clock as _, SystemClock};
use taskhold_application::reasons::reasons;
use taskhold_backup::table::TABLES;
use taskhold_domain::timestamp::Timestamp;
use taskhold_infrastructure::db::connect::ConnectOptions;
use taskhold_infrastructure::db::migrations::{MigrationStatus, is_foreign};
use taskhold_infrastructure::files::folder_of;
use taskhold_infrastructure::inspection::{InspectionError, Inspector, Integrity, Pooling};

use super::report::{Answer, Finding, Report};
use super::{files, postgres};
use crate::output::count;
use crate::settings::{DIRECT_URL, READ_URL, Settings};

const RESTORE_BACKUP: &str =
    "keep a copy of the file, and restore the newest verified backup (docs/operations/backup.md)";
/// The checks of a PostgreSQL server beside [`postgres::CHECKS`].
const POSTGRES_CHECKS: [&str; 6] = [
    "rights",
    "migrating",
    "connections",
    "pooler",
    "schema",
    "clock",
];
/// The connection of the health check, beside the pool.
const HEALTH_CHECKS: i64 = 1;
/// Clocks that are set over the network differ by less.
const USUAL_DIFFERENCE: i64 = 2_000_000;
/// By how much the clock of a token's issuer may be ahead.
const TOLERATED_DIFFERENCE: i64 = 5_000_000;

/// Opens the store and makes every check that asks it.
pub async fn check(settings: &Settings, report: &mut Report) {
    let database = &settings.database;
    let (answer, store) = open(&database.options, database.setting).await;
    report.add("store", answer);
    if let Some(path) = database.options.url.sqlite_path() {
        files::check(path, report);
        files::check_place(folder_of(path), &settings.backup.folder, report);
    }
    if let Some(options) = &database.replica {
        report.add("replica", replica(options).await);
    }
    let mut direct = None;
    if database.direct_setting() == DIRECT_URL {
        let (answer, session) = open(database.direct_options(), DIRECT_URL).await;
        let another = match (&store, &session) {
            (Ok(_), Ok(_)) => database.refuse_another_direct_database().await.err(),
            _ => None,
        };
        let answer = another.map_or(answer, |error| {
            Finding::problem(
                format!("{error:#}"),
                format!("correct {DIRECT_URL}; the service does not start before"),
            )
        });
        report.add("direct", answer);
        direct = Some(session);
    }
    let mut store = match store {
        Ok(store) => store,
        Err(reason) => {
            let (checks, of_server): (&[_], &[_]) = match database.options.url.sqlite_path() {
                Some(_) => (&["integrity", "schema"], &[]),
                None => (&POSTGRES_CHECKS, &postgres::CHECKS),
            };
            for check in checks.iter().chain(of_server) {
                report.add(check, Finding::not_checked(reason));
            }
            return;
        }
    };
    report.add_answer("integrity", integrity(&mut store).await);
    report.add_answer("rights", rights(&mut store).await);
    let is_direct = direct.is_some();
    let session = match &mut direct {
        None => Ok(&mut store),
        Some(direct) => direct.as_mut(),
    };
    match session {
        Ok(session) => {
            report.add_answer("migrating", migrating(settings, session).await);
            postgres::check(settings, session, is_direct, report).await;
        }
        Err(reason) => {
            for check in ["migrating"].into_iter().chain(postgres::CHECKS) {
                report.add(check, Finding::not_checked(*reason));
            }
        }
    }
    if let Ok(Some(folder)) = store.data_folder().await
        && database.options.url.is_on_this_machine()
    {
        files::check_place(&folder, &settings.backup.folder, report);
    }
    report.add_answer("connections", connections(settings, &mut store).await);
    report.add_answer("pooler", pooler(settings, &mut store).await);
    report.add_answer("schema", schema(settings, &mut store).await);
    report.add_answer("clock", clock(&mut store).await);
}

/// Returns whether the replica for reads can be used.
async fn replica(options: &ConnectOptions) -> Finding {
    match options.inspector().await {
        Ok(_) => Finding::ok(format!("{} answers", options.url)),
        Err(error) => Finding::warning(
            format!("{READ_URL}: {}", reasons(&error)),
            format!(
                "correct {READ_URL}, or start the replica; until then the primary answers all reads"
            ),
        ),
    }
}

/// Opens a store and has it answer. Otherwise there is a reason why the other checks cannot be made.
async fn open(
    options: &ConnectOptions,
    setting: &str,
) -> (Finding, Result<Inspector, &'static str>) {
    let mut store = match options.inspector().await {
        Ok(Some(store)) => store,
        Ok(None) => {
            let found = format!("{} is not there yet: the first start makes it", options.url);
            return (Finding::ok(found), Err("there is no store yet"));
        }
        Err(error) => {
            let advice = match error.advice() {
                Some(advice) => advice.to_owned(),
                None if error.is_permanent() => format!("correct {setting}, or what it names"),
                None => {
                    "see what keeps the server from being reached; the service itself waits for it"
                        .to_owned()
                }
            };
            let found = format!("{setting}: {}", reasons(&error));
            let finding = Finding::problem(found, advice);
            return (finding, Err("the store does not answer"));
        }
    };
    match state(options, &mut store).await {
        Ok(finding) => (finding, Ok(store)),
        Err(error) => {
            let found = format!("{}: {}", options.url, reasons(&error));
            let advice = if options.url.sqlite_path().is_some() {
                RESTORE_BACKUP
            } else {
                "look at the server's own log"
            };
            let finding = Finding::problem(found, advice);
            (finding, Err("the store does not answer"))
        }
    }
}

async fn state(
    options: &ConnectOptions,
    store: &mut Inspector,
) -> Result<Finding, InspectionError> {
    let state = store.state().await?;
    let found = format!("{} answers; {}", options.url, state.version);
    Ok(if state.is_half_restored {
        Finding::problem(
            format!("{found}; a backup is being restored into it, or that was cut off"),
            "wait for it, or run `taskhold restore` again",
        )
    } else if let Some(encoding) = state.wrong_encoding {
        Finding::problem(
            format!(
                "{found}; the database has the encoding {encoding}, so the service does not start"
            ),
            "create a database with ENCODING 'UTF8' TEMPLATE template0, and move the rows into it with pg_dump (docs/operations/postgresql.md)",
        )
    } else if !state.takes_writes {
        Finding::problem(
            format!("{found}; it takes no writes"),
            "name the primary server, or switch default_transaction_read_only off",
        )
    } else if let Some(warning) = state.warning {
        Finding::warning(
            format!("{found}: {warning}"),
            "docs/operations/postgresql.md lists the engines and versions",
        )
    } else {
        Finding::ok(found)
    })
}

async fn integrity(store: &mut Inspector) -> Answer {
    let integrity = store.integrity().await?;
    Ok(integrity.map(|integrity| match integrity {
        Integrity::Valid => Finding::ok("the file is undamaged"),
        Integrity::Unfinished(time) => Finding::ok(format!(
            "no damage found in {} s, which were too short for the whole file",
            time.as_secs()
        )),
        Integrity::Damaged(damage) => Finding::problem(
            format!("the file is damaged: {damage}"),
            format!("stop the service, {RESTORE_BACKUP}"),
        ),
    }))
}

/// Checks that the role may read and write rows: to serve.
async fn rights(store: &mut Inspector) -> Answer {
    let role = store.role(&TABLES).await?;
    Ok(role.map(|role| {
        let name = role.name;
        if let Some(missing) = role.missing {
            return Finding::problem(
                format!("{missing}: the service does not start"),
                format!("as the owner of the tables, run: {}", missing.grants()),
            );
        }
        let Some(schema) = role.schema else {
            return Finding::problem(
                format!("the role {name} may use no schema of its search_path"),
                format!("GRANT USAGE ON SCHEMA public TO {name}"),
            );
        };
        if role.is_superuser {
            return Finding::warning(
                format!(
                    "the role {name} is a superuser: whoever has its password has the whole server"
                ),
                "serve as a role of its own (docs/operations/postgresql.md)",
            );
        }
        Finding::ok(format!(
            "the role {name} may read and write the tables in {schema}"
        ))
    }))
}

/// Checks that the role may change tables, if the service does that when it starts.
async fn migrating(settings: &Settings, store: &mut Inspector) -> Answer {
    let role = store.role(&TABLES).await?;
    Ok(role.map(|role| {
        let may = if role.may_migrate { "may" } else { "may not" };
        let found = format!("the role {} {may} change the tables", role.name);
        if settings.auto_migrate && !role.may_migrate {
            return Finding::problem(
                format!("{found}, which the start of the service does where it must"),
                "set database.auto_migrate to false, and have another role run `taskhold migrate up` (docs/operations/postgresql.md)",
            );
        }
        Finding::ok(found)
    }))
}

/// Checks that the server has room for the pool.
async fn connections(settings: &Settings, store: &mut Inspector) -> Answer {
    let pool = i64::try_from(settings.database.options.max_connections).unwrap_or(i64::MAX);
    let needed = pool.saturating_add(HEALTH_CHECKS);
    let limits = store.connection_limits().await?;
    Ok(limits.map(|limits| {
        let (allowed, others) = (limits.allowed, limits.used_by_others);
        let found = format!(
            "an instance takes up to {needed}; the server has {allowed}, of which others have {others}"
        );
        let advice = "set database.max_connections lower, or max_connections of the server higher";
        match limits.limit {
            _ if needed > allowed => Finding::problem(found, advice),
            Some(limit) if needed > limit => Finding::warning(
                format!("{found}; the role or the database may have {limit} only"),
                "set database.max_connections lower, or ALTER ROLE … CONNECTION LIMIT higher",
            ),
            _ if needed + others > allowed => {
                Finding::warning(format!("{found}, so there may be too few"), advice)
            }
            _ => {
                let instances = (allowed - others) / needed;
                Finding::ok(format!("{found}: room for {}", count(instances, "instance")))
            }
        }
    }))
}

/// Checks that a pooler in front of the server is safe, and known to be there.
async fn pooler(settings: &Settings, store: &mut Inspector) -> Answer {
    let pooling = store.pooling().await?;
    Ok(pooling.map(|pooling| match pooling {
        Pooling::None => Finding::ok("every connection has a session of its own"),
        Pooling::Unsafe => Finding::problem(
            "a pooler shares the sessions and mixes up prepared statements: the service does not start behind it",
            "use PgBouncer 1.21 or later with max_prepared_statements above 0, or name the server itself (docs/operations/postgresql.md)",
        ),
        Pooling::Safe if settings.database.options.pooled => {
            Finding::ok("a pooler shares the sessions, and keeps prepared statements apart")
        }
        Pooling::Safe => Finding::warning(
            format!(
                "a pooler shares the sessions that {} names, with the settings that each client has made",
                settings.database.setting
            ),
            format!(
                "name the server itself in {DIRECT_URL}, and give the settings to the role (docs/operations/postgresql.md)"
            ),
        ),
    }))
}

/// Checks that the tables are those of this program.
async fn schema(settings: &Settings, store: &mut Inspector) -> Answer {
    let migrations = match store.migrations().await {
        Err(InspectionError::Misplaced(tables)) => {
            let advice = "the service does not start before (docs/operations/postgresql.md)";
            return Ok(Some(Finding::problem(tables.to_string(), advice)));
        }
        migrations => migrations?,
    };
    let names = |is_meant: fn(&MigrationStatus) -> bool| {
        let meant = migrations.iter().filter(|migration| is_meant(migration));
        let names: Vec<_> = meant.map(|migration| migration.name.as_str()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let pending = names(|migration| !migration.applied);
    if migrations.iter().all(|migration| !migration.applied) {
        let taken = store.taken_names(&TABLES).await?;
        if !taken.is_empty() {
            return Ok(Some(Finding::problem(
                format!(
                    "tables of another program have the names that migrations need: {}",
                    taken.join(", ")
                ),
                "name a database of its own, or another schema (ALTER ROLE … SET search_path = …)",
            )));
        }
    }
    let newer = names(|migration| !migration.known);
    Ok(Some(match (pending, newer) {
        (_, Some(unknown)) if is_foreign(&migrations) => Finding::problem(
            format!("the table seaql_migrations is that of another program: {unknown}"),
            "give Taskhold a database of its own, or on PostgreSQL a schema (docs/operations/postgresql.md)",
        ),
        (Some(pending), Some(newer)) => Finding::problem(
            format!("migrated by a newer program: {newer}; pending: {pending}"),
            "run that program: this one can neither migrate it further nor revert it",
        ),
        (Some(pending), None) if settings.auto_migrate => Finding::warning(
            format!("pending: {pending}"),
            "the next start of the service applies them; or run `taskhold migrate up`",
        ),
        (Some(pending), None) => Finding::problem(
            format!("pending, and database.auto_migrate is false: {pending}"),
            "run `taskhold migrate up`; until then the service is not ready",
        ),
        (None, Some(newer)) => Finding::warning(
            format!("migrated by a newer program: {newer}"),
            "go on with the upgrade: this program is one version behind at most",
        ),
        (None, None) => Finding::ok(format!(
            "{}, all applied",
            count(migrations.len(), "migration")
        )),
    }))
}

/// Checks that this machine's clock agrees with the server's.
async fn clock(store: &mut Inspector) -> Answer {
    let before = SystemClock.now();
    let theirs = store.clock().await?;
    let after = SystemClock.now();
    Ok(theirs.map(|theirs| compare_clocks(before, theirs, after)))
}

/// Judges the server's time, which was read at some moment from `before` to `after`.
fn compare_clocks(before: Timestamp, theirs: Timestamp, after: Timestamp) -> Finding {
    let behind = before.as_micros() - theirs.as_micros();
    let ahead = theirs.as_micros() - after.as_micros();
    let difference = behind.max(ahead);
    if difference <= USUAL_DIFFERENCE {
        return Finding::ok("this machine and the database agree");
    }
    let direction = if behind > ahead { "behind" } else { "ahead" };
    let seconds = Duration::from_micros(difference.unsigned_abs()).as_secs_f64();
    Finding::warning(
        format!("the database's clock is {seconds:.1} s {direction}"),
        "have the clocks of all machines set over the network (systemd-timesyncd, chrony)",
    )
    .problem_if(difference > TOLERATED_DIFFERENCE)
}
