//! The log-in of the page: its refresh token is in a cookie that no script can read.

use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{Answer, Database, Service};

const PASSWORD: &str = "correct horse battery";
const ANNA: &str = "anna@example.org";
const REGISTER: &str = "/api/auth/register";
const LOGIN: &str = "/api/auth/login";
const REFRESH: &str = "/api/auth/refresh";
const LOGOUT: &str = "/api/auth/logout";
const CHANGE_PASSWORD: &str = "/api/auth/password";
const ME: &str = "/api/auth/me";

const COOKIE: &str = "taskhold_session";
const PAGE: (&str, &str) = ("taskhold-page", "1");
const DAY: u64 = 86_400;

/// A request of the page, and of those that pretend to be it.
struct Request<'a> {
    service: &'a Service,
    method: Method,
    path: &'static str,
    access: Option<String>,
    headers: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl<'a> Request<'a> {
    /// Returns a request as another client sends it.
    fn plain(service: &'a Service, path: &'static str) -> Self {
        Self {
            service,
            method: if path == ME {
                Method::DELETE
            } else {
                Method::POST
            },
            path,
            access: None,
            headers: Vec::new(),
            body: None,
        }
    }

    /// Returns a request with the header of the page.
    fn page(service: &'a Service, path: &'static str) -> Self {
        Self::plain(service, path).header(PAGE.0, PAGE.1)
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn cookie(self, token: &str) -> Self {
        self.header("cookie", &format!("a=b; {COOKIE}={token}; c=d"))
    }

    fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    fn access(mut self, token: &str) -> Self {
        self.access = Some(token.to_owned());
        self
    }

    async fn send(self) -> Answer {
        let client = self.service.client_with(self.access);
        let mut request = client.request(self.method, self.path);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = self.body {
            request = request.json(&body);
        }
        Answer::of(request).await
    }
}

fn credentials(email: &str) -> Value {
    json!({"email": email, "password": PASSWORD})
}

fn new_password() -> Value {
    json!({"current_password": PASSWORD, "new_password": "another horse battery"})
}

/// Returns the value and the attributes of the cookie that an answer sets.
fn cookie_of(answer: &Answer) -> Option<(String, String)> {
    let lines = answer.headers.get_all("set-cookie").iter();
    let lines = lines.map(|line| line.to_str().expect("ASCII"));
    let mut ours = lines.filter_map(|line| line.strip_prefix(COOKIE)?.strip_prefix('='));
    let (value, attributes) = ours.next()?.split_once("; ").expect("attributes");
    assert_eq!(ours.next(), None, "{answer:?}");
    Some((value.to_owned(), attributes.to_owned()))
}

#[track_caller]
fn assert_deletes_the_cookie(answer: &Answer) {
    let deleted = "Path=/api/auth; Max-Age=0; HttpOnly; SameSite=Strict";
    let expected = Some((String::new(), deleted.to_owned()));
    assert_eq!(cookie_of(answer), expected, "{answer:?}");
}

/// The tokens of a page.
struct Login {
    access: String,
    cookie: String,
}

impl Login {
    /// Reads an answer with the tokens of a login that ends in `seconds`, or a minute before.
    #[track_caller]
    fn of(answer: &Answer, status: u16, seconds: u64) -> Self {
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.get("refresh_token").is_none(), "{answer:?}");
        assert_eq!(answer.body["expires_in"], 3600);
        let (cookie, attributes) = cookie_of(answer).expect("a cookie");
        let max_age = attributes
            .strip_prefix("Path=/api/auth; Max-Age=")
            .and_then(|rest| rest.strip_suffix("; HttpOnly; SameSite=Strict"))
            .and_then(|seconds| seconds.parse::<u64>().ok());
        let max_age = max_age.unwrap_or_else(|| panic!("{attributes}"));
        assert!((seconds - 60..=seconds).contains(&max_age), "{attributes}");
        Self {
            access: answer.body["access_token"]
                .as_str()
                .expect("a token")
                .to_owned(),
            cookie,
        }
    }

    async fn register(service: &Service) -> Self {
        let request = Request::page(service, REGISTER).body(credentials(ANNA));
        Self::of(&request.send().await, 201, 90 * DAY)
    }

    async fn log_in(service: &Service) -> Self {
        let request = Request::page(service, LOGIN).body(credentials(ANNA));
        Self::of(&request.send().await, 200, 90 * DAY)
    }

    async fn refresh(&self, service: &Service) -> Answer {
        let request = Request::page(service, REFRESH).cookie(&self.cookie);
        request.send().await
    }

    async fn me_status(&self, service: &Service) -> u16 {
        let client = service.client_with(Some(self.access.clone()));
        client.get(ME).await.status
    }
}

async fn page_logs_in_refreshes_and_logs_out(database: Database) {
    let service = Service::start(&database).await;
    let first = Login::register(&service).await;
    let mut anna = Login::log_in(&service).await;
    assert_ne!(anna.cookie, first.cookie);
    for body in [None, Some(json!({})), Some(json!({"refresh_token": null}))] {
        let mut request = Request::page(&service, REFRESH).cookie(&anna.cookie);
        request.body = body;
        let next = Login::of(&request.send().await, 200, 90 * DAY);
        assert_ne!(next.cookie, anna.cookie);
        assert_eq!(next.me_status(&service).await, 200);
        anna = next;
    }
    // A repeated log-out, of which the browser has deleted the cookie, is no error.
    let requests = [
        Request::page(&service, LOGOUT).cookie(&anna.cookie),
        Request::page(&service, LOGOUT).cookie(&anna.cookie),
        Request::page(&service, LOGOUT),
    ];
    for request in requests {
        let answer = request.send().await;
        assert_eq!(answer.status, 204, "{answer:?}");
        assert_deletes_the_cookie(&answer);
    }
    assert_eq!(anna.me_status(&service).await, 401);
    anna.refresh(&service)
        .await
        .assert_problem(401, "UNAUTHORIZED");
    // The other login goes on.
    assert_eq!(first.me_status(&service).await, 200);
    assert_eq!(first.refresh(&service).await.status, 200);
}

/// The page whose cookie is gone ends its own login only.
async fn logout_without_a_cookie_ends_the_login_of_the_access_token(database: Database) {
    let service = Service::start(&database).await;
    let first = Login::register(&service).await;
    let anna = Login::log_in(&service).await;
    let request = Request::page(&service, LOGOUT).access(&anna.access);
    let answer = request.send().await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_deletes_the_cookie(&answer);
    assert_eq!(anna.refresh(&service).await.status, 401);
    assert_eq!(anna.me_status(&service).await, 401);
    assert_eq!(first.me_status(&service).await, 200);
}

async fn missing_or_invalid_cookie_returns_401_and_deletes_it(database: Database) {
    let service = Service::start(&database).await;
    let anna = Login::register(&service).await;
    let twice = format!("{COOKIE}={}; {COOKIE}=x", anna.cookie);
    let requests = [
        Request::page(&service, REFRESH),
        Request::page(&service, REFRESH).cookie(""),
        Request::page(&service, REFRESH).cookie("made up"),
        Request::page(&service, REFRESH).cookie(&anna.cookie.to_lowercase()),
        Request::page(&service, REFRESH).header("cookie", &twice),
    ];
    for request in requests {
        let answer = request.send().await;
        answer.assert_problem(401, "UNAUTHORIZED");
        assert_deletes_the_cookie(&answer);
    }
    assert_eq!(anna.refresh(&service).await.status, 200);
}

async fn used_cookie_ends_the_login(database: Database) {
    let service = Service::start(&database).await;
    let anna = Login::register(&service).await;
    let next = Login::of(&anna.refresh(&service).await, 200, 90 * DAY);
    let answer = anna.refresh(&service).await;
    answer.assert_problem(401, "UNAUTHORIZED");
    assert_deletes_the_cookie(&answer);
    assert_eq!(next.refresh(&service).await.status, 401);
    assert_eq!(next.me_status(&service).await, 401);
}

async fn cookie_without_the_header_is_ignored(database: Database) {
    let service = Service::start(&database).await;
    let anna = Login::register(&service).await;
    let cookie = |path| Request::plain(&service, path).cookie(&anna.cookie);
    let answer = cookie(REFRESH).body(json!({})).send().await;
    answer.assert_problem(422, "VALIDATION_ERROR");
    cookie(REFRESH)
        .send()
        .await
        .assert_problem(400, "MALFORMED_REQUEST");
    cookie(LOGOUT)
        .send()
        .await
        .assert_problem(401, "UNAUTHORIZED");
    // Another client on the same machine gets tokens in bodies, and its requests are about these.
    let other = cookie(LOGIN).body(credentials(ANNA)).send().await;
    assert_eq!((other.status, cookie_of(&other)), (200, None), "{other:?}");
    let theirs = json!({"refresh_token": other.body["refresh_token"]});
    let refreshed = cookie(REFRESH).body(theirs).send().await;
    assert_eq!(
        (refreshed.status, cookie_of(&refreshed)),
        (200, None),
        "{refreshed:?}"
    );
    let theirs = json!({"refresh_token": refreshed.body["refresh_token"]});
    let ended = cookie(LOGOUT).body(theirs).send().await;
    assert_eq!((ended.status, cookie_of(&ended)), (204, None), "{ended:?}");
    assert_eq!(anna.refresh(&service).await.status, 200);
}

async fn refresh_token_in_the_body_beside_the_header_returns_400(database: Database) {
    let service = Service::start(&database).await;
    let anna = Login::register(&service).await;
    for path in [REFRESH, LOGOUT] {
        for token in [json!(anna.cookie), json!("made up"), json!(1)] {
            let request = Request::page(&service, path)
                .cookie(&anna.cookie)
                .access(&anna.access)
                .body(json!({"refresh_token": token}));
            let answer = request.send().await;
            answer.assert_problem(400, "MALFORMED_REQUEST");
            assert_eq!(cookie_of(&answer), None);
        }
    }
    assert_eq!(anna.refresh(&service).await.status, 200);
}

/// Sends every request of the page with these headers, and asserts that they are refused and that nothing is done.
async fn assert_refused(
    service: &Service,
    headers: &[(&'static str, &str)],
    (status, error_code): (u16, &str),
) {
    let anna = Login::log_in(service).await;
    let request = |path| {
        let request = Request::plain(service, path)
            .cookie(&anna.cookie)
            .access(&anna.access);
        headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        })
    };
    let requests = [
        request(REGISTER).body(credentials("bob@example.org")),
        request(LOGIN).body(credentials(ANNA)),
        request(REFRESH),
        request(LOGOUT),
        request(CHANGE_PASSWORD).body(new_password()),
        request(ME).body(json!({"password": PASSWORD})),
    ];
    for request in requests {
        let answer = request.send().await;
        answer.assert_problem(status, error_code);
        assert_eq!(cookie_of(&answer), None, "{answer:?}");
        let detail = answer.body["detail"].as_str().expect("a text");
        assert!(detail.contains("Taskhold-Page"), "{detail}");
    }
    let bob = Request::plain(service, LOGIN).body(credentials("bob@example.org"));
    assert_eq!(bob.send().await.status, 401, "no account was made");
    assert_eq!(anna.me_status(service).await, 200);
    assert_eq!(anna.refresh(service).await.status, 200);
    Login::log_in(service).await;
}

async fn header_with_another_value_returns_400(database: Database) {
    let service = Service::start(&database).await;
    Login::register(&service).await;
    for headers in [
        &[("taskhold-page", "2")][..],
        &[("taskhold-page", "true")],
        &[PAGE, PAGE],
    ] {
        assert_refused(&service, headers, (400, "MALFORMED_REQUEST")).await;
    }
}

async fn header_from_another_origin_returns_403_and_nothing_is_done(database: Database) {
    let service = Service::start(&database).await;
    Login::register(&service).await;
    for site in ["cross-site", "same-site"] {
        let headers = [PAGE, ("sec-fetch-site", site)];
        assert_refused(&service, &headers, (403, "FORBIDDEN")).await;
    }
    for site in ["same-origin", "none"] {
        let request = Request::page(&service, LOGIN).header("sec-fetch-site", site);
        let answer = request.body(credentials(ANNA)).send().await;
        Login::of(&answer, 200, 90 * DAY);
    }
    // Without the header of the page, other origins log in as before.
    let request = Request::plain(&service, LOGIN).header("sec-fetch-site", "cross-site");
    assert_eq!(request.body(credentials(ANNA)).send().await.status, 200);
}

/// The cookie lives for what is left of the login.
async fn refresh_does_not_prolong_the_cookie(database: Database) {
    let service = Service::start(&database).await;
    let anna = Login::register(&service).await;
    database
        .execute("UPDATE refresh_tokens SET started_at = started_at - 80 * 86400000000")
        .await;
    let anna = Login::of(&anna.refresh(&service).await, 200, 10 * DAY);
    database
        .execute("UPDATE refresh_tokens SET started_at = started_at - 9 * 86400000000")
        .await;
    Login::of(&anna.refresh(&service).await, 200, DAY);
}

async fn change_of_the_password_replaces_the_cookie(database: Database) {
    let service = Service::start(&database).await;
    let anna = Login::register(&service).await;
    let request = Request::page(&service, CHANGE_PASSWORD)
        .access(&anna.access)
        .cookie(&anna.cookie)
        .body(new_password());
    let next = Login::of(&request.send().await, 200, 90 * DAY);
    assert_eq!(anna.refresh(&service).await.status, 401);
    assert_eq!(next.refresh(&service).await.status, 200);
}

async fn deletion_of_the_account_deletes_the_cookie(database: Database) {
    let service = Service::start(&database).await;
    let anna = Login::register(&service).await;
    let deletion = |password: &str| {
        Request::page(&service, ME)
            .access(&anna.access)
            .cookie(&anna.cookie)
            .body(json!({"password": password}))
    };
    let answer = deletion("a wrong one").send().await;
    answer.assert_problem(422, "VALIDATION_ERROR");
    assert_eq!(cookie_of(&answer), None);
    let answer = deletion(PASSWORD).send().await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_deletes_the_cookie(&answer);
    assert_eq!(anna.refresh(&service).await.status, 401);
}

async fn cookie_is_for_https_and_the_base_path_of_the_service(database: Database) {
    let variables = [("TASKHOLD__SERVER__BASE_PATH", "/todo")];
    let service = Service::start_with(&database, &variables).await;
    let request = Request::page(&service, REGISTER)
        .header("x-forwarded-proto", "https")
        .body(credentials(ANNA));
    let answer = request.send().await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let (token, attributes) = cookie_of(&answer).expect("a cookie");
    assert!(
        attributes.starts_with("Path=/todo/api/auth; "),
        "{attributes}"
    );
    assert!(attributes.ends_with("; Secure"), "{attributes}");
    let request = Request::page(&service, LOGOUT)
        .header("x-forwarded-proto", "https")
        .cookie(&token);
    let deleted = "Path=/todo/api/auth; Max-Age=0; HttpOnly; SameSite=Strict; Secure";
    let expected = Some((String::new(), deleted.to_owned()));
    assert_eq!(cookie_of(&request.send().await), expected);
}

on_both_stores! {
    page_logs_in_refreshes_and_logs_out
    logout_without_a_cookie_ends_the_login_of_the_access_token
    missing_or_invalid_cookie_returns_401_and_deletes_it
    used_cookie_ends_the_login
    cookie_without_the_header_is_ignored
    refresh_token_in_the_body_beside_the_header_returns_400
    header_with_another_value_returns_400
    header_from_another_origin_returns_403_and_nothing_is_done
    refresh_does_not_prolong_the_cookie
    change_of_the_password_replaces_the_cookie
    deletion_of_the_account_deletes_the_cookie
    cookie_is_for_https_and_the_base_path_of_the_service
}
