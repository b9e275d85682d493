//! Writes of several tasks through the use cases.

#![expect(clippy::expect_used, reason = "a test states what it expects")]

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use taskhold_application::change_streams::{ChangeStreams, StreamLimits};
use taskhold_application::ids::TimeOrderedIds;
use taskhold_application::tasks::{
    Fingerprint, IdempotencyKey, KeyedRequest, TaskError, TaskPorts, TaskService,
};
use taskhold_domain::input::{DetailsInput, Member, TaskInput};
use taskhold_domain::task::{Task, TaskId, TaskIds};
use taskhold_domain::user::UserId;
use taskhold_domain::zone::Zone;
use taskhold_testkit::clock::ManualClock;
use taskhold_testkit::memory::MemoryStore;
use tokio::time::timeout;
use uuid::Uuid;

/// The tasks and idempotency keys that a user may have in these tests.
const QUOTA: u64 = 4;

fn service() -> TaskService {
    service_with(TaskPorts::of(Arc::new(MemoryStore::default())))
}

fn service_with(ports: TaskPorts) -> TaskService {
    let quota = NonZeroU64::new(QUOTA).expect("not zero");
    let clock = Arc::new(ManualClock::default());
    TaskService::new(ports, clock, Arc::new(TimeOrderedIds), quota, quota)
}

fn user(name: &str) -> UserId {
    UserId::parse(name).expect("a user")
}

fn text(text: &str) -> Member<String> {
    Member::Given(text.to_owned())
}

async fn create(tasks: &TaskService, owner: &UserId, input: TaskInput) -> Task {
    let draft = input.into_draft().expect("a draft");
    let created = tasks.create(owner, draft, None).await.expect("created");
    created.outcome
}

async fn create_milk(tasks: &TaskService, owner: &UserId) -> Task {
    let input = TaskInput {
        title: text("Buy milk"),
        ..TaskInput::default()
    };
    create(tasks, owner, input).await
}

fn ids<'a>(tasks: impl IntoIterator<Item = &'a Task>) -> TaskIds {
    TaskIds::parse(tasks.into_iter().map(|task| task.id)).expect("a list")
}

fn keyed(key: &str) -> KeyedRequest {
    KeyedRequest {
        key: IdempotencyKey::parse(key).expect("a key"),
        fingerprint: Fingerprint([1; 32]),
    }
}

#[tokio::test]
async fn first_id_that_is_not_the_callers_is_named() {
    let tasks = service();
    let (alice, bob) = (user("alice"), user("bob"));
    let hers = create_milk(&tasks, &alice).await;
    let his = create_milk(&tasks, &bob).await;
    let unknown = TaskId::from_uuid(Uuid::nil());
    for request in [None, Some(keyed("k"))] {
        let request = request.as_ref();
        let foreign = TaskIds::parse([hers.id, his.id, unknown]).expect("a list");
        let completed = tasks.complete_all(&alice, &foreign, Zone::UTC, request);
        let error = completed.await.expect_err("refused");
        assert!(
            matches!(error, TaskError::OneForbidden(id) if id == his.id),
            "{error:?}"
        );
        let absent = TaskIds::parse([hers.id, unknown, his.id]).expect("a list");
        let deleted = tasks.delete_all(&alice, &absent, request).await;
        let error = deleted.expect_err("refused");
        assert!(
            matches!(error, TaskError::OneNotFound(id) if id == unknown),
            "{error:?}"
        );
    }
    let found = tasks.find(&alice, hers.id).await.expect("found");
    assert_eq!(found, hers);
}

#[tokio::test]
async fn zone_decides_on_which_day_tasks_are_completed() {
    let tasks = service();
    let alice = user("alice");
    let input = TaskInput {
        title: text("Water the plants"),
        details: DetailsInput {
            due: text("2020-01-01"),
            repeat: text("FREQ=DAILY"),
            repeat_from: text("completion"),
            ..DetailsInput::default()
        },
        ..TaskInput::default()
    };
    let mut days = Vec::new();
    for zone in ["Pacific/Kiritimati", "Etc/GMT+12"] {
        let task = create(&tasks, &alice, input.clone()).await;
        let zone = Zone::parse(zone).expect("a zone");
        let list = ids([&task]);
        let completed = tasks.complete_all(&alice, &list, zone, None).await;
        let completed = completed.expect("completed");
        assert_eq!(completed.outcome.len(), 1);
        let next = completed.next.first().expect("a follow-up");
        days.push(next.details.due.as_ref().expect("due").date());
    }
    // The zones are 26 hours apart.
    assert!(days[0] > days[1], "{days:?}");
}

#[tokio::test]
async fn deletion_makes_room_and_its_undo_needs_room_for_one() {
    let tasks = service();
    let alice = user("alice");
    let mut created = Vec::new();
    for _ in 0..QUOTA {
        created.push(create_milk(&tasks, &alice).await);
    }
    let draft = || {
        let input = TaskInput {
            title: text("One more"),
            ..TaskInput::default()
        };
        input.into_draft().expect("a draft")
    };
    let full = tasks.create(&alice, draft(), None).await;
    assert!(matches!(full, Err(TaskError::QuotaExceeded { .. })));
    let deleted = tasks.delete_all(&alice, &ids(&created[..2]), None).await;
    let seq = deleted.expect("deleted").seq.expect("a number");
    tasks.create(&alice, draft(), None).await.expect("room");
    tasks.undo(&alice, seq, None).await.expect("undone");
    for task in &created {
        tasks.find(&alice, task.id).await.expect("restored");
    }
}

#[tokio::test]
async fn repeated_request_is_replayed() {
    let tasks = service();
    let alice = user("alice");
    let created = [
        create_milk(&tasks, &alice).await,
        create_milk(&tasks, &alice).await,
    ];
    let (list, request) = (ids(&created), keyed("k"));
    let first = tasks.complete_all(&alice, &list, Zone::UTC, Some(&request));
    let first = first.await.expect("completed");
    assert!(!first.replayed);
    let request_of_deletion = keyed("d");
    let delete = async || {
        let deleted = tasks.delete_all(&alice, &list, Some(&request_of_deletion));
        deleted.await.expect("deleted")
    };
    let deleted = delete().await;
    let again = tasks.complete_all(&alice, &list, Zone::UTC, Some(&request));
    let again = again.await.expect("replayed");
    assert!(again.replayed);
    assert_eq!((again.outcome, again.seq), (first.outcome, first.seq));
    let deleted_again = delete().await;
    assert!(deleted_again.replayed);
    assert_eq!(deleted_again.seq, deleted.seq);
    // Also when the caller has used up the keys.
    for key in ["e", "f"] {
        let draft = TaskInput {
            title: text("Another"),
            ..TaskInput::default()
        };
        let draft = draft.into_draft().expect("a draft");
        let created = tasks.create(&alice, draft, Some(&keyed(key))).await;
        created.expect("created");
    }
    let refused = tasks.delete_all(&alice, &list, Some(&keyed("g"))).await;
    assert!(matches!(refused, Err(TaskError::TooManyKeys { .. })));
    assert!(delete().await.replayed);
}

#[tokio::test(start_paused = true)]
async fn stream_tells_of_the_last_change() {
    let store = Arc::new(MemoryStore::default());
    let limits = StreamLimits {
        per_user: NonZeroUsize::MIN,
        all: NonZeroUsize::MIN,
    };
    let streams = ChangeStreams::new(store.clone(), limits);
    let tasks = service_with(TaskPorts {
        streams: Arc::clone(&streams),
        ..TaskPorts::of(store)
    });
    let alice = user("alice");
    let created = [
        create_milk(&tasks, &alice).await,
        create_milk(&tasks, &alice).await,
    ];
    let mut stream = streams.open(&alice, None).await.expect("open");
    let mut next = async || {
        let cursor = timeout(Duration::from_mins(1), stream.next()).await;
        cursor.expect("in time").expect("open").seq.get()
    };
    assert_eq!(next().await, 2);
    let list = ids(&created);
    let completed = tasks.complete_all(&alice, &list, Zone::UTC, None).await;
    completed.expect("completed");
    assert_eq!(next().await, 4);
    tasks
        .delete_all(&alice, &list, None)
        .await
        .expect("deleted");
    assert_eq!(next().await, 6);
}
