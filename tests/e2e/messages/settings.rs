//! Settings that are refused: each message names the setting, its source and what fits.

use std::fs;

use super::assert_says;
use crate::service::{Database, Service, run, taskhold};

/// Asserts that the settings are refused with this text, in a folder that stays empty.
#[track_caller]
fn assert_refused(variables: &[(&str, &str)], expected: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(folder.path(), variables, &["serve"]);
    assert_says(&output, 78, &format!("taskhold: {expected}"));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
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
    let command = taskhold(database.folder.path(), &variables, &arguments);
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
