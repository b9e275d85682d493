//! A store in which something of everything has happened.

use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{Answer, Client, Database, Service};

pub const PASSWORD: &str = "correct horse battery";

/// Somebody who registered.
pub struct Person {
    pub email: String,
    pub access: String,
    pub refresh: String,
}

impl Person {
    pub async fn registered(service: &Service, email: &str) -> Self {
        let body = json!({"email": email, "password": PASSWORD, "name": "Zoë \\ \u{1f600}"});
        let answer = service
            .client_with(None)
            .post("/api/auth/register", body)
            .await;
        Self::of(email, &answer, 201)
    }

    pub async fn logged_in(service: &Service, email: &str) -> Self {
        Self::of(email, &logging_in(service, email, PASSWORD).await, 200)
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

    /// What the service says to the access token: 200 where it counts.
    pub async fn welcome(&self, service: &Service) -> u16 {
        self.client(service).get("/api/auth/me").await.status
    }

    pub async fn refreshing(&self, service: &Service) -> u16 {
        let body = json!({"refresh_token": self.refresh});
        let client = service.client_with(None);
        client.post("/api/auth/refresh", body).await.status
    }

    pub async fn leave(&self, service: &Service) {
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

pub async fn logging_in(service: &Service, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    service
        .client_with(None)
        .post("/api/auth/login", body)
        .await
}

/// Titles and descriptions that were trouble for somebody once.
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

/// The key of a request that was acknowledged.
pub const KEY: (&str, &str) = ("Idempotency-Key", "once-and-for-all");

/// The request under that key, sent again.
pub async fn keyed(client: &Client) -> Answer {
    let request = client.request(Method::POST, "/api/v1/tasks");
    let body = json!({"title": "keyed", "completed": true});
    Answer::of(request.header(KEY.0, KEY.1).json(&body)).await
}

/// Has everything happen that leaves rows; who is there in the end.
pub async fn live(database: &Database, service: &Service) -> Person {
    let person = Person::registered(service, "Anna@Example.org").await;
    let client = person.client(service);
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
    assert_eq!(keyed(&client).await.status, 201);
    // Somebody of another issuer, somebody who left, and a password that was wrong.
    service
        .client("a stranger ☂")
        .create(json!({"title": "theirs"}))
        .await;
    Person::registered(service, "left@example.org")
        .await
        .leave(service)
        .await;
    assert_eq!(
        logging_in(service, &person.email, "not this one")
            .await
            .status,
        401
    );
    let file = database.file(r#"[{"id": 1, "title": "imported", "user_id": "console"}]"#);
    assert_eq!(database.import(&file, &[]).0, 0);
    person
}

/// The person's tasks, newest first.
pub async fn tasks(person: &Person, service: &Service) -> Vec<Value> {
    person.client(service).tasks().await
}
