//! `taskhold doctor` on real faults: each is made, found, and named with what to do.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use taskhold_testkit::postgres::{PostgresDatabase, PostgresServer};

use crate::pooler::pgbouncer::Pooler;
use crate::service::{Database, SECRET, Service, run};

/// Random, as the program has it.
const RANDOM: &str = "5f0c7de1b8a94326d07e1b5a9c3f8e24";
const HOUR: i64 = 3_600 * 1_000_000;

/// What the program says of each check.
struct Report {
    code: Option<i32>,
    findings: BTreeMap<String, Value>,
}

impl Report {
    fn of(database: &Database, variables: &[(&str, &str)]) -> Self {
        let common = [
            ("DATABASE_URL", database.url.as_str()),
            ("JWT_SECRET", RANDOM),
        ];
        let variables = [&common, variables].concat();
        let output = run(database.folder.path(), &variables, &["doctor", "--json"]);
        let said = String::from_utf8_lossy(&output.stderr);
        for (name, secret) in &variables {
            let is_secret = name.starts_with("JWT_SECRET") && secret.len() > 3;
            let said = format!("{said}{}", String::from_utf8_lossy(&output.stdout));
            assert!(!is_secret || !said.contains(secret), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {output:?}"));
        let findings = report["findings"].as_array().expect("findings").iter();
        let findings = findings.map(|finding| {
            let check = finding["check"].as_str().expect("a name");
            (check.to_owned(), finding.clone())
        });
        Self {
            code: output.status.code(),
            findings: findings.collect(),
        }
    }

    fn state(&self, check: &str) -> &str {
        let finding = self.findings.get(check);
        let finding = finding.unwrap_or_else(|| panic!("no {check} in {:#?}", self.findings));
        finding["state"].as_str().expect("a state")
    }

    /// This check has this state, tells this, and what to do about it.
    #[track_caller]
    fn tells(&self, check: &str, state: &str, text: &str) -> &Self {
        assert_eq!(self.state(check), state, "{:#?}", self.findings[check]);
        let told = self.findings[check].to_string();
        assert!(told.contains(text), "not {text:?} in {told}");
        let needs_advice = ["warning", "problem"].contains(&state);
        assert_eq!(
            self.findings[check]["advice"].is_string(),
            needs_advice,
            "{told}"
        );
        self
    }

    /// No check has a problem but these, and the exit status says whether there are any.
    #[track_caller]
    fn problems(&self, expected: &[&str]) -> &Self {
        let found: Vec<_> = self
            .findings
            .keys()
            .filter(|check| self.state(check) == "problem")
            .collect();
        assert_eq!(found, expected, "{:#?}", self.findings);
        assert_eq!(self.code, Some(i32::from(!expected.is_empty())));
        self
    }
}

fn migrated(database: &Database) {
    done(database, &["migrate", "up"]);
}

fn done(database: &Database, arguments: &[&str]) -> String {
    let output = run(
        database.folder.path(),
        &[("DATABASE_URL", &database.url)],
        arguments,
    );
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

async fn admin(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("connected")
}

async fn told(connection: &mut PgConnection, statements: &str) {
    let statements = AssertSqlSafe(statements.to_owned());
    connection.execute(statements).await.expect("done");
}

async fn a_store_in_order_has_no_problem(database: Database) {
    migrated(&database);
    done(&database, &["backup"]);
    done(&database, &["backup", "verify"]);
    let report = Report::of(&database, &[]);
    report.problems(&[]);
    for check in [
        "settings", "secret", "listener", "store", "schema", "clock", "backup", "verified",
    ] {
        assert_eq!(report.state(check), "ok", "{:#?}", report.findings);
    }
    assert!(
        report
            .findings
            .values()
            .all(|finding| finding["state"] != "not_checked")
    );
}

async fn pending_migrations(database: Database) {
    migrated(&database);
    done(&database, &["migrate", "down", "--yes"]);
    Report::of(&database, &[])
        .problems(&[])
        .tells("schema", "warning", "000004_imports");
    Report::of(&database, &[("TASKHOLD__DATABASE__AUTO_MIGRATE", "false")])
        .problems(&["schema"])
        .tells("schema", "problem", "taskhold migrate up");
}

async fn no_backup_an_old_one_and_one_that_nobody_verified(database: Database) {
    migrated(&database);
    let production = [
        ("TASKHOLD_PROFILE", "production"),
        ("TASKHOLD__SERVER__PORT", "0"),
    ];
    Report::of(&database, &[])
        .problems(&[])
        .tells("backup", "warning", "there is none");
    Report::of(&database, &production)
        .problems(&["backup"])
        .tells("backup", "problem", "taskhold backup");
    let said = done(&database, &["backup"]);
    let backup = database
        .folder
        .path()
        .join(said.lines().next().expect("a path"));
    Report::of(&database, &production)
        .problems(&[])
        .tells("backup", "ok", "the newest is of 20")
        .tells("verified", "warning", "ever verified");
    done(&database, &["backup", "verify"]);
    Report::of(&database, &production).tells("verified", "ok", "restored and compared");

    aged(&backup, 25);
    Report::of(&database, &[])
        .problems(&[])
        .tells("backup", "warning", "24 h would be lost");
    Report::of(&database, &production)
        .problems(&["backup"])
        .tells("verified", "ok", "restored");
    aged(&backup, 100);
    Report::of(&database, &production).tells("verified", "warning", "taskhold backup verify");

    fs::write(backup.join("manifest.json"), "{").expect("written");
    Report::of(&database, &production)
        .tells("damaged", "warning", "1 backups")
        .tells("backup", "problem", "there is none");
}

/// Has a backup be so many hours older than it is.
fn aged(backup: &Path, hours: i64) {
    crate::backup::rewrite(backup, |manifest| manifest.taken_at -= hours * HOUR);
}

async fn looking_changes_nothing(database: Database) {
    migrated(&database);
    let client_made = {
        let service = Service::start(&database).await;
        let alice = service.client("alice");
        alice.created(json!({"title": "stays"})).await;
        let while_served = everything(database.folder.path());
        Report::of(&database, &[]).problems(&[]);
        let files = |all: &BTreeMap<String, String>| all.keys().cloned().collect::<Vec<_>>();
        assert_eq!(
            files(&while_served),
            files(&everything(database.folder.path()))
        );
        alice.created(json!({"title": "goes on"})).await;
        service.stop().await
    };
    assert!(client_made.success());
    let before = everything(database.folder.path());
    let rows = rows(&database).await;
    Report::of(&database, &[]).problems(&[]);
    assert_eq!(everything(database.folder.path()), before);
    assert_eq!(self::rows(&database).await, rows);

    // Nothing is made either where there is nothing yet.
    let new = if database.url.starts_with("sqlite") {
        Database::sqlite()
    } else {
        Database::postgres().await
    };
    let report = Report::of(
        &new,
        &[(
            "JWT_SECRET",
            if new.url.starts_with("sqlite") {
                ""
            } else {
                RANDOM
            },
        )],
    );
    report.problems(&[]);
    assert_eq!(everything(new.folder.path()), BTreeMap::new());
    if new.url.starts_with("sqlite") {
        report
            .tells("store", "ok", "is not there yet")
            .tells("schema", "not_checked", "no store yet")
            .tells("secret", "ok", "the first start makes one");
    } else {
        report.tells("schema", "warning", "pending");
        assert_eq!(self::rows(&new).await, "0");
    }
}

/// Every file with when it was changed and what it holds.
fn everything(folder: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let metadata = fs::metadata(&path).expect("it is there");
        let changed = metadata
            .modified()
            .expect("a time")
            .duration_since(UNIX_EPOCH);
        let mut holds = format!(
            "{:?} {:o}",
            changed.expect("a time"),
            metadata.permissions().mode()
        );
        if metadata.is_dir() {
            all.extend(everything(&path));
        } else {
            holds += &hex::encode(Sha256::digest(fs::read(&path).expect("a file")));
        }
        all.insert(path.display().to_string(), holds);
    }
    all
}

/// What PostgreSQL holds beside the files: tables with all rows and rights, sessions' statements aside.
async fn rows(database: &Database) -> String {
    if database.url.starts_with("sqlite") {
        return String::new();
    }
    let mut admin = admin(&database.url).await;
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            .fetch_one(&mut admin)
            .await
            .expect("a number");
    if tables == 0 {
        return "0".to_owned();
    }
    sqlx::query_scalar(
        "SELECT (SELECT string_agg(t::text, '') FROM tasks t) || (SELECT string_agg(u::text, '') FROM users u)
             || (SELECT string_agg(relname || coalesce(relacl::text, '') || relpages, '' ORDER BY relname)
                 FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r')",
    )
    .fetch_one(&mut admin)
    .await
    .expect("rows")
}

on_both_stores! {
    a_store_in_order_has_no_problem
    pending_migrations
    no_backup_an_old_one_and_one_that_nobody_verified
    looking_changes_nothing
}

#[test]
fn a_secret_that_others_know() {
    let database = Database::sqlite();
    let production = ("TASKHOLD_PROFILE", "production");
    let secret = |variables: &[(&str, &str)]| Report::of(&database, variables);
    secret(&[production, ("JWT_SECRET", "short")])
        .tells("secret", "problem", "fewer than 32 bytes")
        .tells("secret", "problem", "openssl rand -hex 32");
    secret(&[production, ("JWT_SECRET", "")]).tells("secret", "problem", "required in production");
    for guessable in [
        SECRET,
        "change-me-change-me-change-me-change-me",
        &"0".repeat(64),
    ] {
        secret(&[production, ("JWT_SECRET", guessable)]).tells("secret", "problem", "guess");
        secret(&[("JWT_SECRET", guessable)]).tells("secret", "warning", "guess");
    }
    secret(&[production, ("JWT_SECRET_PREVIOUS", "short")]).tells("secret", "problem", "_PREVIOUS");

    done(&database, &["migrate", "up"]);
    done(&database, &["token", "--user", "anna"]);
    let file = database.folder.path().join("data/jwt-secret");
    secret(&[("JWT_SECRET", "")]).tells("secret", "ok", "generated");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("changed");
    secret(&[("JWT_SECRET", "")]).tells("secret", "problem", "chmod 600");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("changed");
    fs::write(&file, "cut").expect("written");
    secret(&[("JWT_SECRET", "")]).tells("secret", "problem", "damaged");
}

#[test]
fn settings_that_are_wrong() {
    let database = Database::sqlite();
    for (name, value, named) in [
        ("PORT", "99999", "server.port"),
        ("TASKHOLD__SEVRER__PORT", "1", "TASKHOLD__SEVRER__PORT"),
        ("DATABASE_URL", "mysql://u:hunter2@h/d", "DATABASE_URL"),
    ] {
        let report = Report::of(&database, &[(name, value)]);
        report.tells("settings", "problem", named);
        assert_eq!((report.code, report.findings.len()), (Some(78), 1));
    }
}

#[tokio::test]
async fn where_the_service_listens() {
    let database = Database::sqlite();
    migrated(&database);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    Report::of(&database, &[("PORT", &port)])
        .problems(&["listener"])
        .tells("listener", "problem", "another program listens");
    drop(taken);
    Report::of(&database, &[("PORT", &port)]).tells("listener", "ok", "is free");
    let service = Service::start(&database).await;
    let port = service.url.rsplit(':').next().expect("a port");
    Report::of(&database, &[("PORT", port)]).tells("listener", "ok", "a service answers");

    let public = ("TASKHOLD__SERVER__HOST", "0.0.0.0");
    Report::of(&database, &[public])
        .tells("listener", "warning", "plain HTTP")
        .tells("settings", "warning", "TASKHOLD_PROFILE=production");
    Report::of(
        &database,
        &[public, ("TASKHOLD__SERVER__TRUSTED_PROXIES", "10.0.0.1")],
    )
    .tells("listener", "ok", "any free port");
    Report::of(&database, &[("TASKHOLD__SERVER__HOST", "192.0.2.1")]).tells(
        "listener",
        "problem",
        "cannot be listened on",
    );
    let origins = [(
        "TASKHOLD__CORS__ORIGINS",
        "http://app.example http://localhost:3000",
    )];
    let report = Report::of(&database, &origins);
    report.tells("cors", "warning", "http://app.example: ");
    Report::of(&database, &[("TASKHOLD__METRICS__ADDRESS", "0.0.0.0:9464")]).tells(
        "metrics",
        "warning",
        "only Prometheus",
    );
}

#[test]
fn a_file_that_others_can_read_is_no_log_or_is_damaged() {
    let database = Database::sqlite();
    migrated(&database);
    let file = database.folder.path().join("data/taskhold.db");
    fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("changed");
    Report::of(&database, &[])
        .problems(&["file"])
        .tells("file", "problem", "mode 640");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("changed");

    let done = std::process::Command::new("sqlite3")
        .arg(&file)
        .arg("PRAGMA journal_mode = DELETE")
        .output()
        .expect("sqlite3 runs");
    assert!(done.status.success(), "{done:?}");
    Report::of(&database, &[])
        .problems(&[])
        .tells("journal", "warning", "write-ahead log");

    let mut bytes = fs::read(&file).expect("the file");
    // The last page: the first ones have the names of the tables.
    let last = bytes.len() - 4096;
    bytes[last..].fill(0x5a);
    fs::write(&file, &bytes).expect("written");
    let report = Report::of(&database, &[]);
    report.tells("integrity", "problem", "damaged");
    assert_eq!(
        report.state("backup"),
        "warning",
        "the others are made all the same"
    );
    fs::write(&file, "no database at all, but long enough to be looked at").expect("written");
    Report::of(&database, &[])
        .tells("store", "problem", "not a database")
        .tells("integrity", "not_checked", "does not answer");
}

#[test]
fn a_folder_that_cannot_be_written() {
    let database = Database::sqlite();
    let in_the_way = database.folder.path().join("file");
    fs::write(&in_the_way, "").expect("written");
    let url = format!("sqlite://{}/data/taskhold.db", in_the_way.display());
    Report::of(&database, &[("DATABASE_URL", &url)]).tells(
        "folder",
        "problem",
        "file is no folder",
    );
}

#[tokio::test]
async fn a_store_that_is_down_keeps_the_other_checks_from_nothing() {
    let server = PostgresServer::start().expect("a server");
    let database = Database::at(&server.url("postgres"));
    migrated(&database);
    done(&database, &["backup"]);
    Report::of(&database, &[]).problems(&[]);
    server.stop();
    let report = Report::of(&database, &[]);
    report
        .problems(&["store"])
        .tells("store", "problem", "DATABASE_URL: PostgreSQL at 127.0.0.1")
        .tells("backup", "ok", "the newest is of")
        .tells("backup-disk", "ok", "free for backups")
        .findings
        .get("secret")
        .expect("looked at");
    for check in [
        "rights",
        "migrating",
        "connections",
        "pooler",
        "schema",
        "clock",
        "tls",
    ] {
        report.tells(check, "not_checked", "the store does not answer");
    }
    server.restart();
    server.freeze();
    let report = Report::of(&database, &[]);
    server.thaw();
    report.problems(&["store"]);
}

#[tokio::test]
async fn a_role_that_may_not_do_what_it_must() {
    let server = PostgresServer::start().expect("a server");
    let owner = server.url("postgres");
    let database = Database::at(&owner);
    migrated(&database);
    Report::of(&database, &[])
        .problems(&[])
        .tells("rights", "warning", "superuser");
    let mut admin = admin(&owner).await;
    told(
        &mut admin,
        "CREATE ROLE app LOGIN; GRANT SELECT ON seaql_migrations TO app",
    )
    .await;
    let app = Database::at(&owner.replace("postgres@", "app@"));
    Report::of(&app, &[])
        .problems(&["migrating", "rights"])
        .tells(
            "rights",
            "problem",
            "GRANT DELETE, INSERT, SELECT, UPDATE ON public.tasks TO app;",
        )
        .tells("migrating", "problem", "database.auto_migrate");
    told(
        &mut admin,
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app",
    )
    .await;
    told(&mut admin, "REVOKE DELETE ON attempts FROM app").await;
    Report::of(&app, &[("TASKHOLD__DATABASE__AUTO_MIGRATE", "false")])
        .problems(&["rights"])
        .tells("rights", "problem", "app lacks DELETE on attempts");
    told(&mut admin, "GRANT DELETE ON attempts TO app").await;
    let by_hand = [("TASKHOLD__DATABASE__AUTO_MIGRATE", "false")];
    Report::of(&app, &by_hand)
        .problems(&[])
        .tells("rights", "ok", "may read and write");
    // Another role migrates, by the URL for that.
    Report::of(&app, &[("DIRECT_URL", owner.as_str())])
        .problems(&[])
        .tells("migrating", "ok", "the role postgres may change the tables");

    told(&mut admin, "REVOKE USAGE ON SCHEMA public FROM PUBLIC").await;
    Report::of(&app, &by_hand).tells("rights", "problem", "GRANT USAGE ON SCHEMA");
    told(&mut admin, "GRANT USAGE ON SCHEMA public TO app").await;
    told(&mut admin, "ALTER ROLE app CONNECTION LIMIT 5").await;
    Report::of(&app, &by_hand)
        .problems(&[])
        .tells("connections", "warning", "5 only");
    told(
        &mut admin,
        "ALTER ROLE app SET default_transaction_read_only = on",
    )
    .await;
    Report::of(&app, &by_hand).tells("store", "problem", "takes no writes");
    told(&mut admin, "CREATE SCHEMA taskhold_before_restore").await;
    Report::of(&app, &by_hand).tells("store", "problem", "taskhold restore");
}

#[tokio::test]
async fn a_pool_that_the_server_has_no_room_for() {
    let database = Database::postgres().await;
    migrated(&database);
    // The tests' server has 300, of which 3 are kept for its superusers.
    Report::of(&database, &[("TASKHOLD__DATABASE__MAX_CONNECTIONS", "297")])
        .problems(&["connections"])
        .tells("connections", "problem", "298; the server has 297");
    Report::of(&database, &[]).tells("connections", "ok", "room for ");
}

#[tokio::test]
async fn migrations_of_a_newer_program() {
    let database = Database::postgres().await;
    migrated(&database);
    let mut admin = admin(&database.url).await;
    told(
        &mut admin,
        "INSERT INTO seaql_migrations VALUES ('m20990101_000001_to_come', 0)",
    )
    .await;
    Report::of(&database, &[])
        .problems(&[])
        .tells("schema", "warning", "m20990101_000001_to_come");
}

#[tokio::test]
async fn a_pooler_in_front() {
    let database = PostgresDatabase::empty().await;
    migrated(&Database::at(database.url()));
    let direct = [("DIRECT_URL", database.url())];
    let unsafe_one = Pooler::mixing_statements(database.url()).await;
    Report::of(&Database::at(&unsafe_one.url()), &direct)
        .problems(&["pooler"])
        .tells("pooler", "problem", "mixes up prepared statements");
    drop(unsafe_one);
    let pooler = Pooler::keeping_statements_apart(database.url()).await;
    let behind = Database::at(&pooler.url());
    Report::of(&behind, &direct)
        .problems(&[])
        .tells("pooler", "ok", "keeps prepared");
    Report::of(&behind, &[])
        .problems(&[])
        .tells("pooler", "warning", "DIRECT_URL");
    Report::of(&Database::at(database.url()), &[]).tells("pooler", "ok", "a session of its own");
}

#[test]
fn people_read_a_line_for_each_finding_and_what_to_do() {
    let database = Database::sqlite();
    let url = [("DATABASE_URL", database.url.as_str())];
    let output = run(database.folder.path(), &url, &["doctor"]);
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("\nok           store        SQLite file "),
        "{said}"
    );
    assert!(
        said.contains("\nwarning      backup       there is none in backups\n"),
        "{said}"
    );
    assert!(
        said.contains("\n                          -> run `taskhold backup`"),
        "{said}"
    );
    let last = said.lines().last().expect("a line");
    assert!(last.ends_with(", 0 problems, 2 not checked"), "{last}");
}
