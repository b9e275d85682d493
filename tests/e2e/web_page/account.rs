//! The account: data in and out, tokens, password, and its end.

use std::fs;

use serde_json::json;

use crate::browser::{Browser, one};
use crate::service::{Database, Service, eventually};
use crate::web_page::{Account, PASSWORD, READY};

on_both_stores! {
    console_file_is_checked_and_then_imported
    account_is_deleted_after_its_password
}

/// Logs in, and opens the page of the account.
async fn open_account(service: &Service, account: &Account) -> Browser {
    let browser = Browser::start(&service.url).await;
    browser.log_in(account).await;
    browser.eval("void (location.hash = '#account')").await;
    let shown = format!("{}.checkVisibility()", one("#account-view"));
    browser.until("the account is shown", &shown).await;
    browser
}

async fn console_file_is_checked_and_then_imported(database: Database) {
    let service = Service::start(&database).await;
    let account = Account::register(&service, "anna").await;
    let task = |id: u32, title: &str| {
        json!({"id": id, "title": title, "description": "", "completed": false, "user_id": "default_user",
            "created_at": "2026-01-01T00:00:00", "updated_at": "2026-01-01T00:00:00"})
    };
    let rows = json!([task(1, "Buy milk"), task(2, "Call mum"), task(3, "")]);
    let file = database.folder.path().join("tasks.json");
    fs::write(&file, rows.to_string()).expect("written");
    let browser = open_account(&service, &account).await;
    browser.choose_file("#import-form [name=file]", &file).await;
    browser.click("#import-form [value=check]").await;
    let report = one("#import-form .report");
    let checked = format!("/2/.test({report}.innerText) && /title/i.test({report}.innerText)");
    browser.until("the file is checked", &checked).await;
    assert!(account.titles().await.is_empty(), "a check imports nothing");
    browser.click("#import-form [value=import]").await;
    let imported = format!("/imported: 2/i.test({report}.innerText)");
    browser.until("the file is imported", &imported).await;
    assert_eq!(account.titles().await.len(), 2);
    browser.show("#all").await;
    browser.until_shown("Buy milk").await;
    browser.until_shown("Call mum").await;
    browser.assert_no_faults().await;
}

#[tokio::test]
async fn file_that_is_no_list_of_tasks_is_refused_with_a_reason() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let account = Account::register(&service, "anna").await;
    let file = database.folder.path().join("tasks.json");
    fs::write(&file, "<p>no tasks</p>").expect("written");
    let browser = open_account(&service, &account).await;
    browser.choose_file("#import-form [name=file]", &file).await;
    browser.click("#import-form [value=check]").await;
    let refused = format!("{}.innerText.length > 10", one("#import-form .error"));
    browser.until("the file is refused", &refused).await;
    assert!(account.titles().await.is_empty());
    browser.assert_no_faults().await;
}

#[tokio::test]
async fn exported_files_hold_every_task() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let account = Account::register(&service, "anna").await;
    account.create(&["Buy milk", "Call mum"]).await;
    let browser = open_account(&service, &account).await;
    let downloads = database.folder.path().join("downloads");
    fs::create_dir(&downloads).expect("a folder");
    let behavior = json!({"behavior": "allow", "downloadPath": downloads, "eventsEnabled": false});
    browser.cdp("Browser.setDownloadBehavior", behavior).await;
    for format in ["ndjson", "console"] {
        browser.click(&format!("[data-export={format}]")).await;
        // Chromium creates the file before it writes into it, and under another name at first.
        let file = eventually("the file has every task", async || {
            let entries = fs::read_dir(&downloads).expect("a folder");
            let mut paths = entries.map(|entry| entry.expect("an entry").path());
            let path = paths.find(|path| {
                path.extension()
                    .is_some_and(|name| name != "crdownload" && name != "tmp")
            })?;
            let text = fs::read_to_string(&path).ok()?;
            (text.contains("Buy milk") && text.contains("Call mum")).then_some(path)
        })
        .await;
        fs::remove_file(file).expect("removed");
    }
    browser.assert_no_faults().await;
}

#[tokio::test]
async fn token_is_shown_once_and_revoked() {
    let service = Service::start(&Database::sqlite()).await;
    let account = Account::register(&service, "anna").await;
    account.create(&["Buy milk"]).await;
    let browser = open_account(&service, &account).await;
    browser.fill("#token-form [name=name]", "laptop").await;
    browser.press("Enter").await;
    let secret = format!(
        "{}.checkVisibility() && {}.value",
        one(".secret"),
        one(".secret input")
    );
    let token = browser.until("the token is shown", &secret).await;
    let token = token.as_str().expect("a token").to_owned();
    let program = service.client_with(Some(token.clone()));
    assert_eq!(program.tasks().await.len(), 1);
    let listed = format!("{}.innerText.includes('laptop')", one("#tokens"));
    browser.until("the token is listed", &listed).await;
    browser.reload().await;
    browser.until("the token is still listed", &listed).await;
    let hidden = format!(
        "!document.documentElement.innerHTML.includes({})",
        json!(token)
    );
    browser.until("the token is not shown again", &hidden).await;
    browser.click("#tokens button").await;
    confirm(&browser).await;
    browser
        .until("the token is gone", &format!("!({listed})"))
        .await;
    assert_eq!(program.get("/api/v1/tasks").await.status, 401);
    browser.assert_no_faults().await;
}

/// Confirms, if the page asks.
async fn confirm(browser: &Browser) {
    let asked = format!("{}.open", one("#confirm"));
    if browser.eval(&asked).await == true {
        browser.click("#confirm [value=yes]").await;
    }
}

#[tokio::test]
async fn changed_password_replaces_the_old_one_and_the_page_goes_on() {
    let service = Service::start(&Database::sqlite()).await;
    let account = Account::register(&service, "anna").await;
    let browser = open_account(&service, &account).await;
    browser
        .fill("#password-form [name=current_password]", "a wrong one")
        .await;
    browser
        .fill(
            "#password-form [name=new_password]",
            "another horse battery",
        )
        .await;
    browser.press("Enter").await;
    let refused = "[...document.querySelectorAll('#password-form .error')].some((error) => error.innerText.trim())";
    browser.until("a wrong password is refused", refused).await;
    browser
        .fill("#password-form [name=current_password]", PASSWORD)
        .await;
    browser
        .fill(
            "#password-form [name=new_password]",
            "another horse battery",
        )
        .await;
    browser.press("Enter").await;
    let anonymous = service.client_with(None);
    let body = json!({"email": account.email, "password": "another horse battery"});
    let changed = eventually("the password is changed", async || {
        let answer = anonymous.post("/api/auth/login", body.clone()).await;
        (answer.status == 200).then_some(())
    });
    changed.await;
    browser.show("#all").await;
    browser.add("Buy milk").await;
    browser.until_shown("Buy milk").await;
    browser.until_sent().await;
    browser.reload().await;
    browser.until("the list is complete", READY).await;
    browser.until_shown("Buy milk").await;
    browser.assert_no_faults().await;
}

async fn account_is_deleted_after_its_password(database: Database) {
    let service = Service::start(&database).await;
    let account = Account::register(&service, "anna").await;
    account.create(&["Buy milk"]).await;
    let browser = open_account(&service, &account).await;
    browser
        .fill("#delete-form [name=password]", "a wrong one")
        .await;
    browser.press("Enter").await;
    confirm_soon(&browser).await;
    let refused = "[...document.querySelectorAll('#delete-form .error')].some((error) => error.innerText.trim())";
    browser.until("a wrong password is refused", refused).await;
    browser.fill("#delete-form [name=password]", PASSWORD).await;
    let typed = "document.querySelector('#delete-form [name=password]').value";
    assert_eq!(browser.text(typed).await, PASSWORD);
    browser.press("Enter").await;
    confirm_soon(&browser).await;
    let out = format!("{}.checkVisibility()", one("#login-form"));
    browser.until("the page asks who it is", &out).await;
    let body = json!({"email": account.email, "password": PASSWORD});
    let login = service
        .client_with(None)
        .post("/api/auth/login", body)
        .await;
    assert_eq!(login.status, 401, "{login:?}");
    let kept = "indexedDB.databases().then((all) => all.length === 0)";
    browser.until("the device keeps no task", kept).await;
    browser.assert_no_faults().await;
}

/// Waits for the question, and says yes.
async fn confirm_soon(browser: &Browser) {
    let asked = format!("{}.open", one("#confirm"));
    browser.until("the page asks again", &asked).await;
    browser.click("#confirm [value=yes]").await;
}
