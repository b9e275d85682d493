//! The page: how its files are served, and in Chromium, as a person uses it.

mod accessibility;
mod account;
mod attacks;
mod conflicts;
mod help;
mod large;
mod looks;
mod navigation;
mod offline;
mod pointer;
mod policy;
mod routing;
pub mod serving;
mod sessions;
mod story;
mod tabs;

use reqwest::Method;
use serde_json::{Value, json};

use crate::browser::{Browser, one};
use crate::service::{Client, Service};

pub const PASSWORD: &str = "correct horse battery";

/// The titles of the shown rows.
const TITLES: &str = "[...document.querySelectorAll('#tasks > .task .title')].map((title) => title.innerText.trim())";

/// True if the page shows a list that is complete.
const READY: &str = "document.documentElement.dataset.ready === 'true'";

/// An account of a test, with a client of the API.
struct Account {
    email: String,
    /// The user's id.
    id: String,
    api: Client,
}

impl Account {
    /// Registers an account without the page.
    async fn register(service: &Service, name: &str) -> Self {
        let email = format!("{name}@example.org");
        let body = json!({"email": email, "password": PASSWORD, "name": name});
        let anonymous = service.client_with(None);
        let answer = anonymous.post("/api/auth/register", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let id = answer.body["user"]["id"].as_str().expect("an id");
        Self {
            email,
            id: id.to_owned(),
            api: service.client(id),
        }
    }

    /// Creates tasks with these titles, so that the list has them in this order.
    async fn create(&self, titles: &[&str]) -> Vec<Value> {
        let mut tasks = Vec::new();
        for title in titles.iter().rev() {
            tasks.push(self.api.create(json!({"title": title})).await);
        }
        tasks.reverse();
        tasks
    }

    /// Returns the titles of all tasks, in their order by hand.
    async fn titles(&self) -> Vec<String> {
        let answer = self.api.get("/api/v1/tasks?sort=position").await;
        let tasks = answer.body["tasks"].as_array().expect("a list").clone();
        let title = |task: &Value| task["title"].as_str().expect("a title").to_owned();
        tasks.iter().map(title).collect()
    }

    /// Returns every change of every task, the first one first. Takes all tasks out of the trash, since a task there
    /// has no history.
    async fn changes(&self) -> Vec<Value> {
        let trash = self.api.get("/api/v1/trash?limit=1000").await;
        for task in trash.body["tasks"].as_array().expect("a list") {
            let id = task["id"].as_str().expect("an id");
            let path = format!("/api/v1/trash/{id}/restore");
            let restored = self.api.send(Method::POST, &path, None).await;
            assert_eq!(restored.status, 200, "{restored:?}");
        }
        let mut changes = Vec::new();
        for task in self.api.tasks().await {
            let path = format!("{}/history?limit=100", crate::service::path(&task));
            let history = self.api.get(&path).await.body["history"].clone();
            for change in history.as_array().expect("a list") {
                let mut change = change.clone();
                change["title"] = task["title"].clone();
                changes.push(change);
            }
        }
        changes.retain(|change| change["kind"] != "restored");
        changes.sort_by_key(|change| change["seq"].as_u64());
        changes
    }
}

impl Browser {
    /// Types into the field that a selector names, which may have a text.
    async fn fill(&self, selector: &str, text: &str) {
        self.until(selector, &format!("{}.checkVisibility()", one(selector)))
            .await;
        let select = format!(
            "(field => {{ field.focus(); field.select(); }})({})",
            one(selector)
        );
        self.eval(&select).await;
        self.press("Delete").await;
        self.type_text(text).await;
    }

    /// Logs in, and waits until the list is complete.
    async fn log_in(&self, account: &Account) {
        self.open("/#login").await;
        self.fill("#login-form [name=email]", &account.email).await;
        self.fill("#login-form [name=password]", PASSWORD).await;
        self.press("Enter").await;
        self.until("the list is complete", READY).await;
    }

    /// Opens a view of the page, and waits until it is shown.
    async fn show(&self, hash: &str) {
        self.eval(&format!("void (location.hash = {})", json!(hash)))
            .await;
        self.until("the view is shown", READY).await;
    }

    /// Waits until a view is the one of the address, by the page's own navigation.
    async fn until_route(&self, hash: &str) {
        let at = format!("location.hash === {}", json!(hash));
        self.until(&format!("{hash} is shown"), &at).await;
    }

    /// Waits until the list has exactly these titles.
    async fn until_titles(&self, titles: &[&str]) {
        let equal = format!(
            "JSON.stringify({TITLES}) === JSON.stringify({})",
            json!(titles)
        );
        self.until(&format!("the list is {titles:?}"), &equal).await;
    }

    /// Waits until a row with this title is shown.
    async fn until_shown(&self, title: &str) {
        let shown = format!("{TITLES}.includes({})", json!(title));
        self.until(&format!("{title} is shown"), &shown).await;
    }

    /// Waits until no row with this title is shown.
    async fn until_gone(&self, title: &str) {
        let gone = format!("!{TITLES}.includes({})", json!(title));
        self.until(&format!("{title} is gone"), &gone).await;
    }

    /// Waits until every write has been sent.
    async fn until_sent(&self) {
        let sent = "!document.querySelector('.task.waiting') && !document.querySelector('#status').innerText.trim()";
        self.until("every write is sent", sent).await;
    }

    /// Moves the focus to the row with this title by the keys of the list.
    async fn choose(&self, title: &str) {
        let current = "document.activeElement?.closest('.task')?.querySelector('.title')?.innerText.trim() ?? ''";
        self.until_shown(title).await;
        // The first j moves the focus into the list.
        for key in ["k", "j"] {
            for _ in 0..30 {
                if self.eval(current).await == title {
                    return;
                }
                self.press(key).await;
            }
        }
        panic!("no key reaches {title}: {}", self.describe().await);
    }

    /// Saves what the editor has, by its button.
    async fn save(&self) {
        self.tab_to("#edit button:not([type=button])").await;
        self.press("Enter").await;
    }

    /// Adds a task by the field for it.
    async fn add(&self, text: &str) {
        // In a field the next key would be a letter.
        self.press("Escape").await;
        self.press("a").await;
        self.until(
            "the field has the focus",
            "document.activeElement.id === 'add-text'",
        )
        .await;
        self.type_text(text).await;
        self.press("Enter").await;
        self.until(
            "the field is empty",
            &format!("!{}.value", one("#add-text")),
        )
        .await;
        self.press("Escape").await;
    }
}
