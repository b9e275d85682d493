//! Texts that try to be markup or scripts.

use serde_json::json;

use crate::browser::{ATTACK, Browser, one};
use crate::service::{Database, Service};
use crate::web_page::{Account, PASSWORD, READY};

/// Returns texts that would run [`ATTACK`] where they became markup or an address.
fn attacks() -> Vec<String> {
    vec![
        format!("<script>{ATTACK}</script>"),
        format!("<img src=x onerror=\"{ATTACK}\">"),
        format!("\"><svg onload=\"{ATTACK}\">"),
        format!("javascript:{ATTACK}//"),
        "{{constructor.constructor('return 1')()}}${7*7}".to_owned(),
    ]
}

/// Asserts that no attack ran, and that the page has no element of one.
async fn assert_harmless(browser: &Browser) {
    let console = browser.console().await;
    let ran = console
        .iter()
        .any(|entry| entry["message"].to_string().contains("ATTACK"));
    assert!(!ran, "{console:#?}");
    let made =
        "document.querySelectorAll('[onerror], [onload], img, [href^=\"javascript:\"]').length";
    assert_eq!(browser.eval(made).await, 0);
    browser.assert_no_faults().await;
}

#[tokio::test]
async fn texts_of_tasks_are_shown_as_they_are_and_run_nothing() {
    let service = Service::start(&Database::sqlite()).await;
    let account = Account::register(&service, "anna").await;
    for attack in attacks() {
        // A tag has no comma and at most 50 characters.
        let tag: String = attack.replace(',', "").chars().take(50).collect();
        let body = json!({"title": attack, "description": attack, "tags": [tag.trim()]});
        account.api.create(body).await;
    }
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    browser.show("#all").await;
    for attack in attacks() {
        browser.until_shown(&attack).await;
        browser.choose(&attack).await;
        browser.press("e").await;
        let same = format!(
            "document.querySelector('#edit [name=title]').value === {0}
                && document.querySelector('#edit [name=description]').value === {0}",
            json!(attack)
        );
        browser
            .until("the editor has the text as it is", &same)
            .await;
        browser.press("Escape").await;
        let closed = format!("!{}.open", one("#editor"));
        browser.until("the editor is closed", &closed).await;
        assert_harmless(&browser).await;
    }
    for attack in attacks() {
        browser.add(&attack).await;
        browser.fill("#search", &attack).await;
        browser.until_shown(&attack).await;
        browser.show("#all").await;
        let tag: String = attack.replace(',', "").chars().take(50).collect();
        let hash = format!("'#tag/' + encodeURIComponent({})", json!(tag.trim()));
        browser
            .eval(&format!("void (location.hash = {hash})"))
            .await;
        browser.until("the view of the tag", READY).await;
        browser.show(&format!("#search/{attack}")).await;
        browser.show(&format!("#{attack}")).await;
        browser.show("#all").await;
        assert_harmless(&browser).await;
    }
    browser.show("#trash").await;
    assert_harmless(&browser).await;
}

#[tokio::test]
async fn names_of_people_and_tokens_run_nothing() {
    let service = Service::start(&Database::sqlite()).await;
    let name = format!("<img src=x onerror=\"{ATTACK}\">");
    let email = "\"<svg/onload=1>\"@example.org";
    let body = json!({"email": email, "password": PASSWORD, "name": name});
    let anonymous = service.client_with(None);
    let mut answer = anonymous.post("/api/auth/register", body.clone()).await;
    let mut email = email.to_owned();
    if answer.status != 201 {
        // The service takes no quoted addresses.
        "anna@example.org".clone_into(&mut email);
        let mut body = body;
        body["email"] = json!(email);
        answer = anonymous.post("/api/auth/register", body).await;
    }
    assert_eq!(answer.status, 201, "{answer:?}");
    let id = answer.body["user"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let api = service.client(&id);
    let account = Account { email, id, api };
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    browser.eval("void (location.hash = '#account')").await;
    browser.fill("#token-form [name=name]", &name).await;
    browser.press("Enter").await;
    let listed = format!("{}.innerText.includes({})", one("#tokens"), json!(name));
    browser
        .until("the token is listed by its name", &listed)
        .await;
    let shown = format!(
        "{}.innerText.includes({})",
        one("#account-view .who"),
        json!(name)
    );
    browser.until("the account has the name", &shown).await;
    browser.click("#menu-button").await;
    let shown = format!(
        "{}.innerText.includes({})",
        one("#menu .who"),
        json!(account.email)
    );
    browser.until("the menu has the address", &shown).await;
    assert_harmless(&browser).await;
}
