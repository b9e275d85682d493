//! Actions by pointer: a row is dragged, the editor is filled in, and the button of a notice undoes a change.

use serde_json::json;

use crate::browser::{Browser, one};
use crate::service::{Database, Service};
use crate::web_page::Account;

/// The button that takes back what the last notice tells.
const UNDO: &str = "#toasts .toast:last-child .undo";

#[tokio::test]
async fn dragged_row_is_moved_and_taken_back() {
    let service = Service::start(&Database::sqlite()).await;
    let account = Account::register(&service, "anna").await;
    account.create(&["first", "second", "third"]).await;
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    browser.show("#all").await;
    browser.until_titles(&["first", "second", "third"]).await;

    let grip = |row: u8| format!("#tasks > .task:nth-child({row}) .grip");
    browser.drag(&grip(1), &grip(3)).await;
    browser.until_titles(&["second", "third", "first"]).await;
    browser.until_sent().await;
    assert_eq!(account.titles().await, ["second", "third", "first"]);
    browser.click(UNDO).await;
    browser.until_titles(&["first", "second", "third"]).await;
    browser.until_sent().await;
    assert_eq!(account.titles().await, ["first", "second", "third"]);
    browser.assert_no_faults().await;
}

#[tokio::test]
async fn details_are_set_in_the_editor_and_taken_back() {
    let service = Service::start(&Database::sqlite()).await;
    let account = Account::register(&service, "anna").await;
    let before = account.create(&["Pay the rent"]).await;
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    browser.show("#all").await;
    browser.click("#tasks .task button.title").await;
    for (field, value) in [
        ("due", "2099-12-31"),
        ("repeat", "FREQ=MONTHLY"),
        ("priority", "high"),
        ("tags", "home, #Money"),
    ] {
        let field = format!("#edit [name={field}]");
        browser
            .until(
                "the editor is open",
                &format!("{}.checkVisibility()", one(&field)),
            )
            .await;
        let set = format!(
            "(field => {{ field.value = {}; field.dispatchEvent(new Event('input', {{bubbles: true}})); }})({})",
            json!(value),
            one(&field)
        );
        browser.eval(&set).await;
    }
    browser.click("#edit button.main").await;
    let shown = "/#home.*#Money/s.test(document.querySelector('#tasks .task').innerText)";
    browser.until("the row has the tags", shown).await;
    browser.until_sent().await;
    let task = account.api.tasks().await.remove(0);
    for (member, value) in [
        ("due", json!("2099-12-31")),
        ("repeat", json!("FREQ=MONTHLY")),
        ("priority", json!("high")),
        ("tags", json!(["home", "Money"])),
    ] {
        assert_eq!(task[member], value, "{task}");
    }
    browser.click(UNDO).await;
    browser
        .until(
            "the tags are gone",
            "!document.querySelector('#tasks .tag')",
        )
        .await;
    browser.until_sent().await;
    let task = account.api.tasks().await.remove(0);
    for member in ["title", "due", "repeat", "priority", "tags"] {
        assert_eq!(task[member], before[0][member], "{task}");
    }
    browser.assert_no_faults().await;
}

#[tokio::test]
async fn hidden_page_reads_no_stream() {
    let service = Service::start(&Database::sqlite()).await;
    let account = Account::register(&service, "anna").await;
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    let streams = async |expected: u8| {
        crate::service::eventually("the streams are open or closed", async || {
            let metrics = service.text("/metrics").await;
            let open = format!("taskhold_change_streams_open {expected}");
            metrics.lines().any(|line| line == open).then_some(())
        })
        .await;
    };
    streams(1).await;
    let page = browser.open_tab().await;
    streams(0).await;
    account.create(&["Buy milk"]).await;
    browser.switch_to(page).await;
    browser.cdp("Page.bringToFront", json!({})).await;
    browser.until_shown("Buy milk").await;
    streams(1).await;
    browser.assert_no_faults().await;
}
