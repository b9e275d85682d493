//! The cost of the API itself: requests over tasks in memory, from routing to the last byte of the
//! response. The share of the in-memory store is measured beside the lists.

#![expect(clippy::expect_used, reason = "the requests are valid")]

use std::num::NonZeroU64;
use std::sync::Arc;

use actix_web::body::to_bytes;
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, call_service, init_service};
use criterion::{Criterion, Throughput};
use taskhold_api::Services;
use taskhold_api::base_path::BasePath;
use taskhold_api::client_address::TrustedProxies;
use taskhold_application::change_log::{ChangeLog, Trash};
use taskhold_application::import::UserImports;
use taskhold_application::rate_limits::RateLimits;
use taskhold_application::readiness::Readiness;
use taskhold_application::tasks::{TaskPorts, TaskService};
use taskhold_application::user_limit::UserLimit;
use taskhold_domain::task::change_log::ChangeAuthor;
use taskhold_domain::task::{Description, Details, Task, TaskDraft, TaskId, Title};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use taskhold_repository::tasks::{TaskQuery, TaskRepository as _};
use taskhold_testkit::accounts::accounts;
use taskhold_testkit::clock::ManualClock;
use taskhold_testkit::ids::CountedIds;
use taskhold_testkit::memory::MemoryStore;
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

const TASKS: &str = "/api/v1/tasks";

/// A request, and the expected status.
struct Case {
    method: Method,
    path: String,
    has_token: bool,
    body: &'static str,
    status: StatusCode,
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    one_task(&mut criterion, &runtime);
    for tasks in [20, 10_000] {
        list(&mut criterion, &runtime, tasks);
    }
    criterion.final_summary();
}

fn one_task(criterion: &mut Criterion, runtime: &Runtime) {
    let store = runtime.block_on(store_of(1));
    let path = format!("{TASKS}/{}", id(0));
    let get = || Case {
        method: Method::GET,
        path: path.clone(),
        has_token: true,
        body: "",
        status: StatusCode::OK,
    };
    let cases = [
        ("get", get()),
        (
            "get without a token",
            Case {
                has_token: false,
                status: StatusCode::UNAUTHORIZED,
                ..get()
            },
        ),
        (
            "put",
            Case {
                method: Method::PUT,
                body: r#"{"title": "Buy milk", "description": "Two litres"}"#,
                ..get()
            },
        ),
        (
            "put against the rules",
            Case {
                method: Method::PUT,
                body: r#"{"title": "", "description": 1}"#,
                status: StatusCode::UNPROCESSABLE_ENTITY,
                ..get()
            },
        ),
        (
            "complete",
            Case {
                method: Method::PATCH,
                path: format!("{path}/complete"),
                ..get()
            },
        ),
    ];
    let mut group = criterion.benchmark_group("one task");
    for (name, case) in cases {
        let answers = answers(runtime, &store, case);
        group.bench_function(name, |bencher| bencher.to_async(runtime).iter(|| answers()));
    }
    group.finish();
}

fn list(criterion: &mut Criterion, runtime: &Runtime, tasks: u16) {
    let store = runtime.block_on(store_of(tasks));
    let mut group = criterion.benchmark_group(format!("{tasks} tasks"));
    group.throughput(Throughput::Elements(tasks.into()));
    let list = Case {
        method: Method::GET,
        path: TASKS.to_owned(),
        has_token: true,
        body: "",
        status: StatusCode::OK,
    };
    let answers = answers(runtime, &store, list);
    group.bench_function("list", |bencher| {
        bencher.to_async(runtime).iter(|| answers());
    });
    let (owner, query) = (owner(), TaskQuery::default());
    group.bench_function("of which the store in memory", |bencher| {
        bencher
            .to_async(runtime)
            .iter(|| async { store.list(&owner, &query).await });
    });
    group.finish();
}

/// Returns a function that sends a request and reads the response to its end.
fn answers(runtime: &Runtime, store: &MemoryStore, case: Case) -> impl AsyncFn() {
    let app = taskhold_api::app(services(store));
    let app = runtime.block_on(async { init_service(app).await });
    async move || {
        let mut request = TestRequest::with_uri(&case.path).method(case.method.clone());
        if case.has_token {
            request = request.insert_header(("authorization", "Bearer user:anna"));
        }
        if !case.body.is_empty() {
            request = request
                .insert_header(("content-type", "application/json"))
                .set_payload(case.body);
        }
        let response = call_service(&app, request.to_request()).await;
        assert_eq!(response.status(), case.status);
        let body = to_bytes(response.into_body()).await;
        drop(body.expect("a body"));
    }
}

fn owner() -> UserId {
    UserId::parse("anna").expect("a user id")
}

fn id(number: u16) -> TaskId {
    TaskId::from_uuid(Uuid::from_u128(number.into()))
}

async fn store_of(tasks: u16) -> MemoryStore {
    let store = MemoryStore::default();
    for number in 0..tasks {
        let draft = TaskDraft {
            title: Title::parse(format!("Task {number}")).expect("a title"),
            description: Description::parse("Two litres, from the shop at the \"station\"")
                .expect("a description"),
            completed: number % 4 == 0,
            details: Details::default(),
        };
        let created = Timestamp::from_micros(i64::from(number)).expect("a time");
        let task = Task::create(id(number), owner(), draft, created);
        store
            .add(&task, &ChangeAuthor::session())
            .await
            .expect("kept");
    }
    store
}

fn services(store: &MemoryStore) -> Services {
    let people = MemoryStore::default();
    let clock = Arc::new(ManualClock::default());
    let ids = Arc::new(CountedIds::default());
    let allowed = RateLimits {
        requests: u32::MAX,
        failures_per_address: u32::MAX,
        failures: u32::MAX,
        refreshes: u32::MAX,
    };
    let (accounts, authenticator) = accounts(&people, clock.clone(), ids.clone(), allowed);
    let store = Arc::new(store.clone());
    let ports = TaskPorts::of(store.clone());
    Services {
        tasks: TaskService::new(
            ports.clone(),
            clock.clone(),
            ids.clone(),
            NonZeroU64::MAX,
            NonZeroU64::MAX,
        ),
        imports: UserImports::new(
            store.clone(),
            ports.clone(),
            clock.clone(),
            ids.clone(),
            NonZeroU64::MAX,
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
        clock,
        ids,
        origins: Vec::new(),
        left_out: taskhold_api::request_log::LeftOut::default(),
        traces: None,
        metrics: None,
        further_endpoints: Vec::new(),
    }
}
