//! Sessions that end while the page is open.

use reqwest::Method;
use serde_json::json;

use crate::browser::{Browser, one};
use crate::service::{Database, Service, eventually, path};
use crate::web_page::{Account, PASSWORD};

on_both_stores! {
    ended_session_keeps_what_is_typed_and_goes_on_after_the_password
}

/// Ends every session of the account.
async fn end_sessions(service: &Service, account: &Account) {
    let body = json!({"email": account.email, "password": PASSWORD});
    let grant = service
        .client_with(None)
        .post("/api/auth/login", body)
        .await;
    let token = grant.body["access_token"].as_str().expect("a token");
    let client = service.client_with(Some(token.to_owned()));
    let ended = client.send(Method::POST, "/api/auth/logout", None).await;
    assert_eq!(ended.status, 204, "{ended:?}");
}

async fn ended_session_keeps_what_is_typed_and_goes_on_after_the_password(database: Database) {
    let service = Service::start(&database).await;
    let account = Account::register(&service, "anna").await;
    let task = account.create(&["Write the letter"]).await.remove(0);
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    browser.choose("Write the letter").await;
    browser.press("e").await;
    let open = "!!document.activeElement?.closest('#edit')";
    browser.until("the editor is open", open).await;
    browser.tab_to("#edit [name=description]").await;
    browser.type_text("Dear reader, ").await;

    end_sessions(&service, &account).await;

    let asked = format!("{}.open", one("#again"));
    // The stream ends with the session, so that the question may come at any time.
    browser.type_text("this must not be lost").await;
    if browser.eval(&asked).await != true {
        browser.save().await;
    }
    browser
        .until("the page asks for the password", &asked)
        .await;
    let typed = browser
        .text("document.querySelector('#edit [name=description]').value")
        .await;
    assert!(typed.starts_with("Dear reader"), "{typed}");
    browser.fill("#again [name=password]", "a wrong one").await;
    browser.press("Enter").await;
    let refused = format!(
        "{}.querySelector('.error').checkVisibility()",
        one("#again")
    );
    browser.until("a wrong password is refused", &refused).await;
    browser.fill("#again [name=password]", PASSWORD).await;
    browser.press("Enter").await;
    browser
        .until("the page goes on", &format!("!{}.open", one("#again")))
        .await;
    browser.assert_focus().await;
    if browser.eval(&format!("{}.open", one("#editor"))).await == true {
        browser
            .fill(
                "#edit [name=description]",
                "Dear reader, this must not be lost",
            )
            .await;
        browser.save().await;
    }
    let stored = eventually("the text is stored", async || {
        // A token that was issued before the end of the sessions is refused.
        let task = service.client(&account.id).get(&path(&task)).await;
        task.body["task"]["description"]
            .as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    });
    assert_eq!(stored.await, "Dear reader, this must not be lost");
    browser.assert_no_faults().await;
}

/// Text in the field for new tasks is kept, too.
#[tokio::test]
async fn ended_session_keeps_a_new_task_until_the_password_is_given() {
    let service = Service::start(&Database::sqlite()).await;
    let account = Account::register(&service, "anna").await;
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    end_sessions(&service, &account).await;
    let asked = format!("{}.open", one("#again"));
    if browser.eval(&asked).await != true {
        browser.press("a").await;
        browser.type_text("Water the plants").await;
        browser.press("Enter").await;
    }
    browser
        .until("the page asks for the password", &asked)
        .await;
    browser.fill("#again [name=password]", PASSWORD).await;
    browser.press("Enter").await;
    browser
        .until("the page goes on", &format!("!{}.open", one("#again")))
        .await;
    if browser.eval(&format!("{}.value", one("#add-text"))).await != "" {
        browser.press("Enter").await;
    }
    browser.until_shown("Water the plants").await;
    browser.until_sent().await;
    browser.assert_no_faults().await;
}
