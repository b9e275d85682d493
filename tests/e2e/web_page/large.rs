//! Ten thousand tasks.

use std::fmt::Write as _;

use serde_json::json;

use crate::browser::Browser;
use crate::service::{Database, Service};
use crate::web_page::{Account, READY};

const SIZE: usize = 10_000;

/// Returns a file of the console with this many tasks.
fn console_file() -> String {
    let mut file = String::from("[");
    for number in 0..SIZE {
        let word = ["milk", "bread", "МОЛОКО", "Straße"][number % 4];
        let task = json!({
            "id": number + 1, "title": format!("{word} {number}"),
            "description": "of ten thousand", "completed": false, "user_id": "somebody",
            "created_at": "2026-01-01T00:00:00", "updated_at": "2026-01-01T00:00:00",
        });
        let comma = if number == 0 { "" } else { "," };
        write!(file, "{comma}{task}").expect("written");
    }
    file.push(']');
    file
}

/// Returns the time in milliseconds that the page measured last under this name.
async fn measured(browser: &Browser, name: &str) -> f64 {
    let last = format!("performance.getEntriesByName('{name}', 'measure').at(-1)?.duration");
    let value = browser.until(&format!("{name} is measured"), &last).await;
    value.as_f64().expect("a time")
}

#[tokio::test]
async fn ten_thousand_tasks_are_listed_filtered_and_changed() {
    let database = Database::sqlite();
    let service = Service::start(&database).await;
    let account = Account::register(&service, "anna").await;
    let file = database.folder.path().join("tasks.json");
    std::fs::write(&file, console_file()).expect("written");
    let file = file.to_str().expect("UTF-8");
    let variables = [("DATABASE_URL", database.url.as_str())];
    let arguments = ["import", file, "--map", &format!("somebody={}", account.id)];
    let imported = crate::service::run(database.folder.path(), &variables, &arguments);
    assert!(imported.status.success(), "{imported:?}");

    let browser = Browser::start(&service.url).await;
    browser.log_in(&account).await;
    browser.show("#all").await;
    let all = format!("document.querySelector('.task')?.getAttribute('aria-setsize') === '{SIZE}'");
    browser.until("all tasks are listed", &all).await;
    let first = measured(&browser, "list").await;
    browser.reload().await;
    browser.until("the list is complete", READY).await;
    browser.until("all tasks are listed", &all).await;
    let again = measured(&browser, "list").await;
    println!(
        "{SIZE} tasks: shown {first:.0} ms after their arrival, and {again:.0} ms after a reload (at most 300)"
    );
    let rows = "document.querySelectorAll('#tasks > .task').length";
    let rows = browser.eval(rows).await.as_u64().expect("a number");
    assert!((5..500).contains(&rows), "{rows} rows are elements");

    browser.press("/").await;
    for (typed, found) in [("мо", SIZE / 4), ("л", SIZE / 4), ("око 2", 278)] {
        browser.eval("performance.clearMeasures('filter')").await;
        browser.type_text(typed).await;
        let found =
            format!("document.querySelector('.task')?.getAttribute('aria-setsize') === '{found}'");
        browser.until(&format!("{typed} is found"), &found).await;
        let filter = measured(&browser, "filter").await;
        println!("filter by {typed:?}: {filter:.0} ms (at most 50)");
    }
    browser.replace_text("strasse 9999").await;
    browser.until_titles(&["Straße 9999"]).await;

    browser.show("#all").await;
    browser.choose_any().await;
    browser.assert_focus().await;
    browser.add("the newest").await;
    browser.eval("scrollTo(0, 0)").await;
    browser.until_shown("the newest").await;
    browser.until_sent().await;
    browser.assert_no_faults().await;
}

impl Browser {
    /// Moves the focus into the list.
    async fn choose_any(&self) {
        self.press("Escape").await;
        self.press("j").await;
        let in_list = "!!document.activeElement?.closest('.task')";
        self.until("a row has the focus", in_list).await;
    }
}
