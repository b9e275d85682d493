//! The page while the service is away.

use std::net::TcpListener;

use serde_json::json;

use crate::browser::{Browser, one};
use crate::service::{Database, Service, eventually};
use crate::web_page::{Account, READY};

on_both_stores! {
    changes_of_a_dead_service_wait_over_a_reload_and_are_done_once_in_order
}

/// Returns a port that nobody listens on.
fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener
        .local_addr()
        .expect("an address")
        .port()
        .to_string()
}

/// Waits until the page says how many changes wait, and asserts that it calls none of them saved.
async fn until_waiting(browser: &Browser, count: usize) {
    let waiting = format!(
        "{}.innerText.includes({})",
        one("#status"),
        json!(format!("{count} change"))
    );
    browser
        .until(&format!("{count} changes wait"), &waiting)
        .await;
    let shown = browser.text("document.body.innerText").await.to_lowercase();
    assert!(!shown.contains("saved"), "{shown}");
}

async fn changes_of_a_dead_service_wait_over_a_reload_and_are_done_once_in_order(
    database: Database,
) {
    let port = free_port();
    let service = Service::start_with(&database, &[("PORT", &port)]).await;
    let account = Account::register(&service, "anna").await;
    account
        .create(&["first", "second", "third", "fourth"])
        .await;
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    browser
        .until_titles(&["first", "second", "third", "fourth"])
        .await;
    until_controlled(&browser).await;
    let before = account.changes().await.len();
    service.kill();

    // 20 changes: 8 creations, 4 edits, 4 moves, 2 completions and 2 deletions.
    let mut expected = Vec::new();
    for number in 1..=8 {
        browser.add(&format!("new {number}")).await;
        expected.push((format!("new {number}"), "created"));
    }
    until_waiting(&browser, 8).await;
    for title in ["first", "second", "third", "fourth"] {
        edit_description(&browser, title).await;
        expected.push((title.to_owned(), "updated"));
    }
    for title in ["fourth", "new 1", "new 2", "third"] {
        browser.choose(title).await;
        browser.press("Alt+ArrowUp").await;
        expected.push((title.to_owned(), "moved"));
    }
    for title in ["first", "new 3"] {
        browser.choose(title).await;
        browser.press("x").await;
        browser.until_gone(title).await;
        expected.push((title.to_owned(), "completed"));
    }
    for title in ["second", "new 4"] {
        browser.choose(title).await;
        browser.press("#").await;
        browser.until_gone(title).await;
        expected.push((title.to_owned(), "deleted"));
    }
    assert_eq!(expected.len(), 20);
    until_waiting(&browser, 20).await;

    browser.reload().await;
    until_waiting(&browser, 20).await;
    let waiting = "document.querySelectorAll('.task.waiting').length > 0";
    browser.until("rows are marked as waiting", waiting).await;
    browser.until_shown("new 8").await;
    let order = "[...document.querySelectorAll('#tasks > .task .title')].map((row) => row.innerText.trim()).join()";
    let order = browser.text(order).await;

    let service = Service::start_with(&database, &[("PORT", &port)]).await;
    let sent = format!("!{}.innerText.trim()", one("#status"));
    browser.until("no change waits", &sent).await;
    browser.until_sent().await;
    let account = Account {
        api: service.client(&account.id),
        ..account
    };
    let open = account
        .api
        .get("/api/v1/tasks?completed=false&sort=position")
        .await;
    let open: Vec<_> = open.body["tasks"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|task| task["title"].as_str())
        .collect();
    assert_eq!(open.join(","), order, "the order that was shown");
    let changes = account.changes().await;
    let done: Vec<_> = changes[before..]
        .iter()
        .map(|change| {
            let text = |name: &str| change[name].as_str().unwrap_or_default().to_owned();
            (text("title"), text("kind"))
        })
        .collect();
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(title, kind)| (title, kind.to_owned()))
        .collect();
    assert_eq!(done, expected, "each change once, in order");
    browser.assert_no_faults().await;
}

async fn edit_description(browser: &Browser, title: &str) {
    browser.choose(title).await;
    browser.press("e").await;
    let open = "!!document.activeElement?.closest('#edit')";
    browser.until("the editor is open", open).await;
    browser.tab_to("#edit [name=description]").await;
    browser.type_text("while away").await;
    browser.save().await;
    let closed = format!("!{}.open", one("#editor"));
    browser.until("the editor is closed", &closed).await;
}

/// Waits until the service worker has cached the page.
async fn until_controlled(browser: &Browser) {
    let active = "navigator.serviceWorker.ready.then((registration) => !!registration.active)";
    browser.until("the service worker is active", active).await;
}

#[tokio::test]
async fn page_opens_without_the_service_after_one_visit() {
    let port = free_port();
    let database = Database::sqlite();
    let service = Service::start_with(&database, &[("PORT", &port)]).await;
    let account = Account::register(&service, "anna").await;
    account.create(&["Buy milk", "Call mum"]).await;
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    browser.until_titles(&["Buy milk", "Call mum"]).await;
    until_controlled(&browser).await;
    service.kill();

    for address in ["/", "/#all", "/#done"] {
        browser.leave().await;
        browser.open(address).await;
        browser.until("the list is complete", READY).await;
    }
    browser.show("#all").await;
    browser.until_titles(&["Buy milk", "Call mum"]).await;
    let told = format!("/offline/i.test({}.innerText)", one("#status"));
    browser
        .until("the page says that it is offline", &told)
        .await;

    let service = Service::start_with(&database, &[("PORT", &port)]).await;
    let other = service.client(&account.id);
    other.create(json!({"title": "made elsewhere"})).await;
    browser.until_shown("made elsewhere").await;
    let quiet = format!("!{}.innerText.trim()", one("#status"));
    browser.until("the page is online", &quiet).await;
    browser.assert_no_faults().await;
}

/// A write whose answer is lost is sent again under the same key.
#[tokio::test]
async fn lost_answer_creates_the_task_once() {
    let port = free_port();
    let database = Database::sqlite();
    let service = Service::start_with(&database, &[("PORT", &port)]).await;
    let account = Account::register(&service, "anna").await;
    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    for number in 0..5 {
        browser.add(&format!("task {number}")).await;
    }
    // Some of the answers are on their way.
    service.kill();
    let service = Service::start_with(&database, &[("PORT", &port)]).await;
    browser.until_sent().await;
    let account = Account {
        api: service.client(&account.id),
        ..account
    };
    let titles = eventually("every task is stored", async || {
        let titles = account.titles().await;
        (titles.len() >= 5).then_some(titles)
    });
    assert_eq!(
        titles.await,
        ["task 4", "task 3", "task 2", "task 1", "task 0"]
    );
}
