//! Addresses, and the browser's own ways through them.

use serde_json::json;

use crate::browser::{Browser, one};
use crate::service::{Database, Service};
use crate::web_page::{Account, READY};

/// Waits until the page is at this address and shows the list.
async fn until_at(browser: &Browser, hash: &str) {
    let at = format!("location.hash === {} && {READY}", json!(hash));
    browser.until(&format!("{hash} is shown"), &at).await;
}

#[tokio::test]
async fn back_forward_and_reload_lead_through_the_views() {
    let service = Service::start(&Database::sqlite()).await;
    let account = Account::register(&service, "anna").await;
    account
        .api
        .create(json!({"title": "open", "tags": ["home"]}))
        .await;
    account
        .api
        .create(json!({"title": "completed", "completed": true}))
        .await;
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    browser.click("a[href='#all']").await;
    until_at(&browser, "#all").await;
    browser.until_titles(&["open"]).await;
    browser.click("a[href='#done']").await;
    until_at(&browser, "#done").await;
    browser.until_titles(&["completed"]).await;
    let current = format!(
        "{}.getAttribute('aria-current') === 'page'",
        one("a[href='#done']")
    );
    browser.until("the link is the current one", &current).await;
    browser.back().await;
    until_at(&browser, "#all").await;
    browser.until_titles(&["open"]).await;
    browser.click(".task a.tag").await;
    until_at(&browser, "#tag/home").await;
    browser.until_titles(&["open"]).await;
    browser.reload().await;
    until_at(&browser, "#tag/home").await;
    browser.until_titles(&["open"]).await;
    browser.back().await;
    until_at(&browser, "#all").await;
    browser.forward().await;
    until_at(&browser, "#tag/home").await;
    browser.assert_no_faults().await;
}

#[tokio::test]
async fn deep_links_open_their_view_and_their_task() {
    let service = Service::start(&Database::sqlite()).await;
    let account = Account::register(&service, "anna").await;
    let task = account
        .api
        .create(json!({"title": "open", "tags": ["home & garden/ß"]}))
        .await;
    account
        .api
        .create(json!({"title": "completed", "completed": true}))
        .await;
    account
        .api
        .create(json!({"title": "due", "due": "2026-01-02"}))
        .await;
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    for (address, titles) in [
        ("/#done", ["completed"].as_slice()),
        ("/#all", &["due", "open"]),
        ("/#today", &["due"]),
        ("/#tag/home%20%26%20garden%2F%C3%9F", &["open"]),
        ("/#search/OPEN", &["open"]),
        // Something is overdue, so that the first view is Today.
        ("/", &["due"]),
    ] {
        browser.leave().await;
        browser.open(address).await;
        browser.until("the list is complete", READY).await;
        browser.until_titles(titles).await;
    }
    let id = task["id"].as_str().expect("an id");
    browser.leave().await;
    browser.open(&format!("/#task/{id}")).await;
    let open = format!(
        "{}.open && document.querySelector('#edit [name=title]').value === 'open'",
        one("#editor")
    );
    browser.until("the editor of the task is open", &open).await;
    browser.press("Escape").await;
    let closed = format!(
        "!{}.open && !location.hash.startsWith('#task')",
        one("#editor")
    );
    browser.until("the view below is shown", &closed).await;
    browser.assert_focus().await;
    browser.leave().await;
    browser
        .open("/#task/00000000-0000-7000-8000-000000000000")
        .await;
    browser.until("the list is complete", READY).await;
    browser.assert_no_faults().await;
}

/// A date is a date in every zone.
#[tokio::test]
async fn due_date_is_the_same_day_in_every_time_zone() {
    let service = Service::start(&Database::sqlite()).await;
    let account = Account::register(&service, "anna").await;
    account
        .api
        .create(json!({"title": "due", "due": "2031-12-24"}))
        .await;
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    for zone in ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin"] {
        browser
            .cdp("Emulation.setTimezoneOverride", json!({"timezoneId": zone}))
            .await;
        browser.reload().await;
        browser.until("the list is complete", READY).await;
        browser.show("#all").await;
        let due = browser
            .text("document.querySelector('time.due').innerText")
            .await;
        assert!(due.contains("24"), "{zone}: {due}");
    }
}
