//! A store with rows of every kind.

use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{Answer, Client, Database, Service};

pub const PASSWORD: &str = "correct horse battery";

/// A registered user and their tokens.
pub struct Person {
    pub email: String,
    pub access: String,
    pub refresh: String,
}

impl Person {
    pub async fn register(service: &Service, email: &str) -> Self {
        let body = json!({"email": email, "password": PASSWORD, "name": "Zoë \\ \u{1f600}"});
        let answer = service
            .client_with(None)
            .post("/api/auth/register", body)
            .await;
        Self::of(email, &answer, 201)
    }

    pub async fn log_in(service: &Service, email: &str) -> Self {
        Self::of(email, &post_login(service, email, PASSWORD).await, 200)
    }

    #[track_caller]
    fn of(email: &str, answer: &Answer, status: u16) -> Self {
        assert_eq!(answer.status, status, "{answer:?}");
        let text = |member: &str| answer.body[member].as_str().expect("a string").to_owned();
        Self {
            email: email.to_owned(),
            access: text("access_token"),
            refresh: text("refresh_token"),
        }
    }

    pub fn client(&self, service: &Service) -> Client {
        service.client_with(Some(self.access.clone()))
    }

    /// Returns the status of a request with the access token: 200 while the token is valid.
    pub async fn me_status(&self, service: &Service) -> u16 {
        self.client(service).get("/api/auth/me").await.status
    }

    pub async fn refresh_status(&self, service: &Service) -> u16 {
        let body = json!({"refresh_token": self.refresh});
        let client = service.client_with(None);
        client.post("/api/auth/refresh", body).await.status
    }

    /// Issues a personal access token, and returns its secret and its id.
    pub async fn issue_token(&self, service: &Service) -> (String, String) {
        let draft =
            json!({"name": "Zoë’s \"laptop\"", "scopes": ["tasks:read"], "expires_in_days": 30});
        let issued = self.client(service).post("/api/auth/tokens", draft).await;
        assert_eq!(issued.status, 201, "{issued:?}");
        let text = |member: &str| issued.body[member].as_str().expect("a string").to_owned();
        (text("token"), text("id"))
    }

    pub async fn delete_account(&self, service: &Service) {
        let body = json!({"password": PASSWORD});
        let client = self.client(service);
        let left = client
            .send(Method::DELETE, "/api/auth/me", Some(body))
            .await;
        assert_eq!(left.status, 204, "{left:?}");
    }

    pub async fn log_out_everywhere(&self, service: &Service) {
        let out = self
            .client(service)
            .post("/api/auth/logout", json!({}))
            .await;
        assert_eq!(out.status, 204, "{out:?}");
    }
}

pub async fn post_login(service: &Service, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    service
        .client_with(None)
        .post("/api/auth/login", body)
        .await
}

/// Titles and descriptions with characters that need escaping somewhere.
const TEXTS: [(&str, &str); 9] = [
    ("plain", ""),
    (" ", "  kept as given  "),
    ("\\N", "\\."),
    ("tab\there", "line\nfeed\r\nand \u{8}\u{b}\u{c}\u{1}\u{7f}"),
    ("'quoted' \"twice\" $1 %s", "{\"json\": [1e5]}"),
    ("e\u{301}\u{202e}rtl\u{200b}", "İstanbul ß ſ Σς \u{feff}"),
    ("1", "0x00"),
    (
        "\u{10ffff}\u{d7ff}\u{e000}\u{fffd}",
        "日本語 \u{1f469}\u{200d}\u{1f680}",
    ),
    ("NULL", "true"),
];

/// The idempotency key of an acknowledged request.
pub const KEY: (&str, &str) = ("Idempotency-Key", "once-and-for-all");

/// Sends the request with that key again.
pub async fn send_keyed(client: &Client) -> Answer {
    let request = client.request(Method::POST, "/api/v1/tasks");
    let body = json!({"title": "keyed", "completed": true});
    Answer::of(request.header(KEY.0, KEY.1).json(&body)).await
}

/// Creates rows of every kind. Returns the registered user.
pub async fn populate(database: &Database, service: &Service) -> Person {
    let person = Person::register(service, "Anna@Example.org").await;
    let client = person.client(service);
    person.issue_token(service).await;
    for (title, description) in TEXTS {
        client
            .create(json!({"title": title, "description": description}))
            .await;
    }
    let long = json!({"title": "\u{10ffff}".repeat(100), "description": "\u{10ffff}".repeat(500)});
    let task = client.create(long).await;
    let path = format!("/api/v1/tasks/{}", task["id"].as_str().expect("an id"));
    let done = client
        .send(Method::PATCH, &format!("{path}/complete"), None)
        .await;
    assert_eq!(done.status, 200);
    let repeating = json!({
        "title": "again", "due": "2026-03-28T02:30:00+01:00[Europe/Berlin]", "priority": "low", "tags": ["ß"],
        "repeat": "FREQ=DAILY;COUNT=9", "repeat_from": "due",
    });
    let repeating = client.create(repeating).await;
    let repeating = format!(
        "/api/v1/tasks/{}/complete",
        repeating["id"].as_str().expect("an id")
    );
    let repeated = client.send(Method::PATCH, &repeating, None).await;
    assert!(repeated.body["next"].is_object(), "{repeated:?}");
    let deleted = client.create(json!({"title": "İn the trash"})).await;
    let deleted = format!("/api/v1/tasks/{}", deleted["id"].as_str().expect("an id"));
    let deleted = client.send(Method::DELETE, &deleted, None).await;
    assert_eq!(deleted.status, 204);
    assert_eq!(send_keyed(&client).await.status, 201);
    // A user of an external issuer, a deleted account and a wrong password.
    service
        .client("a stranger ☂")
        .create(json!({"title": "theirs"}))
        .await;
    Person::register(service, "left@example.org")
        .await
        .delete_account(service)
        .await;
    assert_eq!(
        post_login(service, &person.email, "not this one")
            .await
            .status,
        401
    );
    let file = database.file(r#"[{"id": 1, "title": "imported", "user_id": "console"}]"#);
    assert_eq!(database.import(&file, &[]).0, 0);
    person
}

/// Returns the person's tasks, newest first.
pub async fn tasks(person: &Person, service: &Service) -> Vec<Value> {
    person.client(service).tasks().await
}
