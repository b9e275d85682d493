//! Findings about how machine, server and backups are set up, each on the real fault, and advice that fits its cause.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use taskhold_domain::zone::database_version;
use taskhold_testkit::postgres::{PostgresServer, server_user};

use super::{RANDOM, Report, admin, migrate, run_to_success};
use crate::backup::tools::{run_without_debian, write_program};
use crate::service::{Database, Service, copy_environment, taskhold};
use crate::unwritable::as_ordinary_user;

const PRODUCTION: [(&str, &str); 3] = [
    ("TASKHOLD_PROFILE", "production"),
    ("TASKHOLD__AUTH__AUDIENCE", "taskhold"),
    ("TASKHOLD__SERVER__PORT", "0"),
];
const BY_HAND: (&str, &str) = ("TASKHOLD__DATABASE__AUTO_MIGRATE", "false");

async fn execute(url: &str, statements: &[&str]) {
    let mut connection = admin(url).await;
    for statement in statements {
        let sql = sqlx::AssertSqlSafe((*statement).to_owned());
        let done = sqlx::Executor::execute(&mut connection, sql).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

/// A server with a role that owns the database and its tables, and one that serves.
async fn server_with_roles() -> (PostgresServer, Database, Database) {
    let server = PostgresServer::start().expect("a server");
    execute(
        &server.url("postgres"),
        &[
            "CREATE ROLE owner LOGIN",
            "CREATE ROLE app LOGIN",
            "CREATE DATABASE store OWNER owner",
        ],
    )
    .await;
    let of = |role: &str| {
        let url = server.url("store");
        Database::at(&url.replace("postgres@", &format!("{role}@")))
    };
    let (owner, app) = (of("owner"), of("app"));
    migrate(&owner);
    let grant = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app";
    execute(&owner.url, &[grant]).await;
    (server, owner, app)
}

#[test]
fn too_few_open_files_are_reported() {
    let database = Database::sqlite();
    migrate(&database);
    let variables = [("DATABASE_URL", database.url.as_str())];
    let doctor = taskhold(database.folder.path(), &variables, &["doctor", "--json"]);
    let mut limited = Command::new("bash");
    limited
        .args(["-c", "ulimit -n 1000 && exec \"$0\" \"$@\""])
        .arg(doctor.get_program())
        .args(doctor.get_args())
        .current_dir(database.folder.path());
    copy_environment(&doctor, &mut limited);
    let report = Report::printed(&limited.output().expect("bash runs"));
    report
        .assert_problems(&[])
        .assert_finding("open-files", "warning", "1000 open files")
        .assert_finding("open-files", "warning", "LimitNOFILE=");
}

#[test]
fn readable_dotenv_is_reported() {
    let database = Database::sqlite();
    migrate(&database);
    let dotenv = database.folder.path().join(".env");
    fs::write(&dotenv, format!("JWT_SECRET={RANDOM}\n")).expect("written");
    for (mode, is_private) in [(0o600, true), (0o640, false), (0o644, false)] {
        fs::set_permissions(&dotenv, Permissions::from_mode(mode)).expect("changed");
        let report = Report::of(&database, &PRODUCTION);
        if is_private {
            report.assert_finding("env", "ok", "its owner only");
        } else {
            report.assert_finding("env", "problem", "chmod 600 .env");
            Report::of(&database, &[]).assert_finding("env", "warning", "chmod 600 .env");
        }
    }
}

#[tokio::test]
async fn backups_on_the_disk_of_the_store_are_reported() {
    let other_disk = tempfile::tempdir_in("/dev/shm").expect("a folder");
    let elsewhere = other_disk.path().to_str().expect("UTF-8");
    let elsewhere = [("TASKHOLD__BACKUP__FOLDER", elsewhere)];
    // Who may see the folder of the server's data can compare it.
    for database in [Database::sqlite(), Database::postgres().await] {
        migrate(&database);
        Report::of(&database, &[])
            .assert_problems(&[])
            .assert_finding("backup-place", "warning", "another machine");
        Report::of(&database, &elsewhere).assert_finding("backup-place", "ok", "another disk");
    }
}

#[test]
fn proxies_of_everybody_are_reported() {
    let database = Database::sqlite();
    migrate(&database);
    let report =
        |proxies: &str| Report::of(&database, &[("TASKHOLD__SERVER__TRUSTED_PROXIES", proxies)]);
    for proxies in ["0.0.0.0/0", "::/0", "10.0.0.1 0.0.0.0/1 128.0.0.0/1"] {
        report(proxies)
            .assert_problems(&["proxies"])
            .assert_finding("proxies", "problem", "forge the address");
    }
    report("10.0.0.0/8 192.0.2.1").assert_finding("proxies", "ok", "2 addresses");
}

#[tokio::test]
async fn server_that_does_not_sync_is_reported() {
    // The server of the tests is one.
    let (server, _, app) = server_with_roles().await;
    Report::of(&app, &[BY_HAND])
        .assert_problems(&[])
        .assert_finding(
            "durability",
            "warning",
            "switched fsync, full_page_writes off",
        );
    Report::of(&app, &[&PRODUCTION[..], &[BY_HAND]].concat()).assert_finding(
        "durability",
        "problem",
        "ALTER SYSTEM SET fsync = on",
    );
    let relax = "ALTER ROLE app SET synchronous_commit = off";
    execute(&server.url("postgres"), &[relax]).await;
    Report::of(&app, &[BY_HAND]).assert_finding(
        "durability",
        "warning",
        "full_page_writes, synchronous_commit off",
    );
}

#[tokio::test]
async fn missing_or_old_programs_for_backups_are_reported() {
    let database = Database::postgres().await;
    migrate(&database);
    Report::of(&database, &[]).assert_finding("tools", "ok", "pg_restore of version");
    let folder = database.folder.path().join("programs");
    fs::create_dir(&folder).expect("a folder");
    let line = || {
        let report = run_without_debian(&database, &folder, &["doctor"]).stdout;
        let line = report.lines().skip_while(|line| !line.contains(" tools "));
        line.take(2).collect::<Vec<_>>().join("\n")
    };
    let found = line();
    assert!(found.contains("there are none on the PATH"), "{found}");
    assert!(
        found.contains("apt-get install postgresql-client-"),
        "{found}"
    );
    for name in ["pg_dump", "pg_restore"] {
        write_program(&folder, name, &format!("echo '{name} (PostgreSQL) 9.6.24'"));
    }
    let found = line();
    assert!(found.contains("only those of version 9"), "{found}");
}

#[tokio::test]
async fn role_that_cannot_verify_backups_is_reported() {
    let (server, owner, app) = server_with_roles().await;
    for database in [&owner, &app] {
        Report::of(database, &[BY_HAND])
            .assert_problems(&[])
            .assert_finding("verifying", "warning", "ALTER ROLE owner CREATEDB");
    }
    let done = crate::service::run(
        owner.folder.path(),
        &[("DATABASE_URL", &owner.url)],
        &["backup"],
    );
    assert!(done.status.success(), "{done:?}");
    let variables = [("DATABASE_URL", owner.url.as_str())];
    let verify = || crate::service::run(owner.folder.path(), &variables, &["backup", "verify"]);
    assert!(!verify().status.success());
    execute(&server.url("postgres"), &["ALTER ROLE owner CREATEDB"]).await;
    for database in [&owner, &app] {
        Report::of(database, &[BY_HAND]).assert_finding("verifying", "ok", "can be made");
    }
    assert!(verify().status.success());
}

#[tokio::test]
async fn tables_of_somebody_else_are_reported() {
    let (server, owner, app) = server_with_roles().await;
    for database in [&owner, &app] {
        Report::of(database, &[BY_HAND]).assert_finding("owner", "ok", "belong to owner");
    }
    // As a restore by a superuser left them.
    let steal = "ALTER TABLE tasks OWNER TO postgres";
    execute(&server.url("store"), &[steal]).await;
    for database in [&owner, &app] {
        let report = Report::of(database, &[BY_HAND]);
        let expected: &[_] = if database.url.contains("owner@") {
            &["owner", "rights"]
        } else {
            &["owner"]
        };
        report
            .assert_problems(expected)
            .assert_finding("owner", "problem", "tasks to postgres")
            .assert_finding("owner", "problem", "ALTER TABLE tasks OWNER TO owner;");
    }
    execute(&server.url("store"), &["ALTER TABLE tasks OWNER TO owner"]).await;
    Report::of(&owner, &[]).assert_problems(&[]);

    // Another program has the names.
    execute(
        &server.url("postgres"),
        &[
            "CREATE TABLE users (id int)",
            "CREATE VIEW tasks AS SELECT 1",
        ],
    )
    .await;
    Report::of(&Database::at(&server.url("postgres")), &[])
        .assert_problems(&["schema"])
        .assert_finding("schema", "problem", "another program")
        .assert_finding("schema", "problem", "tasks, users");
}

#[tokio::test]
async fn sqlite_file_of_another_program_is_reported() {
    let database = Database::sqlite();
    database.execute("CREATE TABLE users (id INTEGER)").await;
    let file = database.folder.path().join("data/taskhold.db");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("changed");
    Report::of(&database, &[])
        .assert_problems(&["schema"])
        .assert_finding("schema", "problem", "names that migrations need: users");
}

#[tokio::test]
async fn address_of_the_metrics_in_use_is_reported() {
    let database = Database::sqlite();
    migrate(&database);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let metrics = [("TASKHOLD__METRICS__ADDRESS", address.as_str())];
    Report::of(&database, &metrics)
        .assert_problems(&["metrics"])
        .assert_finding("metrics", "problem", "another program listens");
    drop(taken);
    Report::of(&database, &metrics).assert_finding("metrics", "ok", "is free");
    let service = Service::start_with(&database, &metrics).await;
    Report::of(&database, &metrics)
        .assert_problems(&[])
        .assert_finding("metrics", "ok", "a service answers");
    drop(service);
    let (_, port) = address.rsplit_once(':').expect("a port");
    Report::of(&database, &[metrics[0], ("PORT", port)])
        .assert_problems(&["metrics"])
        .assert_finding("metrics", "problem", "of the service itself");
    Report::of(
        &database,
        &[("TASKHOLD__METRICS__ADDRESS", "192.0.2.1:9464")],
    )
    .assert_problems(&["metrics"])
    .assert_finding("metrics", "problem", "of this machine");
}

#[test]
fn unwritable_folder_or_unreadable_backup_is_reported() {
    let database = Database::sqlite();
    let folder = database.folder.path();
    migrate(&database);
    let in_the_way = folder.join("file");
    fs::write(&in_the_way, "").expect("written");
    let in_the_way = in_the_way.to_str().expect("UTF-8");
    let report = Report::of(&database, &[("TASKHOLD__BACKUP__FOLDER", in_the_way)]);
    report.assert_finding("backup-write", "problem", "is no folder");

    let printed = run_to_success(&database, &["backup"]);
    let backup = folder.join(printed.lines().next().expect("a path"));
    if let Some(user) = server_user() {
        let chown = Command::new("chown")
            .args(["-R", user])
            .arg(folder)
            .status();
        assert!(chown.expect("it runs").success());
        let chown = Command::new("chown")
            .args(["-R", "root"])
            .arg(&backup)
            .status();
        assert!(chown.expect("it runs").success());
    } else {
        fs::set_permissions(&backup, Permissions::from_mode(0o000)).expect("changed");
    }
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("JWT_SECRET", RANDOM),
    ];
    let run = |arguments: &[&str]| {
        let command = taskhold(folder, &variables, arguments);
        as_ordinary_user(folder, command).output().expect("it runs")
    };
    let doctor = || Report::printed(&run(&["doctor", "--json"]));
    let report = doctor();
    report
        .assert_finding("unreadable", "warning", "Permission denied")
        .assert_finding("unreadable", "warning", "chown -R");
    assert!(
        !report.findings.contains_key("damaged"),
        "{:#?}",
        report.findings
    );
    let listed = run(&["backup", "list"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(
        listed.contains("unreadable: ") && !listed.contains("damaged"),
        "{listed}"
    );

    fs::set_permissions(folder.join("backups"), Permissions::from_mode(0o555)).expect("changed");
    doctor().assert_finding("backup-write", "problem", "cannot be written");
    fs::set_permissions(folder.join("backups"), Permissions::from_mode(0o755)).expect("changed");
    fs::set_permissions(&backup, Permissions::from_mode(0o755)).expect("changed");
}

#[tokio::test]
async fn advice_fits_why_the_server_refuses() {
    let (server, _, app) = server_with_roles().await;
    let superuser = server.url("postgres");
    for (fault, mend, advice) in [
        (
            "ALTER ROLE app CONNECTION LIMIT 0",
            "ALTER ROLE app CONNECTION LIMIT -1",
            "connections are in use",
        ),
        (
            "ALTER DATABASE store CONNECTION LIMIT 0",
            "ALTER DATABASE store CONNECTION LIMIT -1",
            "pg_stat_activity",
        ),
        (
            "ALTER ROLE app NOLOGIN",
            "ALTER ROLE app LOGIN",
            "ALTER ROLE … LOGIN",
        ),
        (
            "REVOKE CONNECT ON DATABASE store FROM PUBLIC",
            "GRANT CONNECT ON DATABASE store TO PUBLIC",
            "GRANT CONNECT ON DATABASE",
        ),
        (
            "ALTER DATABASE store RENAME TO moved",
            "ALTER DATABASE moved RENAME TO store",
            "create the database",
        ),
    ] {
        execute(&superuser, &[fault]).await;
        let report = Report::of(&app, &[BY_HAND]);
        report.assert_finding("store", "problem", advice);
        let found = report.findings["store"].to_string();
        assert!(!found.contains("start the server"), "{fault}: {found}");
        execute(&superuser, &[mend]).await;
    }
    Report::of(&app, &[BY_HAND]).assert_problems(&[]);

    let with_verification = Database::at(&format!("{}?sslmode=verify-full", app.url));
    Report::of(&with_verification, &[BY_HAND]).assert_finding("store", "problem", "offer TLS");
    server.offer_tls();
    let report = Report::of(&with_verification, &[BY_HAND]);
    report.assert_finding("store", "problem", "?sslrootcert=/path/to/ca.pem");
    let found = report.findings["store"]["advice"].to_string();
    assert!(!found.contains("correct DATABASE_URL"), "{found}");

    server.stop();
    Report::of(&app, &[BY_HAND]).assert_finding("store", "problem", "start the server");
}

#[tokio::test]
async fn advice_fits_why_the_issuers_keys_cannot_be_read() {
    let database = Database::sqlite();
    migrate(&database);
    let service = Service::start(&database).await;
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = closed.local_addr().expect("an address");
    drop(closed);
    for (url, advice) in [
        (
            format!("{}/nowhere", service.url),
            "/.well-known/openid-configuration",
        ),
        (format!("{}/openapi.json", service.url), "no key"),
        (format!("{}/docs", service.url), "is no key set"),
        (format!("http://{nobody}/jwks"), "start the issuer"),
    ] {
        let variables = [
            ("TASKHOLD__AUTH__JWKS_URL", url.as_str()),
            ("TASKHOLD__AUTH__AUDIENCE", "taskhold"),
        ];
        let report = Report::of(&database, &variables);
        report.assert_finding("issuer", "problem", advice);
    }
}

#[test]
fn age_of_the_time_zones_is_reported() {
    let database = Database::sqlite();
    migrate(&database);
    // Whether it is too old depends on the day.
    let report = Report::of(&database, &[]);
    let finding = report.findings["time-zones"].to_string();
    assert!(finding.contains(database_version()), "{finding}");
}

#[test]
fn streams_that_can_take_all_connections_are_reported() {
    let database = Database::sqlite();
    migrate(&database);
    Report::of(&database, &[("TASKHOLD__LIMITS__STREAMS", "4000")])
        .assert_problems(&[])
        .assert_finding("streams", "warning", "4000 streams")
        .assert_finding("streams", "warning", "limits.streams");
    Report::of(&database, &[]).assert_finding("streams", "ok", "2048 streams");
}
