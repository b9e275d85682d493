//! The table of keys: what the help lists is what the keys do.

use serde_json::json;

use crate::browser::{Browser, one};
use crate::service::{Database, Service};
use crate::web_page::Account;

/// A row of the help: the name of the binding, and its keys one after the other.
struct Row {
    id: String,
    keys: Vec<String>,
}

/// Opens the help by its key, and returns its rows.
async fn read_help(browser: &Browser) -> Vec<Row> {
    browser.press("?").await;
    let open = format!("{}.open", one("#help"));
    browser.until("the help is open", &open).await;
    browser.assert_focus().await;
    let rows = "[...document.querySelectorAll('#help tbody tr')].map((row) =>
        [row.dataset.id, row.querySelector('td').innerText, row.querySelector('th').innerText])";
    let rows = browser.eval(rows).await;
    browser.press("Escape").await;
    browser
        .until("the help is closed", &format!("!({open})"))
        .await;
    let rows = rows.as_array().expect("rows").iter().map(|row| {
        let keys = named(row[1].as_str().expect("keys"));
        assert!(!keys.is_empty(), "{row}");
        assert_ne!(row[2], "", "{row}");
        let id = row[0].as_str().expect("an id").to_owned();
        Row { id, keys }
    });
    rows.collect()
}

/// Returns the names of the keys that the help shows: with Alt held, or one after the other.
fn named(shown: &str) -> Vec<String> {
    let name = |word: &str| match word {
        "↑" => "ArrowUp".to_owned(),
        "↓" => "ArrowDown".to_owned(),
        word => word.to_owned(),
    };
    if let Some(key) = shown.strip_prefix("Alt ") {
        return vec![format!("Alt+{}", name(key.trim()))];
    }
    shown.split_whitespace().map(name).collect()
}

async fn press(browser: &Browser, row: &Row) {
    for key in &row.keys {
        browser.press(key).await;
    }
}

/// Waits until a row with this title has the focus.
async fn until_current(browser: &Browser, title: &str) {
    let current = format!(
        "document.activeElement?.closest('.task')?.querySelector('.title')?.innerText.trim() === {}",
        json!(title)
    );
    browser
        .until(&format!("{title} has the focus"), &current)
        .await;
}

#[tokio::test]
async fn every_key_of_the_help_does_what_it_says() {
    let service = Service::start(&Database::sqlite()).await;
    let account = Account::register(&service, "anna").await;
    account.create(&["first", "second", "third"]).await;
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    browser.show("#all").await;
    browser.until_titles(&["first", "second", "third"]).await;
    let table = read_help(&browser).await;
    assert!(table.len() >= 15, "{} keys", table.len());
    for row in &table {
        browser.show("#all").await;
        browser.until_titles(&["first", "second", "third"]).await;
        browser.press("Escape").await;
        let known = leads_to_view(&browser, row).await
            || moves_focus(&browser, row).await
            || changes_task(&browser, row).await;
        assert!(known, "no test knows the key {:?} for {}", row.keys, row.id);
        browser.assert_focus().await;
    }
    browser.assert_no_faults().await;
}

/// Tries a key that opens a view. Returns `false` for other keys.
async fn leads_to_view(browser: &Browser, row: &Row) -> bool {
    let views = ["today", "upcoming", "all", "done", "trash", "account"];
    if !views.contains(&row.id.as_str()) {
        return false;
    }
    let other = if row.id == "all" { "#done" } else { "#all" };
    browser.show(other).await;
    browser.until_route(other).await;
    press(browser, row).await;
    browser.until_route(&format!("#{}", row.id)).await;
    true
}

/// Tries a key that moves the focus or opens something. Returns `false` for other keys.
async fn moves_focus(browser: &Browser, row: &Row) -> bool {
    match row.id.as_str() {
        "add" | "search" => {
            press(browser, row).await;
            let field = if row.id == "add" {
                "add-text"
            } else {
                "search"
            };
            let focused = format!("document.activeElement.id === '{field}'");
            browser.until("the field has the focus", &focused).await;
        }
        "down" => {
            browser.choose("first").await;
            press(browser, row).await;
            until_current(browser, "second").await;
        }
        "up" => {
            browser.choose("third").await;
            press(browser, row).await;
            until_current(browser, "second").await;
        }
        "menu" => {
            press(browser, row).await;
            let open = "document.querySelector('#menu').matches(':popover-open')";
            browser.until("the menu is open", open).await;
            browser.press("Escape").await;
            browser
                .until("the menu is closed", &format!("!{open}"))
                .await;
        }
        "help" => {
            press(browser, row).await;
            let open = format!("{}.open", one("#help"));
            browser.until("the help is open", &open).await;
            browser.press("Escape").await;
            browser
                .until("the help is closed", &format!("!({open})"))
                .await;
        }
        "list" => {
            browser.press("/").await;
            press(browser, row).await;
            let in_list = "!!document.activeElement?.closest('#tasks')";
            browser.until("the list has the focus", in_list).await;
        }
        _ => return false,
    }
    true
}

/// Tries a key that changes the second task, and takes the change back. Returns `false` for other keys.
async fn changes_task(browser: &Browser, row: &Row) -> bool {
    match row.id.as_str() {
        "complete" | "delete" => {
            browser.choose("second").await;
            press(browser, row).await;
            browser.until_titles(&["first", "third"]).await;
            browser.press("z").await;
        }
        "undo" => {
            browser.choose("second").await;
            browser.press("x").await;
            browser.until_titles(&["first", "third"]).await;
            press(browser, row).await;
        }
        "edit" => {
            browser.choose("second").await;
            press(browser, row).await;
            let open = "document.querySelector('#edit [name=title]').checkVisibility()
                && document.querySelector('#edit [name=title]').value === 'second'";
            browser.until("the editor is open", open).await;
            browser.press("Escape").await;
            browser
                .until("the editor is closed", &format!("!{}.open", one("#editor")))
                .await;
        }
        "restore" => {
            browser.choose("second").await;
            browser.press("#").await;
            browser.until_titles(&["first", "third"]).await;
            browser.until_sent().await;
            browser.show("#trash").await;
            browser.until_titles(&["second"]).await;
            browser.choose("second").await;
            press(browser, row).await;
            browser.until_titles(&[]).await;
            browser.show("#all").await;
        }
        "move-up" => {
            browser.choose("second").await;
            press(browser, row).await;
            browser.until_titles(&["second", "first", "third"]).await;
            browser.press("z").await;
        }
        "move-down" => {
            browser.choose("second").await;
            press(browser, row).await;
            browser.until_titles(&["first", "third", "second"]).await;
            browser.press("z").await;
        }
        _ => return false,
    }
    browser.until_titles(&["first", "second", "third"]).await;
    browser.until_sent().await;
    true
}

/// A letter that is typed is a letter, and no key of the table.
#[tokio::test]
async fn keys_are_letters_in_fields_and_off_if_the_person_says_so() {
    let service = Service::start(&Database::sqlite()).await;
    let account = Account::register(&service, "anna").await;
    account.create(&["first", "second"]).await;
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    browser.show("#all").await;
    browser.choose("first").await;
    browser.press("a").await;
    browser.type_text("x#jke?/z").await;
    let typed = browser
        .text("document.querySelector('#add-text').value")
        .await;
    assert_eq!(typed, "x#jke?/z");
    browser.replace_text("").await;
    browser.press("Escape").await;
    browser.until_titles(&["first", "second"]).await;

    browser.press("?").await;
    browser.tab_to("#keys-on").await;
    browser.press("Space").await;
    browser.press("Escape").await;
    browser
        .until("the help is closed", &format!("!{}.open", one("#help")))
        .await;
    browser
        .eval("void document.querySelector('#tasks [tabindex=\"0\"]').focus()")
        .await;
    browser.press("x").await;
    browser.press("ArrowDown").await;
    until_current(&browser, "second").await;
    browser.until_titles(&["first", "second"]).await;
    assert_eq!(account.titles().await.len(), 2);
    let tasks = account.api.tasks().await;
    assert!(
        tasks.iter().all(|task| task["completed"] == false),
        "{tasks:?}"
    );
    browser.assert_no_faults().await;
}

/// A key that is held repeats faster than a move is stored.
#[tokio::test]
async fn moves_in_quick_succession_are_all_made() {
    let service = Service::start(&Database::sqlite()).await;
    let account = Account::register(&service, "anna").await;
    account
        .create(&["first", "second", "third", "fourth"])
        .await;
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    browser.show("#all").await;
    browser.choose("first").await;
    for _ in 0..3 {
        browser.press("Alt+ArrowDown").await;
    }
    let moved = ["second", "third", "fourth", "first"];
    browser.until_titles(&moved).await;
    until_current(&browser, "first").await;
    browser.until_sent().await;
    assert_eq!(account.titles().await, moved);
    browser.assert_no_faults().await;
}
