//! Every view and state of the page, examined by axe.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::browser::{Browser, one};
use crate::service::{Database, Service};
use crate::web_page::{Account, READY};

/// Returns the script of axe, which `scripts/ensure-axe` puts among the builds.
fn axe() -> String {
    let folders = Path::new(env!("CARGO_TARGET_TMPDIR")).ancestors();
    let paths: Vec<PathBuf> = folders.map(|folder| folder.join("axe.js")).collect();
    let path = paths.iter().find(|path| path.is_file());
    let path = path.expect("axe is missing; run scripts/ensure-axe, as `make test-programs` does");
    fs::read_to_string(path).expect("text")
}

/// Asserts that axe finds nothing, in light and in dark, in 320 and in 1,280 px.
async fn assert_accessible(browser: &Browser, axe: &str, state: &str) {
    for width in [1280, 320] {
        browser.resize(width, 800).await;
        for scheme in ["light", "dark"] {
            browser
                .set_media(&[
                    ("prefers-color-scheme", scheme),
                    ("prefers-reduced-motion", "reduce"),
                ])
                .await;
            let findings = findings(browser, axe).await;
            assert!(
                findings.is_empty(),
                "{state}, {scheme}, {width} px:\n{}",
                findings.join("\n")
            );
        }
    }
    browser.resize(1280, 800).await;
}

/// Returns a line for each finding of axe on the present page.
async fn findings(browser: &Browser, axe: &str) -> Vec<String> {
    // The page's policy has no say in what the protocol of the developer tools evaluates.
    if browser.eval("typeof globalThis.axe").await != "object" {
        let loaded = browser
            .cdp(
                "Runtime.evaluate",
                json!({"expression": axe, "silent": false}),
            )
            .await;
        assert_eq!(loaded["exceptionDetails"], Value::Null);
    }
    let run = "new Promise((resolve) => requestAnimationFrame(resolve))
        .then(() => axe.run(document, {resultTypes: ['violations']}))
        .then(({violations}) => JSON.stringify(violations.map(({id, help, nodes}) => ({id, help,
            targets: nodes.map(({target, failureSummary}) => [target, failureSummary])}))))";
    let parameters = json!({"expression": run, "awaitPromise": true, "returnByValue": true});
    let answer = browser.cdp("Runtime.evaluate", parameters).await;
    let text = answer["result"]["value"].as_str();
    let text = text.unwrap_or_else(|| panic!("{answer}"));
    let violations: Vec<Value> = serde_json::from_str(text).expect("JSON");
    violations
        .iter()
        .map(|violation| {
            let (id, help) = (&violation["id"], &violation["help"]);
            format!("{id}: {help}: {:#}", violation["targets"])
        })
        .collect()
}

/// Without this, a test that axe always passes would show nothing.
#[tokio::test]
async fn axe_finds_what_is_not_accessible() {
    let service = Service::start(&Database::sqlite()).await;
    let browser = Browser::start(&service.url).await;
    browser.open("/").await;
    let form = format!("{}.checkVisibility()", one("#login-form"));
    browser.until("the page asks who it is", &form).await;
    browser
        .eval("void document.querySelector('#main').append(document.createElement('button'))")
        .await;
    let found = findings(&browser, &axe()).await;
    assert!(
        found.iter().any(|finding| finding.contains("button-name")),
        "{found:?}"
    );
}

#[tokio::test]
async fn forms_of_strangers_have_no_findings() {
    let axe = axe();
    let service = Service::start(&Database::sqlite()).await;
    let browser = Browser::start(&service.url).await;
    for (hash, form) in [("/#login", "#login-form"), ("/#register", "#register-form")] {
        browser.open(hash).await;
        let shown = format!("{}.checkVisibility()", one(form));
        browser.until("the form is shown", &shown).await;
        assert_accessible(&browser, &axe, form).await;
        browser
            .fill(&format!("{form} [name=email]"), "nobody")
            .await;
        browser
            .fill(&format!("{form} [name=password]"), "short")
            .await;
        browser.press("Enter").await;
        let refused = format!(
            "[...document.querySelectorAll('{form} .error')].some((error) => error.innerText.trim())"
        );
        browser.until("the error is shown", &refused).await;
        assert_accessible(&browser, &axe, &format!("{form} with an error")).await;
    }
}

#[tokio::test]
async fn empty_views_have_no_findings() {
    let axe = axe();
    let service = Service::start(&Database::sqlite()).await;
    let account = Account::register(&service, "anna").await;
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    for hash in [
        "#today",
        "#upcoming",
        "#all",
        "#done",
        "#trash",
        "#tag/home",
        "#search/x",
    ] {
        browser.show(hash).await;
        let empty = format!("{}.checkVisibility()", one("#empty"));
        browser.until("the view is empty", &empty).await;
        assert_accessible(&browser, &axe, hash).await;
    }
}

/// Logs in with a task of every kind.
async fn start_with_tasks(service: &Service) -> (Account, Browser) {
    let account = Account::register(service, "anna").await;
    for body in [
        json!({"title": "Read the paper"}),
        json!({"title": "Pay rent", "due": "2026-01-01", "priority": "high", "tags": ["home", "money"], "repeat": "FREQ=MONTHLY"}),
        json!({"title": "Call mum", "due": "2031-12-01T09:00:00+01:00[Europe/Berlin]", "priority": "low"}),
        json!({"title": "Buy stamps", "priority": "medium", "description": "Two of them"}),
        json!({"title": "Sow tomatoes", "completed": true, "tags": ["home"]}),
    ] {
        account.api.create(body).await;
    }
    let deleted = account.api.create(json!({"title": "Deleted"})).await;
    let path = crate::service::path(&deleted);
    account.api.send(reqwest::Method::DELETE, &path, None).await;
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    (account, browser)
}

#[tokio::test]
async fn views_with_tasks_have_no_findings() {
    let axe = axe();
    let service = Service::start(&Database::sqlite()).await;
    let (_, browser) = start_with_tasks(&service).await;
    for (hash, title) in [
        ("#today", "Pay rent"),
        ("#upcoming", "Call mum"),
        ("#all", "Read the paper"),
        ("#done", "Sow tomatoes"),
        ("#trash", "Deleted"),
        ("#tag/home", "Pay rent"),
        ("#search/rent", "Pay rent"),
    ] {
        browser.show(hash).await;
        browser.until_shown(title).await;
        assert_accessible(&browser, &axe, hash).await;
    }
    browser.show("#account").await;
    browser.fill("#token-form [name=name]", "laptop").await;
    browser.press("Enter").await;
    let secret = format!("{}.checkVisibility()", one(".secret"));
    browser.until("the token is shown", &secret).await;
    assert_accessible(&browser, &axe, "#account").await;
}

#[tokio::test]
async fn dialogs_and_notices_have_no_findings() {
    let axe = axe();
    let service = Service::start(&Database::sqlite()).await;
    let (_, browser) = start_with_tasks(&service).await;
    browser.show("#all").await;

    browser.choose("Pay rent").await;
    browser.press("e").await;
    browser
        .until("the editor is open", &format!("{}.open", one("#editor")))
        .await;
    assert_accessible(&browser, &axe, "the editor").await;
    browser.fill("#edit [name=title]", "").await;
    browser.press("Enter").await;
    let refused = "!!document.querySelector('#edit [aria-invalid=true]')";
    browser.until("the error is shown", refused).await;
    assert_accessible(&browser, &axe, "the editor with an error").await;
    browser.click("#edit [name=history]").await;
    browser
        .until(
            "the history is open",
            "document.querySelectorAll('#history li').length > 0",
        )
        .await;
    assert_accessible(&browser, &axe, "the history").await;
    browser.press("Escape").await;
    browser.press("Escape").await;
    let closed = "!document.querySelector('dialog[open]')";
    browser.until("no dialog is open", closed).await;

    browser.press("?").await;
    browser
        .until("the keys are shown", &format!("{}.open", one("#help")))
        .await;
    assert_accessible(&browser, &axe, "the keys").await;
    browser.press("Escape").await;
    browser.until("no dialog is open", closed).await;

    browser.click("#menu-button").await;
    browser
        .until(
            "the menu is open",
            &format!("{}.checkVisibility()", one("#menu")),
        )
        .await;
    assert_accessible(&browser, &axe, "the menu").await;
    browser.press("Escape").await;

    browser.press("a").await;
    browser.type_text("Buy milk tomorrow #home !high").await;
    let chips = "document.querySelectorAll('#add-chips button').length >= 3";
    browser.until("the chips are shown", chips).await;
    assert_accessible(&browser, &axe, "the chips").await;
    browser.press("Enter").await;
    browser.until_shown("Buy milk").await;
    let toast = "!!document.querySelector('.toast button')";
    browser.until("undo is offered", toast).await;
    assert_accessible(&browser, &axe, "a notice").await;

    browser.show("#trash").await;
    browser.until_shown("Deleted").await;
    browser.click("#empty-trash").await;
    browser
        .until("the page asks", &format!("{}.open", one("#confirm")))
        .await;
    assert_accessible(&browser, &axe, "a question").await;
}

/// The state while changes wait, after which two versions are in conflict.
#[tokio::test]
async fn waiting_changes_and_conflicts_have_no_findings() {
    let axe = axe();
    let service = Service::start(&Database::sqlite()).await;
    let account = Account::register(&service, "anna").await;
    let browser = Browser::start(&service.url).await;
    crate::web_page::conflicts::conflict(&browser, &account).await;
    assert_accessible(&browser, &axe, "the conflict").await;
    browser.click("#conflict [value=theirs]").await;
    let closed = "!document.querySelector('dialog[open]')";
    browser.until("no dialog is open", closed).await;
    service.kill();
    browser.add("Buy milk").await;
    browser
        .until("the row waits", "!!document.querySelector('.task.waiting')")
        .await;
    let told = format!("!!{}.innerText.trim()", one("#status"));
    browser.until("the page says that it waits", &told).await;
    assert_accessible(&browser, &axe, "a waiting change").await;
    browser.show("#trash").await;
    browser
        .until(
            "the trash needs the service",
            &format!("{}.checkVisibility()", one("#empty")),
        )
        .await;
    assert_accessible(&browser, &axe, "the trash without the service").await;
    let ready = browser.eval(READY).await;
    assert_eq!(ready, true);
}
