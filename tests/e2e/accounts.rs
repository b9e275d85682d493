//! Accounts: registration, login, sessions and deletion.

mod administration;
mod all_or_nothing;
mod deletion;
mod fault_12;
mod hashing;
mod life;
mod limits;
mod lock_out;
mod logout;
mod personal_tokens;
mod races;
mod rotation;
mod rows;
mod rules;
mod secrecy;
mod security_log;
mod sessions;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{Answer, Client, SECRET, Service, TASKS, signed};

const PASSWORD: &str = "correct horse battery";
const REGISTER: &str = "/api/auth/register";
const LOGIN: &str = "/api/auth/login";
const REFRESH: &str = "/api/auth/refresh";
const LOGOUT: &str = "/api/auth/logout";
const SESSIONS: &str = "/api/auth/sessions";
const TOKENS: &str = "/api/auth/tokens";
const ME: &str = "/api/auth/me";
const CHANGE_PASSWORD: &str = "/api/auth/password";

/// The time within which every instance must know that a token is revoked.
const REVOCATION_DEADLINE: Duration = Duration::from_mins(1);

/// Settings for tests that are not about rate limits.
const NO_LIMITS: [(&str, &str); 4] = [
    ("TASKHOLD__LIMITS__LOGIN_REQUESTS_PER_MINUTE", "1000000"),
    ("TASKHOLD__LIMITS__LOGIN_FAILURES_PER_ADDRESS", "1000000"),
    ("TASKHOLD__LIMITS__LOGIN_FAILURES", "1000000"),
    ("TASKHOLD__LIMITS__REFRESHES_PER_MINUTE", "1000000"),
];

/// A setting that trusts a proxy on this machine to forward client addresses.
const BEHIND_A_PROXY: (&str, &str) = ("TASKHOLD__SERVER__TRUSTED_PROXIES", "127.0.0.1");

/// Sends a request as from this address, to a service behind a proxy.
async fn send_from(
    client: &Client,
    address: &str,
    method: Method,
    path: &str,
    body: &Value,
) -> Answer {
    let request = client
        .request(method, path)
        .header("x-forwarded-for", address)
        .json(body);
    Answer::of(request).await
}

async fn login_from(service: &Service, address: &str, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    let client = service.client_with(None);
    send_from(&client, address, Method::POST, LOGIN, &body).await
}

/// The tokens of a successful registration, login or refresh.
#[derive(Debug, Clone)]
struct Grant {
    user: Value,
    access: String,
    refresh: String,
}

impl Grant {
    #[track_caller]
    fn of(answer: &Answer, status: u16) -> Self {
        assert_eq!(answer.status, status, "{answer:?}");
        let text = |member: &str| answer.body[member].as_str().expect("a string").to_owned();
        assert_eq!(answer.body["token_type"], "bearer");
        assert_eq!(answer.body["expires_in"], 3600);
        Self {
            user: answer.body["user"].clone(),
            access: text("access_token"),
            refresh: text("refresh_token"),
        }
    }

    fn id(&self) -> &str {
        self.user["id"].as_str().expect("an id")
    }

    /// Returns a client that sends the access token.
    fn client(&self, service: &Service) -> Client {
        service.client_with(Some(self.access.clone()))
    }
}

async fn post_register(service: &Service, email: &str) -> Answer {
    let body = json!({"email": email, "password": PASSWORD});
    service.client_with(None).post(REGISTER, body).await
}

async fn register(service: &Service, email: &str) -> Grant {
    Grant::of(&post_register(service, email).await, 201)
}

async fn post_login(service: &Service, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    service.client_with(None).post(LOGIN, body).await
}

async fn log_in(service: &Service, email: &str) -> Grant {
    Grant::of(&post_login(service, email, PASSWORD).await, 200)
}

async fn post_refresh(service: &Service, token: &str) -> Answer {
    let body = json!({"refresh_token": token});
    service.client_with(None).post(REFRESH, body).await
}

async fn delete_account(client: &Client, password: Option<&str>) -> Answer {
    let body = password.map(|password| json!({"password": password}));
    client.send(Method::DELETE, ME, body).await
}

/// Returns the status of `GET /me` with this token: 200 while the token is valid.
async fn me_status(service: &Service, token: &str) -> u16 {
    let client = service.client_with(Some(token.to_owned()));
    client.get(ME).await.status
}

/// Returns an external token, signed with the same secret and issued `age` ago.
#[expect(
    clippy::disallowed_methods,
    reason = "the service under test reads the same clock"
)]
fn token_issued_ago(user: &str, age: Duration) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("a time after 1970").as_secs_f64();
    let claims = json!({"sub": user, "iat": now - age.as_secs_f64(), "exp": now + 3600.0});
    signed(&claims, SECRET)
}
