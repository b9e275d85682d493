//! The tools for agents. The crate `rmcp` is the client, an implementation of the protocol that knows nothing of ours.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use reqwest::Method;
use rmcp::model::{CallToolRequestParams, CallToolResult, ClientConfig, ProtocolVersion};
use rmcp::service::RunningService;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientLifecycleMode, ClientServiceExt as _, RoleClient};
use serde_json::{Value, json};

use crate::service::{
    Answer, Client, Database, SECRET, Service, http, path, signed, token, tomorrow,
};

/// A client of the tools.
struct Agent(RunningService<RoleClient, ClientConfig>);

fn newer() -> ClientLifecycleMode {
    ClientLifecycleMode::Discover {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
    }
}

fn older() -> ClientLifecycleMode {
    ClientLifecycleMode::Initialize
}

impl Agent {
    async fn connect(service: &Service, user: &str, mode: ClientLifecycleMode) -> Self {
        let agent = Self::try_connect(service, &token(user), mode).await;
        agent.expect("connected")
    }

    async fn try_connect(
        service: &Service,
        token: &str,
        mode: ClientLifecycleMode,
    ) -> Result<Self, String> {
        let url = format!("{}/mcp", service.url);
        let config = StreamableHttpClientTransportConfig::with_uri(url).auth_header(token);
        let transport = StreamableHttpClientTransport::with_client(http(), config);
        let client = ClientConfig::default().serve_with_lifecycle(transport, mode);
        client.await.map(Self).map_err(|error| error.to_string())
    }

    /// Calls a tool, and returns the structured content of its result.
    async fn call(&self, tool: &'static str, arguments: Value) -> Value {
        let result = self.result(tool, &arguments).await;
        let structured = result.structured_content.clone().expect("structured");
        assert_ne!(
            result.is_error,
            Some(true),
            "{tool} {arguments}: {structured}"
        );
        structured
    }

    async fn fail(&self, tool: &'static str, arguments: Value) -> Value {
        let result = self.result(tool, &arguments).await;
        assert_eq!(result.is_error, Some(true), "{tool} {arguments}");
        result.structured_content.expect("structured")
    }

    async fn result(&self, tool: &'static str, arguments: &Value) -> CallToolResult {
        let arguments = arguments.as_object().expect("an object").clone();
        let request = CallToolRequestParams::new(tool).with_arguments(arguments);
        self.0.call_tool(request).await.expect("a result")
    }
}

/// Tells a story of one user, as an agent would.
async fn tell(agent: &Agent, anna: &Client) {
    let tools = agent.0.list_all_tools().await.expect("tools");
    assert_eq!(tools.len(), 8);
    let size: usize = tools
        .iter()
        .map(|tool| serde_json::to_string(tool).expect("JSON").len())
        .sum();
    assert!(size <= 6 * 1024, "{size} bytes");

    let text = "Pay rent 2030-05-01 9am every month #home !high";
    let rent = agent
        .call(
            "add_task",
            json!({"text": text, "timezone": "Europe/Berlin"}),
        )
        .await;
    let rent = &rent["task"];
    assert_eq!(rent["title"], "Pay rent");
    let milk = agent
        .call(
            "add_task",
            json!({"title": "Buy milk", "description": "2 litres", "tags": ["home"]}),
        )
        .await;
    let milk = &milk["task"];

    let changed = agent
        .call("update_task", json!({"id": milk["id"], "priority": "low"}))
        .await;
    let mut expected = milk.clone();
    for member in ["priority", "updated_at", "etag"] {
        expected[member] = changed["task"][member].clone();
    }
    assert_eq!(changed["task"], expected);
    assert_eq!(changed["task"]["priority"], "low");

    let known = agent.call("changes_since", json!({})).await;
    let ids = json!([rent["id"], milk["id"]]);
    let completed = agent.call("complete_tasks", json!({"ids": ids})).await;
    assert_eq!(completed["tasks"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        completed["next"][0]["due"],
        "2030-06-01T09:00:00+02:00[Europe/Berlin]"
    );
    let undone = agent.call("undo", json!({"seq": completed["seq"]})).await;
    assert!(
        undone["seq"].as_i64() > completed["seq"].as_i64(),
        "{undone}"
    );
    let open = agent
        .call("list_tasks", json!({"completed": false, "sort": "title"}))
        .await;
    let titles: Vec<_> = open["tasks"].as_array().expect("tasks").iter().collect();
    let titles: Vec<_> = titles.iter().map(|task| &task["title"]).collect();
    assert_eq!(titles, ["Buy milk", "Pay rent"]);

    let deleted = agent.call("delete_tasks", json!({"ids": ids})).await;
    assert_eq!(deleted["removed"], ids);
    assert!(anna.tasks().await.is_empty());
    let since = agent
        .call("changes_since", json!({"cursor": known["cursor"]}))
        .await;
    let removed = since["removed"].as_array().expect("ids");
    assert!(
        removed.contains(&rent["id"]) && removed.contains(&milk["id"]),
        "{since}"
    );
    agent.call("undo", json!({"seq": deleted["seq"]})).await;
    assert_eq!(anna.tasks().await.len(), 2);
    let read = agent.call("get_task", json!({"id": milk["id"]})).await;
    assert_eq!(read["task"]["title"], "Buy milk");
}

async fn agent_of_the_newer_revision_completes_a_story(database: Database) {
    let service = Service::start(&database).await;
    let agent = Agent::connect(&service, "anna", newer()).await;
    tell(&agent, &service.client("anna")).await;
}

async fn agent_of_the_older_revision_completes_a_story(database: Database) {
    let service = Service::start(&database).await;
    let agent = Agent::connect(&service, "anna", older()).await;
    let info = agent.0.peer_info().expect("an introduction");
    assert_eq!(info.protocol_version, ProtocolVersion::V_2025_11_25);
    tell(&agent, &service.client("anna")).await;
}

async fn one_bad_id_changes_nothing_and_is_named(database: Database) {
    let service = Service::start(&database).await;
    let agent = Agent::connect(&service, "anna", newer()).await;
    let theirs = service.client("ben").create(json!({"title": "his"})).await;
    let mut ids = Vec::new();
    for title in ["one", "two"] {
        let added = agent.call("add_task", json!({"title": title})).await;
        ids.push(added["task"]["id"].clone());
    }
    let before = service.client("anna").tasks().await;
    let random = json!("01928f6e-5c3a-7d20-8b1f-0a1b2c3d4e5f");
    for (bad, code) in [(&theirs["id"], "FORBIDDEN"), (&random, "NOT_FOUND")] {
        for tool in ["complete_tasks", "delete_tasks"] {
            let ids = json!([ids[0], bad, ids[1]]);
            let failure = agent.fail(tool, json!({"ids": ids})).await;
            assert_eq!(failure["code"], code, "{tool}: {failure}");
            let named = bad.as_str().expect("an id");
            assert!(
                failure["detail"].as_str().expect("text").contains(named),
                "{failure}"
            );
        }
    }
    assert_eq!(service.client("anna").tasks().await, before);
    assert_eq!(service.client("ben").tasks().await, [theirs]);
}

async fn fifty_calls_at_once_are_all_done(database: Database) {
    let service = Service::start(&database).await;
    let agent = Agent::connect(&service, "anna", newer()).await;
    let calls = (0..50).map(|number| agent.call("add_task", json!({"title": number.to_string()})));
    let added = join_all(calls).await;
    let seqs: BTreeSet<_> = added.iter().map(|added| added["seq"].as_i64()).collect();
    assert_eq!(seqs, (1..=50).map(Some).collect());
    assert_eq!(service.client("anna").tasks().await.len(), 50);
}

async fn concurrent_calls_with_the_same_key_create_once(database: Database) {
    let service = Service::start(&database).await;
    let agent = Agent::connect(&service, "anna", newer()).await;
    let call = json!({"title": "Buy milk", "key": "k1"});
    let results = join_all((0..8).map(|_| agent.result("add_task", &call))).await;
    let added = agent.call("add_task", call.clone()).await;
    let mut done = 0;
    for result in results {
        let content = result.structured_content.expect("structured");
        if result.is_error == Some(true) {
            assert_eq!(content["code"], "CONFLICT", "{content}");
            assert!(content["retry_after"].is_u64(), "{content}");
        } else {
            assert_eq!(content["task"], added["task"]);
            done += 1;
        }
    }
    assert!(done > 0, "one of the calls is done");
    assert_eq!(
        service.client("anna").tasks().await,
        [added["task"].clone()]
    );
    let failure = agent
        .fail("add_task", json!({"title": "Buy tea", "key": "k1"}))
        .await;
    assert_eq!(failure["code"], "VALIDATION_ERROR");
}

async fn token_of_another_audience_is_refused(database: Database) {
    let audience = [("TASKHOLD__AUTH__AUDIENCE", "https://todo.example/mcp")];
    let service = Service::start_with(&database, &audience).await;
    let of = |audience: &str| {
        let claims = json!({"sub": "anna", "exp": tomorrow(), "aud": audience});
        signed(&claims, SECRET)
    };
    for mode in [newer, older] {
        let refused = Agent::try_connect(&service, &of("https://mail.example"), mode()).await;
        assert!(refused.is_err(), "it is refused");
        let accepted = Agent::try_connect(&service, &of("https://todo.example/mcp"), mode()).await;
        assert_eq!(accepted.err(), None);
    }
}

/// Issues a personal access token, and returns its secret and its path.
async fn issue(client: &Client, name: &str, scope: &str) -> (String, String) {
    let draft = json!({"name": name, "scopes": [scope]});
    let issued = client.post("/api/auth/tokens", draft).await;
    assert_eq!(issued.status, 201, "{issued:?}");
    let text = |member: &str| issued.body[member].as_str().expect("a string").to_owned();
    (text("token"), format!("/api/auth/tokens/{}", text("id")))
}

async fn token_with_a_scope_sees_and_does_no_more(database: Database) {
    let service = Service::start(&database).await;
    let anna = service.client("anna");
    let (reading, _) = issue(&anna, "reader", "tasks:read").await;
    let (writing, writer) = issue(&anna, "agent", "tasks:write").await;
    for mode in [newer(), older()] {
        let agent = Agent::try_connect(&service, &reading, mode).await;
        let agent = agent.expect("connected");
        let tools = agent.0.list_all_tools().await.expect("tools");
        let names: Vec<_> = tools.iter().map(|tool| tool.name.as_ref()).collect();
        assert_eq!(names, ["list_tasks", "get_task", "changes_since"]);
        agent.call("list_tasks", json!({})).await;
        let arguments = json!({"title": "not allowed"});
        let arguments = arguments.as_object().expect("an object").clone();
        let request = CallToolRequestParams::new("add_task").with_arguments(arguments);
        agent.0.call_tool(request).await.expect_err("refused");
    }
    assert!(anna.tasks().await.is_empty());

    let agent = Agent::try_connect(&service, &writing, newer()).await;
    let agent = agent.expect("connected");
    let added = agent
        .call("add_task", json!({"title": "by the agent"}))
        .await;
    let history = anna.get(&format!("{}/history", path(&added["task"]))).await;
    assert_eq!(history.body["history"][0]["by"], "agent");
    let revoked = anna.send(Method::DELETE, &writer, None).await;
    assert_eq!(revoked.status, 204);
    let request = CallToolRequestParams::new("list_tasks");
    agent.0.call_tool(request).await.expect_err("revoked");
    assert!(
        Agent::try_connect(&service, &writing, newer())
            .await
            .is_err()
    );
}

/// The scope comes before the arguments, and the answer says which one is missing.
async fn missing_scope_returns_403(database: Database) {
    let service = Service::start(&database).await;
    let (reading, _) = issue(&service.client("anna"), "reader", "tasks:read").await;
    let client = service.client_with(Some(reading));
    for arguments in [json!({}), json!({"nonsense": 1}), json!({"title": "x"})] {
        let params = json!({"name": "add_task", "arguments": arguments});
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let request = client.request(Method::POST, "/mcp").json(&body);
        let answer = Answer::of(request.header("mcp-protocol-version", "2025-11-25")).await;
        answer.assert_problem(403, "INSUFFICIENT_SCOPE");
        let challenge = answer.header("www-authenticate");
        assert!(challenge.contains("scope=\"tasks:write\""), "{challenge}");
    }
}

/// Sends a call of `list_tasks` in the older revision, with further headers.
async fn ask(client: &Client, headers: &[(&str, &str)]) -> Answer {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_tasks"}});
    let request = client
        .request(Method::POST, "/mcp")
        .header("mcp-protocol-version", "2025-11-25");
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    Answer::of(request.json(&body)).await
}

#[tokio::test]
async fn only_own_and_configured_origins_are_accepted() {
    let database = Database::sqlite();
    let variables = [("TASKHOLD__CORS__ORIGINS", "https://app.example")];
    let service = Service::start_with(&database, &variables).await;
    let anna = service.client("anna");
    let localhost = service.url.replace("127.0.0.1", "localhost");
    for origin in [&service.url, &localhost, "https://app.example"] {
        assert_eq!(
            ask(&anna, &[("origin", origin)]).await.status,
            200,
            "{origin}"
        );
    }
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost",
        "http://127.0.0.1:1",
    ] {
        let answer = ask(&anna, &[("origin", origin)]).await;
        assert_eq!(answer.status, 403, "{origin}");
        let (_, port) = service.url.rsplit_once(':').expect("a port");
        // The page of another host that was resolved to this service.
        let host = format!("evil.example:{port}");
        let origin = format!("http://{host}");
        let answer = ask(&anna, &[("host", &host), ("origin", &origin)]).await;
        assert_eq!(answer.status, 403, "{answer:?}");
    }
}

#[tokio::test]
async fn configured_url_is_that_of_the_metadata_and_an_origin() {
    let database = Database::sqlite();
    let variables = [
        ("TASKHOLD__MCP__URL", "https://todo.example/mcp"),
        ("TASKHOLD__AUTH__ISSUER", "https://app.example"),
    ];
    let service = Service::start_with(&database, &variables).await;
    let metadata = "/.well-known/oauth-protected-resource";
    for path in [metadata, &format!("{metadata}/mcp")] {
        let answer = service.client_with(None).get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.body["resource"], "https://todo.example/mcp");
        assert_eq!(
            answer.body["authorization_servers"],
            json!(["https://app.example"])
        );
    }
    let answer = ask(&service.client_with(None), &[]).await;
    answer.assert_problem(401, "UNAUTHORIZED");
    let challenge = answer.header("www-authenticate");
    let url = "resource_metadata=\"https://todo.example/.well-known/oauth-protected-resource/mcp\"";
    assert!(challenge.contains(url), "{challenge}");
    let anna = service.client_with(Some(signed(
        &json!({"sub": "anna", "exp": tomorrow(), "iss": "https://app.example"}),
        SECRET,
    )));
    assert_eq!(
        ask(&anna, &[("origin", "https://todo.example")])
            .await
            .status,
        200
    );
    assert_eq!(ask(&anna, &[("origin", &service.url)]).await.status, 403);
}

#[tokio::test]
async fn body_of_ten_megabytes_returns_413() {
    let service = Service::start(&Database::sqlite()).await;
    let anna = service.client("anna");
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "x".repeat(10 << 20)});
    let answer = anna.send_raw(Method::POST, "/mcp", body.to_string()).await;
    answer.assert_problem(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(ask(&anna, &[]).await.status, 200);
}

on_both_stores! {
    agent_of_the_newer_revision_completes_a_story
    agent_of_the_older_revision_completes_a_story
    one_bad_id_changes_nothing_and_is_named
    fifty_calls_at_once_are_all_done
    concurrent_calls_with_the_same_key_create_once
    token_of_another_audience_is_refused
    token_with_a_scope_sees_and_does_no_more
    missing_scope_returns_403
}
