//! Messages to operators, as exact texts of the real program: what failed, why, and what to do.

mod accounts;
mod dotenv;
mod first_minutes;
mod proxies;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use crate::commands::text;
use crate::service::{Database, SECRET, Service, run, run_with_input, taskhold};
use crate::unwritable::as_ordinary_user;

/// Asserts how a command ends, and all that it says on standard error.
#[track_caller]
fn assert_says(output: &Output, status: i32, expected: &str) {
    assert_eq!(text(&output.stderr).trim_end(), expected);
    assert_eq!(output.status.code(), Some(status), "{expected}");
}

/// Asserts that the settings are refused with this text, in a folder that stays empty.
#[track_caller]
fn assert_refused(variables: &[(&str, &str)], expected: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(folder.path(), variables, &["serve"]);
    assert_says(&output, 78, &format!("taskhold: {expected}"));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn address_in_use_is_named_before_anything_is_made() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let (_, port) = address.split_once(':').expect("a port");
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |variables: &[(&str, &str)], arguments: &[&str], expected: &str| {
        let output = run(folder.path(), variables, &[&["serve"], arguments].concat());
        assert_says(&output, 1, &format!("taskhold: {expected}"));
        let made = fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(made, 0, "a secret or a database was made: {expected}");
    };
    let server = format!(
        "server.port: another program listens on {address}: stop that one, or give another port with --port or in PORT"
    );
    refused(&[("PORT", port)], &[], &server);
    refused(&[], &["--port", port], &server);
    refused(
        &[("TASKHOLD__METRICS__ADDRESS", &address)],
        &[],
        &format!(
            "metrics.address: another program listens on {address}: stop that one, or set it to another port"
        ),
    );
    refused(
        &[("JWT_SECRET", SECRET)],
        &["--host", "192.0.2.1"],
        "server.host: this machine has no address 192.0.2.1: set it to one that it has, such as 127.0.0.1, or \
         0.0.0.0 for all of them",
    );
}

#[test]
fn value_of_another_type_is_refused_with_its_source_and_what_fits() {
    for (name, value, expected) in [
        (
            "PORT",
            "99999",
            "server.port (PORT): `99999` is no whole number from 0 to 65535",
        ),
        (
            "PORT",
            "-1",
            "server.port (PORT): `-1` is no whole number from 0 to 65535",
        ),
        (
            "TASKHOLD__SERVER__PORT",
            "http",
            "server.port (TASKHOLD__SERVER__PORT): `http` is no whole number from 0 to 65535",
        ),
        (
            "TASKHOLD__SERVER__MAX_CONNECTIONS",
            "0",
            "server.max_connections (TASKHOLD__SERVER__MAX_CONNECTIONS): `0` is no whole number from 1 to 65535",
        ),
        (
            "TASKHOLD__SERVER__DRAIN_DELAY_SECONDS",
            "5s",
            "server.drain_delay_seconds (TASKHOLD__SERVER__DRAIN_DELAY_SECONDS): `5s` is no whole number from 0 to 65535",
        ),
        (
            "TASKHOLD__DATABASE__BATCH_SIZE",
            "65",
            "database.batch_size (TASKHOLD__DATABASE__BATCH_SIZE): `65` is no whole number from 1 to 64",
        ),
        (
            "TASKHOLD__DATABASE__AUTO_MIGRATE",
            "perhaps",
            "database.auto_migrate (TASKHOLD__DATABASE__AUTO_MIGRATE): `perhaps` is neither true nor false",
        ),
        (
            "TASKHOLD__LOG__FORMAT",
            "xml",
            "log.format (TASKHOLD__LOG__FORMAT): `xml` is neither text nor json",
        ),
        (
            "TASKHOLD__SERVER__HOST",
            "nosuch.invalid",
            "server.host (TASKHOLD__SERVER__HOST): `nosuch.invalid` is neither an address, such as 127.0.0.1, nor a \
             name that leads to one",
        ),
        (
            "TASKHOLD__SERVER__HOST",
            "localhost:8080",
            "server.host (TASKHOLD__SERVER__HOST): `localhost:8080` is neither an address, such as 127.0.0.1, nor a \
             name that leads to one; the port is a setting of its own, server.port",
        ),
        (
            "TASKHOLD__METRICS__ADDRESS",
            "9464",
            "metrics.address (TASKHOLD__METRICS__ADDRESS): `9464` is not HOST:PORT, such as 127.0.0.1:9464 or \
             localhost:9464",
        ),
        (
            "TASKHOLD__METRICS__ADDRESS",
            "127.0.0.1:99999",
            "metrics.address (TASKHOLD__METRICS__ADDRESS): `127.0.0.1:99999` is not HOST:PORT, such as 127.0.0.1:9464 \
             or localhost:9464",
        ),
    ] {
        assert_refused(&[(name, value)], expected);
    }
}

#[test]
fn path_without_scheme_is_no_database_url() {
    let expected = "a SQLite file is written sqlite:// and its path: sqlite://todo.db in the working folder, or \
                    sqlite:///var/lib/todo.db";
    for url in [
        "sqlite:todo.db",
        "sqlite:/var/lib/todo.db",
        "todo.db",
        "file:todo.db",
        "./data/todo.sqlite3",
    ] {
        assert_refused(
            &[("DATABASE_URL", url)],
            &format!("DATABASE_URL: {expected}"),
        );
        assert_refused(
            &[("NEON_DATABASE_URL", url)],
            &format!("NEON_DATABASE_URL: {expected}"),
        );
    }
    assert_refused(
        &[("DATABASE_URL", "postgres:u:hunter2@h/d")],
        "DATABASE_URL: it is no URL; expected sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE, with special \
         characters of the user, the password and the database percent-encoded (@ as %40, / as %2F, # as %23, ? as \
         %3F, % as %25)",
    );
}

/// Other programs keep files of the same names in a folder of the same name.
#[test]
fn configuration_of_another_program_is_refused_by_file_and_key() {
    let advice = "; if that folder is another program's, name one of Taskhold's own with --config";
    for (written, expected) in [
        (
            &b"[app]\nname = 'x'"[..],
            format!(": there is no setting app.name{advice}"),
        ),
        (
            b"[server]\nport = 1\nworkers = 3",
            format!(": there is no setting server.workers{advice}"),
        ),
        (
            b"server = 5",
            format!(": there is no setting server{advice}"),
        ),
        (
            b"[server.tls]\ncert = 'x'",
            format!(": there is no setting server.tls{advice}"),
        ),
        (
            b"[server]\n[auth",
            ": TOML parse error at line 2, column 6: unclosed table, expected `]`".to_owned(),
        ),
        (
            b"[server]\n# Gr\xfcn",
            ", line 2: it is not UTF-8; save it as UTF-8".to_owned(),
        ),
        (
            b"\xff\xfe[\0s\0]\0",
            " is UTF-16: save it as UTF-8".to_owned(),
        ),
        (b"[\0s\0]\0", " is UTF-16: save it as UTF-8".to_owned()),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["config", "mine"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        fs::write(folder.path().join("config/default.toml"), written).expect("written");
        let output = run(folder.path(), &[], &["migrate", "status"]);
        assert_says(
            &output,
            78,
            &format!("taskhold: config/default.toml{expected}"),
        );
        let output = run(
            folder.path(),
            &[],
            &["migrate", "status", "--config", "mine"],
        );
        assert_eq!(
            output.status.code(),
            Some(1),
            "there is no database: {output:?}"
        );
        fs::write(folder.path().join("mine/test.toml"), written).expect("written");
        let output = run(
            folder.path(),
            &[],
            &["migrate", "status", "--config", "mine"],
        );
        let expected = expected.replace(advice, "");
        assert_says(&output, 78, &format!("taskhold: mine/test.toml{expected}"));
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("config")).expect("a folder");
    fs::write(
        folder.path().join("config/test.toml"),
        "[server]\nport = 99999",
    )
    .expect("written");
    let output = run(folder.path(), &[], &["serve"]);
    let expected =
        "taskhold: server.port (in config/test.toml): `99999` is no whole number from 0 to 65535";
    assert_says(&output, 78, expected);
}

#[test]
fn data_folder_of_another_user_is_named_with_what_to_do() {
    let database = Database::sqlite();
    let folder = database.folder.path();
    // The folder that programs start in must be readable by the other user.
    run_sh(&format!(
        "chmod 755 {0} && mkdir {0}/data && chmod 000 {0}/data",
        folder.display()
    ));
    for (variables, arguments, expected) in [
        (
            &[][..],
            &["serve"][..],
            "database.folder: the folder data cannot be used to keep a secret: permission denied; give it to user ",
        ),
        (
            &[("JWT_SECRET", SECRET)],
            &["serve"],
            "database.folder: cannot open the SQLite file data/taskhold.db: Permission denied (os error 13); give the \
             folder and what is in it to user ",
        ),
        (
            &[],
            &["token", "anna"],
            "database.folder: cannot open the SQLite file data/taskhold.db: Permission denied (os error 13); give the \
             folder and what is in it to user ",
        ),
        (
            &[],
            &["user", "list"],
            "database.folder: cannot open the SQLite file data/taskhold.db: Permission denied (os error 13); give the \
             folder and what is in it to user ",
        ),
    ] {
        let command = taskhold(folder, variables, arguments);
        let output = as_ordinary_user(folder, command).output().expect("it runs");
        let printed = text(&output.stderr);
        assert!(
            printed.starts_with(&format!("taskhold: {expected}")),
            "{arguments:?}: {printed}"
        );
        assert_eq!(output.status.code(), Some(78), "{printed}");
        assert_eq!(printed.lines().count(), 1, "{printed}");
    }
}

fn run_sh(script: &str) {
    let status = Command::new("sh").args(["-c", script]).status();
    assert!(status.expect("sh runs").success(), "{script}");
}

#[test]
fn url_without_scheme_is_wrong_usage_of_health() {
    let folder = tempfile::tempdir().expect("a folder");
    for url in [
        "localhost:8080",
        "127.0.0.1:8080",
        "",
        "ftp://localhost",
        "/health",
        "http://",
    ] {
        let output = run(folder.path(), &[], &["health", "--url", url]);
        let expected = format!(
            "error: invalid value '{url}' for '--url <URL>': it must begin with http:// or https:// and the host, as \
             in http://127.0.0.1:8080\n\nFor more information, try '--help'."
        );
        assert_says(&output, 2, &expected);
    }
    let output = run(
        folder.path(),
        &[],
        &["health", "--url", "http://127.0.0.1:1"],
    );
    let expected = "taskhold: http://127.0.0.1:1/health does not answer: error sending request: client error \
                    (Connect): tcp connect error: Connection refused (os error 111)";
    assert_says(&output, 1, expected);
}

#[test]
fn cause_is_told_once() {
    let database = Database::at("postgres://u:hunter2@127.0.0.1:1/d");
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("TASKHOLD__DATABASE__CONNECT_TIMEOUT_SECONDS", "0"),
    ];
    let output = run(database.folder.path(), &variables, &["migrate", "status"]);
    let expected = "DATABASE_URL: PostgreSQL at 127.0.0.1:1, database d did not answer for 0 s: error communicating \
                    with database: Connection refused (os error 111)";
    assert_says(&output, 1, &format!("taskhold: {expected}"));
    let output = run(database.folder.path(), &variables, &["doctor"]);
    assert!(
        text(&output.stdout).contains(&format!("  store        {expected}\n")),
        "{output:?}"
    );
}

#[tokio::test]
async fn error_of_postgres_is_told_once() {
    let database = Database::postgres().await;
    let (server, _) = database.url.rsplit_once('/').expect("a database");
    let url = format!("{server}/nosuch");
    let output = run(
        database.folder.path(),
        &[("DATABASE_URL", &url)],
        &["migrate", "status"],
    );
    let printed = text(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{printed}");
    let start = "taskhold: DATABASE_URL: the server has no such database (PostgreSQL at ";
    assert!(printed.starts_with(start), "{printed}");
    let cause = "error returned from database: database \"nosuch\" does not exist";
    assert!(
        printed.contains(&format!(", database nosuch): {cause}")),
        "{printed}"
    );
    assert_eq!(printed.matches("does not exist").count(), 1, "{printed}");
}

#[test]
fn version_names_the_program() {
    let folder = tempfile::tempdir().expect("a folder");
    let expected = format!("taskhold {}\n", env!("CARGO_PKG_VERSION"));
    for option in ["--version", "-V"] {
        let output = run(folder.path(), &[], &[option]);
        assert_eq!(text(&output.stdout), expected);
    }
}

#[test]
fn help_fills_the_width_of_the_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    for width in [60, 80, 100] {
        for arguments in [
            &["--help"][..],
            &["serve", "--help"],
            &["import", "--help"],
            &["token", "--help"],
            &["backup", "prune", "--help"],
            &["user", "set-password", "-h"],
        ] {
            let output = taskhold(folder.path(), &[], arguments)
                .env("COLUMNS", width.to_string())
                .output();
            let output = output.expect("it runs");
            let printed = text(&output.stdout);
            let lines: Vec<_> = printed.lines().collect();
            for line in &lines {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
            let (about, _) = printed.split_once("\nUsage: taskhold").expect("usage");
            for pair in about.lines().collect::<Vec<_>>().windows(2) {
                let next = pair[1].split(' ').next().unwrap_or_default();
                let is_full = pair[0].len() + 1 + next.len() > width;
                assert!(
                    is_full || pair[0].is_empty() || next.is_empty(),
                    "{width}: {about}"
                );
            }
        }
    }
}

#[tokio::test]
async fn durations_in_the_log_have_at_most_three_decimals() {
    let variables = [
        ("TASKHOLD__LOG__FORMAT", "json"),
        ("TASKHOLD__LOG__SLOW_STORE_CALL_MS", "1"),
    ];
    let database = Database::sqlite();
    let service = Service::start_with(&database, &variables).await;
    let client = service.client("anna");
    let durations = crate::service::eventually("requests and slow calls are logged", async || {
        client.create(serde_json::json!({"title": "one"})).await;
        let log = service.log();
        (log.contains("a store call was slow") && log.contains("\"request\"")).then_some(log)
    })
    .await;
    let mut seen = 0;
    for after in durations.split("\"duration_ms\":").skip(1) {
        let number = after.split([',', '}']).next().expect("a number");
        let decimals = number.split_once('.').map_or("", |(_, decimals)| decimals);
        assert!(decimals.len() <= 3 && !number.contains('e'), "{number}");
        seen += 1;
    }
    assert!(seen >= 2, "{durations}");
}

#[test]
fn one_of_a_kind_is_singular() {
    let database = Database::sqlite();
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("JWT_SECRET", SECRET),
    ];
    let folder = database.folder.path();
    let output = |arguments: &[&str]| run(folder, &variables, arguments);
    let migrated = output(&["migrate", "up"]);
    let count = text(&migrated.stdout)
        .split(' ')
        .rev()
        .nth(2)
        .expect("a number")
        .to_owned();
    let all_but_one = (count.parse::<u32>().expect("a number") - 1).to_string();
    let down = output(&["migrate", "down", "--yes", "--steps", &all_but_one]);
    assert!(
        text(&down.stdout).ends_with(" reverted, 1 left\n"),
        "{down:?}"
    );
    output(&["migrate", "up"]);
    let down = output(&["migrate", "down", "--yes"]);
    assert!(down.status.success(), "{down:?}");
    assert!(text(&output(&["migrate", "up"]).stdout).ends_with(": 1 migration applied\n"));

    // Backups on the disk of the store would be another warning.
    let other_disk = tempfile::tempdir_in("/dev/shm").expect("a folder");
    let backups = other_disk.path().to_str().expect("UTF-8");
    let backups = ("TASKHOLD__BACKUP__FOLDER", backups);
    let doctor = run(folder, &[&variables[..], &[backups]].concat(), &["doctor"]);
    assert!(
        text(&doctor.stdout).contains(" ok, 1 warning, 0 problems, 0 not checked\n"),
        "{doctor:?}"
    );
    let file = folder.join("one.json");
    fs::write(
        &file,
        r#"[{"id": 1, "title": "one", "user_id": "anna", "colour": 1}]"#,
    )
    .expect("written");
    let imported = output(&["import", "one.json"]);
    assert_eq!(text(&imported.stderr), "1 row read; importing\n");
    assert!(
        text(&imported.stdout).ends_with("\n  colour in 1 row\n"),
        "{imported:?}"
    );
    let backup = output(&["backup"]);
    assert!(
        text(&backup.stdout).contains(": 1 user, 1 task, "),
        "{backup:?}"
    );
}

#[test]
fn file_of_another_encoding_is_called_what_it_is() {
    let database = Database::sqlite();
    let variables = [("DATABASE_URL", database.url.as_str())];
    let utf_16 = |mark: &[u8], text: &str, bytes: fn(u16) -> [u8; 2]| {
        let units = text.encode_utf16().flat_map(bytes);
        mark.iter().copied().chain(units).collect::<Vec<_>>()
    };
    let task = r#"[{"id": 1, "title": "Grün"}]"#;
    let (utf_16_text, compressed) = (
        "the file is UTF-16: save it as UTF-8",
        "the file is compressed: unpack it first",
    );
    for (written, format, expected) in [
        (
            utf_16(b"\xff\xfe", task, u16::to_le_bytes),
            None,
            utf_16_text,
        ),
        (
            utf_16(b"\xfe\xff", task, u16::to_be_bytes),
            None,
            utf_16_text,
        ),
        (
            utf_16(b"", task, u16::to_le_bytes),
            Some("console"),
            utf_16_text,
        ),
        (
            utf_16(b"", task, u16::to_be_bytes),
            Some("ndjson"),
            utf_16_text,
        ),
        (b"\x1f\x8b\x08\0".to_vec(), None, compressed),
        (b"PK\x03\x04".to_vec(), None, compressed),
    ] {
        fs::write(database.folder.path().join("tasks.json"), written).expect("written");
        let format = format.map_or_else(Vec::new, |format| vec!["--format", format]);
        let arguments = [&["import", "tasks.json"], &format[..]].concat();
        let output = run(database.folder.path(), &variables, &arguments);
        assert_says(
            &output,
            1,
            &format!("taskhold: tasks.json: line 1, column 1: {expected}"),
        );
    }
}

#[test]
fn refused_import_leaves_no_older_report() {
    let database = Database::sqlite();
    let folder = database.folder.path();
    let variables = [("DATABASE_URL", database.url.as_str())];
    let import = |file: &str, more: &[&str]| {
        let arguments = [&["import", file, "--report", "report.json"], more].concat();
        run(folder, &variables, &arguments)
    };
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("written");
    write("good.json", r#"[{"id": 1, "title": "one", "colour": 1}]"#);
    write("bad.json", "no tasks");
    let report = folder.join("report.json");
    for (file, more) in [
        ("bad.json", &[][..]),
        ("missing.json", &[]),
        ("good.json", &["--strict"]),
        ("good.json", &["--user", "nobody@example.org"]),
    ] {
        let output = import("good.json", &[]);
        assert!(output.status.success() && report.exists(), "{output:?}");
        let output = import(file, more);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(!report.exists(), "{file} {more:?}");
    }
    let output = run(
        folder,
        &variables,
        &["import", "good.json", "--report", "./good.json"],
    );
    assert_says(
        &output,
        1,
        "taskhold: --report: ./good.json is the file to import",
    );
    assert!(folder.join("good.json").exists());
    let piped = run_with_input(
        folder,
        &variables,
        &["import", "-", "--report", "report.json"],
        "[]",
    );
    assert!(piped.status.success(), "{piped:?}");
}

#[test]
fn token_takes_its_user_as_an_argument_or_an_option() {
    let database = Database::sqlite();
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("JWT_SECRET", SECRET),
    ];
    let folder = database.folder.path();
    assert!(run(folder, &variables, &["migrate", "up"]).status.success());
    for user in [&["anna"][..], &["--user", "anna"]] {
        let output = run(folder, &variables, &[&["token"], user].concat());
        assert!(output.status.success(), "{output:?}");
        let claims: serde_json::Value =
            jsonwebtoken::dangerous::insecure_decode(text(&output.stdout).trim())
                .expect("a token")
                .claims;
        assert_eq!(claims["sub"], "anna");
    }
    for wrong in [&[][..], &["anna", "--user", "bob"]] {
        let output = run(folder, &variables, &[&["token"], wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
}

#[tokio::test]
async fn options_of_serve_win_over_settings_and_hosts_may_be_names() {
    let database = Database::sqlite();
    let variables = [
        ("DATABASE_URL", database.url.as_str()),
        ("PORT", "1"),
        ("TASKHOLD__SERVER__HOST", "192.0.2.1"),
        ("TASKHOLD__METRICS__ADDRESS", "localhost:0"),
    ];
    let arguments = ["serve", "--host", "localhost", "--port", "0"];
    let command = taskhold(Path::new(database.folder.path()), &variables, &arguments);
    let service = Service::spawn(command).wait_until_listening().await;
    assert!(
        service.url.starts_with("http://127.0.0.1:"),
        "{}",
        service.url
    );
    assert_eq!(service.readiness().await, 200);
    assert!(
        service.log().contains("metrics_url=http://127.0.0.1:"),
        "{}",
        service.log()
    );
    service.stop().await;
}
