//! The life of a task list by keyboard alone.

use serde_json::json;

use crate::browser::Browser;
use crate::service::{Database, Service};
use crate::web_page::{PASSWORD, READY};

on_both_stores! {
    whole_story_by_keyboard_keeps_the_focus_and_the_policy
}

async fn whole_story_by_keyboard_keeps_the_focus_and_the_policy(database: Database) {
    let service = Service::start(&database).await;
    let browser = Browser::start(&service.url).await;
    browser.open("/").await;
    register(&browser).await;
    add_and_refuse(&browser).await;
    complete_and_undo(&browser).await;
    edit_and_search(&browser).await;
    move_rows(&browser).await;
    delete_and_restore(&browser).await;
    log_out(&browser).await;
    browser.assert_no_faults().await;
}

async fn register(browser: &Browser) {
    browser
        .until("the page asks who it is", "location.hash === '#login'")
        .await;
    browser.tab_to("#login-form a[href='#register']").await;
    browser.press("Enter").await;
    let shown = "document.querySelector('#register-form').checkVisibility()";
    browser.until("the form is shown", shown).await;
    browser.assert_focus().await;
    browser.tab_to("#register-form [name=name]").await;
    browser.type_text("Anna").await;
    browser.press("Tab").await;
    browser.type_text("anna@example.org").await;
    browser.press("Tab").await;
    browser.type_text(PASSWORD).await;
    browser.press("Enter").await;
    browser.until("the list is complete", READY).await;
    browser.assert_focus().await;
}

async fn add_and_refuse(browser: &Browser) {
    browser.press("g").await;
    browser.press("a").await;
    let all = "document.querySelector('a[href=\"#all\"]').getAttribute('aria-current') === 'page'";
    browser.until("All is shown", all).await;
    browser.assert_focus().await;
    browser.press("a").await;
    browser
        .type_text("Watch Tomorrow Never Dies tomorrow #film !high")
        .await;
    for field in ["due", "tags", "priority"] {
        let chip = format!("!!document.querySelector('#add-chips button[data-field={field}]')");
        browser
            .until(&format!("{field} is understood"), &chip)
            .await;
    }
    browser
        .tab_to("#add-chips button[data-field=priority]")
        .await;
    browser.press("Enter").await;
    let refused = "!document.querySelector('#add-chips button[data-field=priority]:not([aria-pressed=true])')";
    browser.until("the priority is refused", refused).await;
    browser.assert_focus().await;
    // A refusal may lead back to the field by itself, where the key would be a letter.
    if browser.eval("document.activeElement.id").await != "add-text" {
        browser.press("a").await;
    }
    browser.press("Enter").await;
    browser.until_shown("Watch Tomorrow Never Dies !high").await;
    let tags = "document.querySelector('.task a.tag').innerText";
    assert_eq!(browser.text(tags).await, "#film");
    let due = "document.querySelector('.task time.due').innerText.toLowerCase()";
    assert_eq!(browser.text(due).await, "tomorrow");
    browser.press("Escape").await;
    browser.add("Call mum").await;
    browser.add("Buy milk").await;
    let all = ["Buy milk", "Call mum", "Watch Tomorrow Never Dies !high"];
    browser.until_titles(&all).await;
    browser.until_sent().await;
    browser.assert_focus().await;
}

async fn complete_and_undo(browser: &Browser) {
    browser.choose("Call mum").await;
    browser.press("x").await;
    browser.until_gone("Call mum").await;
    browser.assert_focus().await;
    let told = "/Call mum/.test(document.querySelector('#live').textContent)";
    browser.until("the completion is told", told).await;
    browser.press("z").await;
    browser.until_shown("Call mum").await;
    browser.assert_focus().await;
    browser.until_sent().await;
}

async fn edit_and_search(browser: &Browser) {
    browser.choose("Call mum").await;
    browser.press("e").await;
    let open = "!!document.activeElement?.closest('#edit')";
    browser.until("the editor is open", open).await;
    browser.tab_to("#edit [name=title]").await;
    browser.replace_text("Call mum on Sunday").await;
    browser.press("Enter").await;
    browser.until_shown("Call mum on Sunday").await;
    browser.assert_focus().await;
    browser.press("/").await;
    let search = "document.activeElement.id === 'search'";
    browser.until("the search has the focus", search).await;
    browser.type_text("MILK").await;
    browser.until_titles(&["Buy milk"]).await;
    browser.press("Escape").await;
    browser.press("g").await;
    browser.press("a").await;
    browser.until_shown("Call mum on Sunday").await;
    browser.until_sent().await;
    browser.assert_focus().await;
}

async fn move_rows(browser: &Browser) {
    browser.choose("Call mum on Sunday").await;
    browser.press("Alt+ArrowUp").await;
    let moved = [
        "Call mum on Sunday",
        "Buy milk",
        "Watch Tomorrow Never Dies !high",
    ];
    browser.until_titles(&moved).await;
    browser.assert_focus().await;
    browser.press("Alt+ArrowDown").await;
    let moved = [
        "Buy milk",
        "Call mum on Sunday",
        "Watch Tomorrow Never Dies !high",
    ];
    browser.until_titles(&moved).await;
    browser.press("Alt+ArrowDown").await;
    let moved = [
        "Buy milk",
        "Watch Tomorrow Never Dies !high",
        "Call mum on Sunday",
    ];
    browser.until_titles(&moved).await;
    browser.until_sent().await;
    browser.reload().await;
    browser.until("the list is complete", READY).await;
    browser.until_titles(&moved).await;
}

async fn delete_and_restore(browser: &Browser) {
    browser.choose("Buy milk").await;
    browser.press("#").await;
    browser.until_gone("Buy milk").await;
    browser.assert_focus().await;
    browser.until_sent().await;
    browser.press("g").await;
    browser.press("t").await;
    let trash = format!("location.hash === {}", json!("#trash"));
    if browser.eval(&trash).await != true {
        browser.tab_to("a[href='#trash']").await;
        browser.press("Enter").await;
    }
    browser.until("the trash is shown", &trash).await;
    browser.until_titles(&["Buy milk"]).await;
    browser.choose("Buy milk").await;
    browser.tab_to(".task .restore").await;
    browser.press("Enter").await;
    browser.until_gone("Buy milk").await;
    browser.assert_focus().await;
    browser.press("g").await;
    browser.press("a").await;
    browser.until_shown("Buy milk").await;
    browser.assert_focus().await;
}

async fn log_out(browser: &Browser) {
    browser.tab_to("#menu-button").await;
    browser.press("Enter").await;
    let open = "document.querySelector('#menu').checkVisibility()";
    browser.until("the menu is open", open).await;
    browser.tab_to("#log-out").await;
    browser.press("Enter").await;
    browser
        .until("the page asks who it is", "location.hash === '#login'")
        .await;
    browser.assert_focus().await;
    let rows = "document.querySelectorAll('#tasks > .task').length === 0";
    browser.until("no task is left on the page", rows).await;
    browser.reload().await;
    browser
        .until("the page asks who it is", "location.hash === '#login'")
        .await;
}
