//! Changes of the same task on two devices.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::service::{Database, Service, eventually, path};
use crate::web_page::Account;
use reqwest::Method;

on_both_stores! {
    conflicting_edit_shows_both_and_mine_wins_if_chosen
    conflicting_edit_shows_both_and_theirs_wins_if_chosen
    conflict_waits_for_the_choice_over_a_reload
}

/// Opens the editor of a task, whose title and description the API then changes, and saves another title.
pub async fn conflict(browser: &Browser, account: &Account) -> Value {
    let task = account.create(&["Buy milk"]).await.remove(0);
    browser.log_in(account).await;
    browser.choose("Buy milk").await;
    browser.press("e").await;
    let open = "!!document.activeElement?.closest('#edit')";
    browser.until("the editor is open", open).await;
    browser.tab_to("#edit [name=title]").await;
    browser.replace_text("Buy oat milk").await;

    let theirs = json!({"title": "Buy soy milk", "description": "2 litres"});
    let answer = account
        .api
        .send(Method::PATCH, &path(&task), Some(theirs))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    // The change arrives by the stream, and must not replace what is typed.
    let arrived = "document.querySelector('#tasks').innerText.includes('Buy soy milk')";
    browser.until("the other change arrives", arrived).await;
    let typed = browser
        .text("document.querySelector('#edit [name=title]').value")
        .await;
    assert_eq!(typed, "Buy oat milk");

    browser.press("Enter").await;
    let both = "document.querySelector('#conflict').open
        && document.querySelector('#conflict .mine').innerText.includes('Buy oat milk')
        && document.querySelector('#conflict .theirs').innerText.includes('Buy soy milk')";
    browser.until("both versions are shown", both).await;
    browser.assert_focus().await;
    let stored = account.api.get(&path(&task)).await.body["task"].clone();
    assert_eq!(
        stored["title"], "Buy soy milk",
        "nothing is overwritten before the choice"
    );
    task
}

/// Waits until the title of a task is stored, and asserts that the page shows it.
async fn assert_ends_as(browser: &Browser, account: &Account, task: &Value, title: &str) {
    let stored = eventually("the choice is stored", async || {
        let task = account.api.get(&path(task)).await.body["task"].clone();
        (task["title"] == title).then_some(task)
    });
    let stored = stored.await;
    assert_eq!(stored["description"], "2 litres");
    browser.until_titles(&[title]).await;
    let closed = "!document.querySelector('dialog[open]')";
    browser.until("no dialog is open", closed).await;
    browser.until_sent().await;
    browser.assert_focus().await;
    browser.assert_no_faults().await;
}

async fn conflicting_edit_shows_both_and_mine_wins_if_chosen(database: Database) {
    let service = Service::start(&database).await;
    let account = Account::register(&service, "anna").await;
    let browser = Browser::start(&service.url).await;
    let task = conflict(&browser, &account).await;
    browser.tab_to("#conflict [value=mine]").await;
    browser.press("Enter").await;
    assert_ends_as(&browser, &account, &task, "Buy oat milk").await;
}

async fn conflicting_edit_shows_both_and_theirs_wins_if_chosen(database: Database) {
    let service = Service::start(&database).await;
    let account = Account::register(&service, "anna").await;
    let browser = Browser::start(&service.url).await;
    let task = conflict(&browser, &account).await;
    browser.tab_to("#conflict [value=theirs]").await;
    browser.press("Enter").await;
    assert_ends_as(&browser, &account, &task, "Buy soy milk").await;
    let history = format!("{}/history", path(&task));
    let history = account.api.get(&history).await.body["history"].clone();
    let changes = history.as_array().map(Vec::len);
    assert_eq!(
        changes,
        Some(2),
        "created and changed by the API alone: {history}"
    );
}

async fn conflict_waits_for_the_choice_over_a_reload(database: Database) {
    let service = Service::start(&database).await;
    let account = Account::register(&service, "anna").await;
    let browser = Browser::start(&service.url).await;
    let task = conflict(&browser, &account).await;
    browser.reload().await;
    browser.until_shown("Buy oat milk").await;
    if browser
        .eval("document.querySelector('#conflict').open")
        .await
        != true
    {
        browser.click("#toasts button, #status button").await;
    }
    let both = "document.querySelector('#conflict').open
        && document.querySelector('#conflict .mine').innerText.includes('Buy oat milk')
        && document.querySelector('#conflict .theirs').innerText.includes('Buy soy milk')";
    browser.until("both versions are shown again", both).await;
    browser.click("#conflict [value=mine]").await;
    assert_ends_as(&browser, &account, &task, "Buy oat milk").await;
}
