//! The API over the in-memory store, and transcripts of requests and responses.

use std::fmt::Write as _;
use std::num::NonZeroU64;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::body::to_bytes;
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, init_service, try_call_service};
use actix_web::web::Bytes;
use serde_json::Value;
use taskhold_api::Services;
use taskhold_api::base_path::BasePath;
use taskhold_api::client_address::TrustedProxies;
use taskhold_api::cors::Origin;
use taskhold_application::change_log::{ChangeLog, Trash};
use taskhold_application::import::UserImports;
use taskhold_application::rate_limits::RateLimits;
use taskhold_application::readiness::Readiness;
use taskhold_application::tasks::{TaskPorts, TaskService};
use taskhold_application::user_limit::UserLimit;
use taskhold_repository::health::StoreHealth;
use taskhold_repository::tasks::TaskRepository;
use taskhold_testkit::accounts::accounts;
use taskhold_testkit::clock::ManualClock;
use taskhold_testkit::ids::CountedIds;
use taskhold_testkit::memory::MemoryStore;

pub const TASKS: &str = "/api/v1/tasks";

/// The task that the first request creates.
pub const TASK: &str = "/api/v1/tasks/00000000-0000-7000-8000-000000000002";

/// A request, by default of alice.
#[derive(Clone)]
pub struct Request {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

pub fn request(method: Method, path: &str) -> Request {
    Request {
        method,
        path: path.to_owned(),
        headers: vec![("authorization", "Bearer user:alice".to_owned())],
        body: Vec::new(),
    }
}

pub fn get(path: &str) -> Request {
    request(Method::GET, path)
}

pub fn post(body: &str) -> Request {
    request(Method::POST, TASKS).json(body)
}

pub fn patch(body: &str) -> Request {
    request(Method::PATCH, TASK).json(body)
}

impl Request {
    pub fn json(self, body: &str) -> Self {
        self.header("content-type", "application/json")
            .bytes(body.as_bytes())
    }

    pub fn bytes(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    /// Replaces the header, or removes it if the value is empty.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(given, _)| *given != name);
        if !value.is_empty() {
            self.headers.push((name, value.to_owned()));
        }
        self
    }
}

pub async fn body(response: HttpResponse) -> Bytes {
    to_bytes(response.into_body()).await.expect("a body")
}

/// Limits that a transcript can reach.
const ALLOWED: RateLimits = RateLimits {
    requests: 20,
    failures_per_address: 2,
    failures: 5,
    refreshes: 100,
};

/// The API with a transcript of the requests and responses.
pub struct Wire {
    services: Services,
    clock: Arc<ManualClock>,
    transcript: String,
    /// The refresh token in the last cookie.
    session: Option<String>,
}

impl Wire {
    pub fn new() -> Self {
        Self::limited(u64::MAX)
    }

    /// Returns a service whose tasks are kept by `tasks`, with a log and a trash of their own.
    pub fn on(tasks: Arc<dyn TaskRepository>, probe: Arc<dyn StoreHealth>) -> Self {
        let store = Arc::new(MemoryStore::default());
        let ports = TaskPorts {
            tasks,
            ..TaskPorts::of(store.clone())
        };
        Self::of(ports, store, probe, u64::MAX)
    }

    /// Returns a service in which a user may have `quota` tasks.
    pub fn limited(quota: u64) -> Self {
        let store = Arc::new(MemoryStore::default());
        Self::of(TaskPorts::of(store.clone()), store.clone(), store, quota)
    }

    /// Returns a service that imports into `store`.
    fn of(
        ports: TaskPorts,
        store: Arc<MemoryStore>,
        probe: Arc<dyn StoreHealth>,
        quota: u64,
    ) -> Self {
        // Accounts have their own store, which never fails.
        let people = MemoryStore::default();
        let clock = Arc::new(ManualClock::default());
        let ids = Arc::new(CountedIds::default());
        let quota = NonZeroU64::new(quota).expect("a quota");
        let (accounts, authenticator) = accounts(&people, clock.clone(), ids.clone(), ALLOWED);
        let services = Services {
            tasks: TaskService::new(
                ports.clone(),
                clock.clone(),
                ids.clone(),
                quota,
                NonZeroU64::MAX,
            ),
            imports: UserImports::new(store, ports.clone(), clock.clone(), ids.clone(), quota),
            change_log: ChangeLog::new(ports.clone()),
            trash: Trash::new(ports, clock.clone()),
            accounts,
            authenticator,
            user_limit: UserLimit::new(usize::MAX),
            proxies: TrustedProxies::default(),
            base_path: BasePath::default(),
            accept_weak_etags: false,
            readiness: Arc::new(Readiness::new(probe)),
            clock: clock.clone(),
            ids,
            origins: Vec::new(),
            metrics: None,
            left_out: taskhold_api::request_log::LeftOut::default(),
            traces: None,
            further_endpoints: vec![taskhold_api::routes::redirect_to_docs()],
        };
        Self {
            services,
            clock,
            transcript: String::new(),
            session: None,
        }
    }

    pub fn with_origin(mut self, origin: &str) -> Self {
        self.services.origins = vec![Origin::parse(origin).expect("an origin")];
        self
    }

    pub fn with_base_path(mut self, path: &str) -> Self {
        self.services.base_path = BasePath::parse(path).expect("a path");
        self
    }

    pub fn with_weak_etags(mut self) -> Self {
        self.services.accept_weak_etags = true;
        self
    }

    /// Starts the shutdown of the service.
    pub fn drain(&self) {
        self.services.readiness.drain();
    }

    /// Returns the cookies of a page that has received the last cookie with a refresh token.
    pub fn cookies(&self) -> String {
        let token = self.session.as_deref().unwrap_or_default();
        format!("taskhold_session={token}")
    }

    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// Sends a request, and adds it and the response to the transcript.
    pub async fn ask(&mut self, request: Request) -> (StatusCode, Value) {
        self.note(&request);
        let response = self.answer(&request).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let device_token = headers.get("device-token").cloned();
        let is_file = headers.contains_key("content-disposition");
        let mut headers: Vec<_> = headers
            .iter()
            .filter(|(name, _)| !COMMON_HEADERS.contains(&name.as_str()))
            .map(|(name, value)| {
                format!(
                    "< {name}: {}\n",
                    in_order(name.as_str(), value.to_str().expect("ASCII"))
                )
            })
            .collect();
        headers.sort();
        if let Some(token) = device_token {
            let token = token.to_str().expect("ASCII");
            for header in &mut headers {
                *header = header.replace(token, "…");
            }
        }
        for header in &mut headers {
            if let Some(token) = session_token(header) {
                *header = header.replace(&token, "…");
                self.session = Some(token);
            }
        }
        let body = if request.method == Method::HEAD {
            Bytes::new()
        } else {
            body(response).await
        };
        let mut json: Value = serde_json::from_slice(&body).unwrap_or_default();
        if let Some(random) = json.get_mut("refresh_token") {
            // 48 random bytes.
            assert_eq!(random.as_str().map(str::len), Some(64), "{random}");
            *random = "…".into();
        }
        let shown = match &json {
            // A file is shown with its layout.
            json if is_file || json.is_null() => String::from_utf8_lossy(&body).into_owned(),
            json => serde_json::to_string_pretty(json).expect("JSON"),
        };
        let said = format!("< {status}\n{}{shown}\n\n", headers.concat());
        self.transcript.push_str(&said);
        (status, json)
    }

    /// Sends the requests one after the other, with a second more between them.
    pub async fn ask_slowly(&mut self, requests: impl IntoIterator<Item = Request>) {
        for request in requests {
            self.clock.advance(1_000_000);
            self.ask(request).await;
        }
    }

    /// Sends a request without adding it to the transcript.
    pub async fn answer(&self, request: &Request) -> HttpResponse {
        self.clock.advance(1_000_000);
        let app = init_service(taskhold_api::app(self.services.clone())).await;
        let mut prepared = TestRequest::with_uri(&request.path).method(request.method.clone());
        for (name, value) in &request.headers {
            prepared = prepared.append_header((*name, value.as_str()));
        }
        let prepared = prepared.set_payload(request.body.clone()).to_request();
        match try_call_service(&app, prepared).await {
            Ok(response) => response.into_parts().1,
            // The server renders an error of the outermost middleware in the same way.
            Err(error) => error.error_response(),
        }
    }

    /// Creates a task and returns its path.
    pub async fn created(&self, body: &str) -> String {
        let response = self
            .answer(&request(Method::POST, "/api/v1/tasks").json(body))
            .await;
        let location = response.headers().get("location").expect("a location");
        location.to_str().expect("ASCII").to_owned()
    }

    /// Returns a list of tasks, without adding it to the transcript.
    pub async fn listed(&self, query: &str) -> Value {
        let response = self.answer(&get(&format!("{TASKS}?{query}"))).await;
        assert_eq!(response.status(), StatusCode::OK, "{query}");
        serde_json::from_slice(&body(response).await).expect("JSON")
    }

    /// Returns the titles of a list of tasks.
    pub async fn titles(&self, query: &str) -> Vec<String> {
        let list = self.listed(query).await;
        let tasks = list.get("tasks").and_then(Value::as_array);
        let tasks = tasks.expect("a list").iter();
        let titles = tasks.map(|task| task["title"].as_str().expect("a title").to_owned());
        titles.collect()
    }

    pub fn transcript(self) -> String {
        self.transcript
    }

    fn note(&mut self, request: &Request) {
        let mut said = format!(
            "> {} {}\n",
            request.method,
            abridged(request.path.as_bytes())
        );
        for (name, value) in &request.headers {
            // The default is left out.
            if !(*name == "authorization" && value == "Bearer user:alice") {
                let value = match &self.session {
                    Some(token) => value.replace(token, "…"),
                    None => abridged(value.as_bytes()),
                };
                writeln!(said, "> {name}: {value}").expect("written");
            }
        }
        if !request
            .headers
            .iter()
            .any(|(name, _)| *name == "authorization")
        {
            said.push_str("> (no authorization)\n");
        }
        if !request.body.is_empty() {
            writeln!(said, "> {}", abridged(&request.body)).expect("written");
        }
        self.transcript.push_str(&said);
    }
}

/// Headers of every response, which only one transcript shows.
const COMMON_HEADERS: [&str; 5] = [
    "cache-control",
    "content-security-policy",
    "referrer-policy",
    "x-content-type-options",
    "x-request-id",
];

/// Returns the refresh token that a line of a transcript sets as a cookie.
fn session_token(line: &str) -> Option<String> {
    let cookie = line.strip_prefix("< set-cookie: taskhold_session=")?;
    let (token, _) = cookie.split_once(';')?;
    (!token.is_empty()).then(|| token.to_owned())
}

/// Sorts the lists of CORS headers, which have no order.
fn in_order(name: &str, value: &str) -> String {
    if !name.starts_with("access-control-") {
        return value.to_owned();
    }
    let mut elements: Vec<_> = value.split(", ").collect();
    elements.sort_unstable();
    elements.join(", ")
}

/// Returns the text in ASCII, cut to fit on a line.
fn abridged(bytes: &[u8]) -> String {
    let text = bytes.escape_ascii().to_string().replace("\\\"", "\"");
    if text.len() <= 100 {
        return text;
    }
    let beginning: String = text.chars().take(60).collect();
    format!("{beginning}… ({} bytes)", bytes.len())
}

/// Sends the requests one after the other, and returns the transcript.
pub async fn transcript(mut wire: Wire, requests: impl IntoIterator<Item = Request>) -> String {
    for request in requests {
        wire.ask(request).await;
    }
    wire.transcript()
}
