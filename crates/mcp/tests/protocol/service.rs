//! The endpoint over the in-memory store, and a client.

use std::num::NonZeroU64;
use std::sync::Arc;

use actix_web::body::to_bytes;
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::test::{TestRequest, init_service, try_call_service};
use serde_json::{Value, json};
use taskhold_api::Services;
use taskhold_api::base_path::BasePath;
use taskhold_api::client_address::TrustedProxies;
use taskhold_api::request_log::LeftOut;
use taskhold_application::change_log::{ChangeLog, Trash};
use taskhold_application::import::UserImports;
use taskhold_application::rate_limits::RateLimits;
use taskhold_application::readiness::Readiness;
use taskhold_application::tasks::{TaskPorts, TaskService};
use taskhold_application::user_limit::UserLimit;
use taskhold_mcp::settings::McpSettings;
use taskhold_testkit::accounts::accounts;
use taskhold_testkit::clock::ManualClock;
use taskhold_testkit::ids::CountedIds;
use taskhold_testkit::memory::MemoryStore;

pub const NEWER: &str = "2026-07-28";
pub const OLDER: &str = "2025-11-25";

/// The endpoint, and its settings and limits.
pub struct Service {
    services: Services,
    clock: Arc<ManualClock>,
}

/// An answer, with its body as JSON; null if it is empty.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// Returns the code of the error of JSON-RPC.
    pub fn code(&self) -> i64 {
        let code = self.body["error"]["code"].as_i64();
        code.unwrap_or_else(|| panic!("no error: {self:?}"))
    }

    pub fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }
}

/// A `POST`, by default of alice.
#[derive(Clone)]
pub struct Request {
    pub method: Method,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// Returns a request with this body, and the headers of no revision.
pub fn raw(body: impl Into<Vec<u8>>) -> Request {
    Request {
        method: Method::POST,
        path: "/mcp".to_owned(),
        headers: vec![
            ("authorization", "Bearer user:alice".to_owned()),
            ("content-type", "application/json".to_owned()),
            ("accept", "application/json, text/event-stream".to_owned()),
        ],
        body: body.into(),
    }
}

/// Returns a request of the newer revision.
pub fn newer(method: &str, mut params: Value) -> Request {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": NEWER,
        "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let name = params["name"].as_str().map(str::to_owned);
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let request = raw(body.to_string())
        .with("mcp-protocol-version", NEWER)
        .with("mcp-method", method);
    match name {
        Some(name) => request.with("mcp-name", &name),
        None => request,
    }
}

/// Returns a request of the older revision.
pub fn older(method: &str, params: &Value) -> Request {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    raw(body.to_string()).with("mcp-protocol-version", OLDER)
}

impl Request {
    /// Replaces the header, or removes it if the value is empty.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(given, _)| *given != name);
        if !value.is_empty() {
            self.headers.push((name, value.to_owned()));
        }
        self
    }

    pub fn of(self, user: &str) -> Self {
        self.with("authorization", &format!("Bearer user:{user}"))
    }
}

impl Service {
    pub fn new() -> Self {
        Self::with_limits(u64::MAX, u64::MAX, &McpSettings::default())
    }

    pub fn with_settings(settings: &McpSettings) -> Self {
        Self::with_limits(u64::MAX, u64::MAX, settings)
    }

    /// Returns a service in which a user may have `tasks` tasks and `keys` idempotency keys.
    pub fn limited(tasks: u64, keys: u64) -> Self {
        Self::with_limits(tasks, keys, &McpSettings::default())
    }

    fn with_limits(tasks: u64, keys: u64, settings: &McpSettings) -> Self {
        let store = Arc::new(MemoryStore::default());
        let clock = Arc::new(ManualClock::default());
        let ids = Arc::new(CountedIds::default());
        let limit = |limit| NonZeroU64::new(limit).expect("a limit");
        let ports = TaskPorts::of(store.clone());
        let allowed = RateLimits {
            requests: 100,
            failures_per_address: 100,
            failures: 100,
            refreshes: 100,
        };
        let (accounts, authenticator) = accounts(&store, clock.clone(), ids.clone(), allowed);
        let services = Services {
            tasks: TaskService::new(
                ports.clone(),
                clock.clone(),
                ids.clone(),
                limit(tasks),
                limit(keys),
            ),
            imports: UserImports::new(
                store.clone(),
                ports.clone(),
                clock.clone(),
                ids.clone(),
                limit(tasks),
            ),
            change_log: ChangeLog::new(ports.clone()),
            trash: Trash::new(ports, clock.clone()),
            accounts,
            authenticator,
            user_limit: UserLimit::new(usize::MAX),
            proxies: TrustedProxies::default(),
            base_path: BasePath::default(),
            accept_weak_etags: false,
            readiness: Arc::new(Readiness::new(store)),
            clock: clock.clone(),
            ids,
            origins: Vec::new(),
            metrics: None,
            left_out: LeftOut::default(),
            traces: None,
            further_endpoints: taskhold_mcp::endpoints(settings),
        };
        Self { services, clock }
    }

    pub fn under(mut self, base_path: &str) -> Self {
        self.services.base_path = BasePath::parse(base_path).expect("a path");
        self
    }

    /// Allows a user one request in progress.
    pub fn one_at_a_time(mut self) -> Self {
        self.services.user_limit = UserLimit::new(1);
        self
    }

    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Sends a request, a second after the one before.
    pub async fn send(&self, request: Request) -> Answer {
        self.clock.advance(1_000_000);
        let app = init_service(taskhold_api::app(self.services.clone())).await;
        let mut prepared = TestRequest::with_uri(&request.path).method(request.method);
        for (name, value) in &request.headers {
            prepared = prepared.append_header((*name, value.as_str()));
        }
        let prepared = prepared.set_payload(request.body).to_request();
        let response = match try_call_service(&app, prepared).await {
            Ok(response) => response.into_parts().1,
            Err(error) => error.error_response(),
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = to_bytes(response.into_body()).await;
        let bytes = bytes.unwrap_or_else(|_| panic!("a body"));
        Answer {
            status,
            headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        }
    }

    /// Calls a tool for alice, and returns its structured content.
    pub async fn call(&self, tool: &str, arguments: Value) -> Value {
        self.call_as("alice", tool, arguments).await
    }

    pub async fn call_as(&self, user: &str, tool: &str, arguments: Value) -> Value {
        let result = self.result(user, tool, &arguments).await;
        assert_eq!(result["isError"], false, "{tool} {arguments}: {result}");
        result["structuredContent"].clone()
    }

    /// Calls a tool that fails for alice, and returns the structured content and the text.
    pub async fn fail(&self, tool: &str, arguments: Value) -> (Value, String) {
        self.fail_as("alice", tool, arguments).await
    }

    pub async fn fail_as(&self, user: &str, tool: &str, arguments: Value) -> (Value, String) {
        let result = self.result(user, tool, &arguments).await;
        assert_eq!(result["isError"], true, "{tool} {arguments}: {result}");
        let text = result["content"][0]["text"].as_str().expect("text");
        assert!(text.starts_with(&format!("{tool} failed: ")), "{text}");
        (result["structuredContent"].clone(), text.to_owned())
    }

    /// Calls a tool, and holds the result to the schema of the tool.
    async fn result(&self, user: &str, tool: &str, arguments: &Value) -> Value {
        let params = json!({"name": tool, "arguments": arguments});
        let answer = self.send(newer("tools/call", params).of(user)).await;
        assert_eq!(answer.status, 200, "{tool} {arguments}: {answer:?}");
        let result = answer.body["result"].clone();
        assert_eq!(result["resultType"], "complete", "{answer:?}");
        assert_eq!(result["content"][0]["type"], "text");
        let schema = self.tool(tool).await["outputSchema"].clone();
        let structured = &result["structuredContent"];
        if let Err(error) = jsonschema::validate(&schema, structured) {
            panic!("{tool} {arguments}: {error}: {structured}");
        }
        result
    }

    /// Returns the definition of a tool.
    pub async fn tool(&self, name: &str) -> Value {
        let tools = self.tools().await;
        let tool = tools.into_iter().find(|tool| tool["name"] == name);
        tool.unwrap_or_else(|| panic!("there is no tool {name}"))
    }

    /// Returns the definitions of all tools.
    pub async fn tools(&self) -> Vec<Value> {
        let answer = self.send(newer("tools/list", json!({}))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let tools = answer.body["result"]["tools"].as_array();
        tools.expect("a list").clone()
    }

    /// Adds a task of alice, and returns it.
    pub async fn add(&self, fields: Value) -> Value {
        self.call("add_task", fields).await["task"].clone()
    }

    /// Returns all tasks of alice.
    pub async fn tasks(&self) -> Vec<Value> {
        let list = self.call("list_tasks", json!({})).await;
        list["tasks"].as_array().expect("a list").clone()
    }
}
