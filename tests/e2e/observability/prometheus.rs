//! Metrics, alerts and the Grafana dashboard, checked with Prometheus' promtool.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{Database, Service, TASKS, eventually, path, run};

const ALERTS: &str = include_str!("../../../docs/operations/alerts.yml");
const ALERT_TESTS: &str = include_str!("../../../docs/operations/alerts.test.yml");
const MEANINGS: &str = include_str!("../../../docs/operations/alerts.md");
const DASHBOARD: &str = include_str!("../../../docs/operations/grafana-dashboard.json");

on_both_stores! {
    metrics_pass_the_promtool_check
    random_requests_add_no_metric_series
}

/// Runs promtool with `input` on its standard input, asserts success, and returns its output.
fn promtool(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("promtool")
        .args(arguments)
        .current_dir(documents())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs (Debian's package prometheus)");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("written");
    drop(stdin);
    let output = child.wait_with_output().expect("promtool ends");
    let output_text = String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8");
    assert!(output.status.success(), "{arguments:?}: {output_text}");
    output_text
}

fn documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations")
}

/// Sends a request of each kind.
async fn exercise(service: &Service) {
    let alice = service.client("alice");
    let item = path(&alice.create(json!({"title": "one"})).await);
    for (method, path, body, status) in [
        (Method::GET, TASKS, None, 200),
        (Method::GET, &*item, None, 200),
        (Method::PUT, &item, Some(json!({"title": "two"})), 200),
        (Method::PUT, &item, Some(json!({"title": ""})), 422),
        (Method::DELETE, &item, None, 204),
        (Method::GET, "/health/ready", None, 200),
    ] {
        assert_eq!(alice.send(method, path, body).await.status, status);
    }
}

async fn metrics_pass_the_promtool_check(database: Database) {
    let service = Service::start(&database).await;
    exercise(&service).await;
    let metrics = service.text("/metrics").await;
    assert_eq!(promtool(&["check", "metrics"], &metrics), "", "{metrics}");
}

/// Returns all series of the metrics, without their values.
async fn series(service: &Service) -> BTreeSet<String> {
    let metrics = service.text("/metrics").await;
    let samples = metrics.lines().filter(|line| !line.starts_with('#'));
    let series = samples.filter_map(|line| line.rsplit_once(' '));
    series.map(|(series, _)| series.to_owned()).collect()
}

async fn random_requests_add_no_metric_series(database: Database) {
    let service = Service::start(&database).await;
    let alice = service.client("alice");
    let word = || -> String { (0..12).map(|_| fastrand::alphanumeric()).collect() };
    let send_random = async || {
        let path = match fastrand::u8(..5) {
            0 => format!("/{}", word()),
            1 => format!("{TASKS}/{}", word()),
            2 => format!("{TASKS}/{}/{}", word(), word()),
            3 => format!("{TASKS}?q={}", word()),
            _ => format!("/api/{}/{}", word(), word()),
        };
        let method = if fastrand::bool() {
            Method::GET
        } else {
            Method::from_bytes(word().as_bytes()).expect("a method")
        };
        alice.send(method, &path, None).await;
    };
    // Enough requests for every label value to occur.
    for _ in 0..200 {
        send_random().await;
    }
    let before = series(&service).await;
    for _ in 0..200 {
        send_random().await;
    }
    let after = series(&service).await;
    let new: Vec<_> = after.difference(&before).collect();
    // The first request for the metrics is counted by now.
    assert!(
        new.iter()
            .all(|series| series.contains(r#"route="/metrics""#)),
        "{new:?}"
    );
}

#[test]
fn alert_rules_pass_their_promtool_tests() {
    promtool(&["check", "rules", "alerts.yml"], "");
    promtool(&["test", "rules", "alerts.test.yml"], "");
}

/// Returns the names that follow a word in a text. A name ends at the first character that is not alphanumeric.
fn names<'a>(text: &'a str, word: &str) -> BTreeSet<&'a str> {
    let after = text.split(word).skip(1);
    let is_end = |character: char| !character.is_ascii_alphanumeric();
    after.filter_map(|rest| rest.split(is_end).next()).collect()
}

#[test]
fn every_alert_is_tested_and_documented() {
    let alerts = names(ALERTS, "alert: ");
    assert!(alerts.len() >= 10, "{alerts:?}");
    assert_eq!(names(MEANINGS, "## Taskhold"), without_prefix(&alerts));
    assert_eq!(names(ALERT_TESTS, "alertname: "), alerts);
    // Each alert has a test in which it fires.
    let fired: BTreeSet<_> = ALERT_TESTS
        .split("alertname: ")
        .skip(1)
        .filter(|test| {
            test.lines()
                .nth(1)
                .is_some_and(|line| line.contains("exp_alerts"))
        })
        .filter_map(|test| test.lines().next())
        .collect();
    assert_eq!(fired, alerts);
}

fn without_prefix<'a>(alerts: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    let rest = alerts.iter().map(|name| name.strip_prefix("Taskhold"));
    rest.map(|name| name.expect("alerts begin with Taskhold"))
        .collect()
}

/// Returns the names of the metrics in an expression.
fn metrics_in(expression: &str) -> BTreeSet<&str> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let is_ours = |word: &&str| word.starts_with("taskhold_") || word.starts_with("process_");
    words.filter(is_ours).collect()
}

fn expressions_of_the_dashboard() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| {
        let targets = panel["targets"].as_array().expect("targets");
        targets.iter().map(|target| &target["expr"])
    });
    let expressions = targets.map(|expr| expr.as_str().expect("an expression").to_owned());
    expressions.collect()
}

#[tokio::test]
async fn alerts_and_dashboard_use_only_exposed_metrics() {
    let database = Database::sqlite();
    let variables = [("DATABASE_URL", database.url.as_str())];
    let folder = database.folder.path();
    for arguments in [&["migrate", "up"][..], &["backup"], &["backup", "verify"]] {
        let done = run(folder, &variables, arguments);
        assert!(done.status.success(), "{done:?}");
    }
    let service = Service::start(&database).await;
    exercise(&service).await;
    let dashboard = expressions_of_the_dashboard();
    assert!(dashboard.len() >= 15, "{dashboard:?}");
    let mut wanted = metrics_in(ALERTS);
    wanted.extend(
        dashboard
            .iter()
            .flat_map(|expression| metrics_in(expression)),
    );
    assert!(wanted.len() >= 10, "{wanted:?}");
    eventually("the backup was seen", async || {
        let metrics = service.text("/metrics").await;
        metrics.contains("\ntaskhold_backup_last").then_some(())
    })
    .await;
    let series = series(&service).await;
    let exposed: BTreeSet<_> = series
        .iter()
        .filter_map(|series| series.split('{').next())
        .collect();
    let missing: Vec<_> = wanted.difference(&exposed).collect();
    assert!(missing.is_empty(), "{missing:?} of {exposed:?}");
}

/// Grafana replaces its variables before Prometheus reads an expression.
#[test]
fn dashboard_expressions_pass_the_promtool_check() {
    let rules: Vec<_> = expressions_of_the_dashboard()
        .into_iter()
        .map(|expression| {
            let expression = expression
                .replace("$__rate_interval", "1m")
                .replace("$instance", ".*");
            json!({"record": "a:b", "labels": {"as": expression.clone()}, "expr": expression})
        })
        .collect();
    let rules = json!({"groups": [{"name": "dashboard", "rules": rules}]});
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rules.json");
    std::fs::write(&file, rules.to_string()).expect("written");
    promtool(&["check", "rules", file.to_str().expect("a path")], "");
}
