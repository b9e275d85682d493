//! Several browsers and several windows of one account.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::browser::{Browser, one};
use crate::service::{Database, Service, eventually};
use crate::web_page::{Account, READY};

on_both_stores! {
    change_in_one_browser_appears_in_another_within_two_seconds
}

async fn change_in_one_browser_appears_in_another_within_two_seconds(database: Database) {
    let service = Service::start(&database).await;
    let account = Account::register(&service, "anna").await;
    account.create(&["Buy milk", "Call mum"]).await;
    let browser = Browser::start(&service.url).await;
    let other = browser.another().await;
    for each in [&browser, &other] {
        each.log_in(&account).await;
        each.until_titles(&["Buy milk", "Call mum"]).await;
    }
    let mut times = Vec::new();
    browser.add("Water the plants").await;
    times.push(until_within_two_seconds(&other, "Water the plants", true).await);
    other.choose("Buy milk").await;
    other.press("x").await;
    times.push(until_within_two_seconds(&browser, "Buy milk", false).await);
    browser.choose("Call mum").await;
    browser.press("#").await;
    times.push(until_within_two_seconds(&other, "Call mum", false).await);
    println!("changes of another browser appeared after {times:?} (at most 2 s)");
    for each in [&browser, &other] {
        each.assert_no_faults().await;
    }
}

/// Waits until a row is shown or gone, and returns how long that took.
async fn until_within_two_seconds(browser: &Browser, title: &str, is_shown: bool) -> Duration {
    let from = Instant::now();
    let rows = "[...document.querySelectorAll('#tasks > .task .title')].map((title) => title.innerText.trim())";
    let changed = format!("{rows}.includes({}) === {is_shown}", json!(title));
    let limit = Duration::from_secs(2);
    browser
        .until_within(limit, &format!("{title} changes"), &changed)
        .await;
    from.elapsed()
}

/// Returns how many requests of a route the service has answered.
async fn answered(service: &Service, route: &str) -> u64 {
    let metrics = service.text("/metrics").await;
    let of_route = format!("route=\"{route}\"");
    metrics
        .lines()
        .filter(|line| {
            line.starts_with("taskhold_http_request_duration_seconds_count")
                && line.contains(&of_route)
        })
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok())
        .sum()
}

#[tokio::test]
async fn windows_of_a_browser_share_the_session_and_the_stream() {
    let service = Service::start(&Database::sqlite()).await;
    let account = Account::register(&service, "anna").await;
    account.create(&["Buy milk"]).await;
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    browser.until_titles(&["Buy milk"]).await;
    let refresh = "/api/auth/refresh";
    let before = answered(&service, refresh).await;
    let first = browser.open_window().await;
    browser.open("/#all").await;
    browser.until("the list is complete", READY).await;
    browser.until_titles(&["Buy milk"]).await;
    let after = answered(&service, refresh).await;
    assert!(
        after <= before + 1,
        "two windows refreshed {} times",
        after - before
    );

    // The change of another device reaches both, although there is one stream.
    account.api.create(json!({"title": "Call mum"})).await;
    browser.until_shown("Call mum").await;
    let streams = "taskhold_change_streams_open";
    let metrics = service.text("/metrics").await;
    let open: Vec<_> = metrics
        .lines()
        .filter(|line| line.starts_with(streams))
        .collect();
    assert_eq!(open.len(), 1, "{metrics}");
    assert!(open[0].ends_with(" 1"), "{open:?}");
    browser.switch_to(first).await;
    browser.until_shown("Call mum").await;

    // A task that one window adds appears in the other.
    browser.add("Water the plants").await;
    browser.until_sent().await;
    browser.assert_no_faults().await;
}

/// With several instances, another one may answer from a replica that lags behind.
#[tokio::test]
async fn reopened_page_names_its_last_write_when_it_reads() {
    let service = Service::start(&Database::sqlite()).await;
    let account = Account::register(&service, "anna").await;
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    browser.add("Water the plants").await;
    browser.until_shown("Water the plants").await;
    browser.until_sent().await;
    let changes = account.api.get("/api/v1/changes").await;
    let record = "const send = fetch; window.named = [];
         window.fetch = (url, options) => {
           if (String(url).includes('/api/v1/')) named.push(options.headers.get('Change-Seq'));
           return send(url, options);
         };";
    browser
        .cdp(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({"source": record}),
        )
        .await;
    browser.reload().await;
    browser.until("the page reads", "named.length > 0").await;
    let named = browser.eval("named").await;
    let last = changes.header("change-seq");
    let named = named.as_array().expect("a list");
    assert!(named.iter().all(|seq| seq == last), "{last}: {named:?}");
    browser.assert_no_faults().await;
}

#[tokio::test]
async fn logout_in_one_window_logs_the_other_out() {
    let service = Service::start(&Database::sqlite()).await;
    let account = Account::register(&service, "anna").await;
    account.create(&["Buy milk"]).await;
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    let first = browser.open_window().await;
    browser.open("/#all").await;
    browser.until_titles(&["Buy milk"]).await;
    browser.click("#menu-button").await;
    browser.click("#log-out").await;
    let out = format!("{}.checkVisibility()", one("#login-form"));
    browser.until("the page asks who it is", &out).await;
    browser.switch_to(first).await;
    browser.until("the other window asks, too", &out).await;
    browser.until_titles(&[]).await;
    let kept = "indexedDB.databases().then((all) => all.length === 0)";
    browser.until("the device keeps no task", kept).await;
    let ended = eventually("the login is ended", async || {
        let sessions = service.client(&account.id).get("/api/auth/sessions").await;
        sessions.body["sessions"]
            .as_array()
            .filter(|list| list.len() <= 1)
            .map(Vec::len)
    });
    ended.await;
}
