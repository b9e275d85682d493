//! The values that obligations store, and the calls that they share.

use std::time::Duration;

use taskhold_domain::account::{Email, PasswordHash};
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::{PresentedToken, Rotation, Session, Successor, TokenHash};
use taskhold_domain::task::change_log::{ChangeAuthor, ChangeStamp};
use taskhold_domain::task::{
    Completion, Description, Details, DetailsChange, Due, Position, Priority, Repeat, RepeatFrom,
    Tags, Task, TaskChange, TaskDraft, TaskId, Title,
};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::{User, UserId};
use taskhold_repository::error::StoreError;
use taskhold_repository::revocations::SubjectHash;
use taskhold_repository::tasks::{Precondition, TaskQuery};
use uuid::Uuid;

use super::Ports;

pub(super) fn user(name: &str) -> UserId {
    UserId::parse(name).expect("a user id")
}

pub(super) fn title(text: &str) -> Title {
    Title::parse(text).expect("a title")
}

pub(super) fn description(text: &str) -> Description {
    Description::parse(text).expect("a description")
}

pub(super) fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_767_323_045_000_000 + micros).expect("in range")
}

pub(super) fn id(number: u128) -> TaskId {
    TaskId::from_uuid(Uuid::from_u128(number))
}

pub(super) fn task(owner: &str, number: u128) -> Task {
    let draft = TaskDraft {
        title: title("Buy milk"),
        description: description("2 litres"),
        completed: false,
        details: Details::default(),
    };
    Task::create(id(number), user(owner), draft, at(0))
}

/// Returns details of every kind, with texts in any script.
pub(super) fn some_details() -> Details {
    Details {
        due: Some(Due::parse("2026-03-29T02:30:00+01:00[Europe/Berlin]").expect("a due date")),
        priority: Priority::High,
        tags: Tags::parse(["Zuhause", "\"\\ привет 😀 e\u{301}", "{}"]).expect("tags"),
        repeat: Some(rule(
            "FREQ=MONTHLY;INTERVAL=2;BYDAY=-1FR;UNTIL=20291224T170000Z",
        )),
        repeat_from: RepeatFrom::Completion,
    }
}

pub(super) fn rule(text: &str) -> Repeat {
    Repeat::parse(text).expect("a rule")
}

/// Returns changes that set and clear each detail, alone and together with other fields. Those that invert the flag
/// leave no rule, so that they lead to no follow-up.
pub(super) fn details_changes() -> Vec<TaskChange> {
    let some = some_details();
    let details = [
        DetailsChange::of(&some),
        DetailsChange {
            priority: Some(Priority::Low),
            repeat: Some(None),
            ..DetailsChange::default()
        },
        DetailsChange {
            tags: Some(Tags::default()),
            repeat_from: Some(RepeatFrom::Due),
            ..DetailsChange::default()
        },
        DetailsChange {
            due: Some(None),
            priority: Some(Priority::None),
            tags: Some(some.tags.clone()),
            ..DetailsChange::default()
        },
        DetailsChange {
            due: Some(Some(Due::parse("2026-12-01").expect("a due date"))),
            repeat: Some(Some(rule("FREQ=WEEKLY"))),
            ..DetailsChange::default()
        },
        DetailsChange {
            tags: Some(Tags::parse(["zuhause"]).expect("tags")),
            repeat: Some(None),
            ..DetailsChange::default()
        },
        DetailsChange::of(&Details::default()),
        DetailsChange::of(&Details::default()),
    ];
    let changes = (0..).zip(details).map(|(number, details)| TaskChange {
        title: (number % 3 == 1).then(|| title(&format!("changed {number}"))),
        completion: (number % 2 == 1).then_some(Completion::Toggle),
        position: (number % 3 == 2).then(Position::default),
        details,
        ..TaskChange::default()
    });
    changes.collect()
}

/// Returns a change at `micros` by a user who is logged in.
pub(super) fn stamp(micros: i64) -> ChangeStamp {
    stamp_at(at(micros))
}

pub(super) fn stamp_at(at: Timestamp) -> ChangeStamp {
    ChangeStamp {
        at,
        by: ChangeAuthor::session(),
    }
}

pub(super) async fn add_task(store: &Ports, task: Task) -> Task {
    try_add(store, &task).await.expect("added");
    task
}

/// Adds a task for a user who is logged in.
///
/// # Errors
/// Those of the port.
pub async fn try_add(store: &Ports, task: &Task) -> Result<(), StoreError> {
    let by = ChangeAuthor::session();
    store.tasks.add(task, &by).await.map(drop)
}

/// Changes a task for a user who is logged in.
///
/// # Errors
/// Those of the port.
pub async fn try_change(
    store: &Ports,
    owner: &UserId,
    id: TaskId,
    change: &TaskChange,
    precondition: &Precondition,
    now: Timestamp,
) -> Result<Option<Task>, StoreError> {
    let stamp = stamp_at(now);
    let changed = store
        .tasks
        .change(owner, id, change, precondition, None, &stamp);
    Ok(changed.await?.map(|written| written.outcome))
}

/// Removes a task for a user who is logged in.
///
/// # Errors
/// Those of the port.
pub async fn try_remove(
    store: &Ports,
    owner: &UserId,
    id: TaskId,
    precondition: &Precondition,
) -> Result<bool, StoreError> {
    let stamp = stamp(0);
    let removed = store.tasks.remove(owner, id, precondition, &stamp);
    Ok(removed.await?.is_some())
}

/// Returns the task with both of its times set to `micros`.
pub(super) fn created_at(task: Task, micros: i64) -> Task {
    Task {
        created_at: at(micros),
        updated_at: at(micros),
        ..task
    }
}

pub(super) async fn find_task(store: &Ports, task: &Task) -> Option<Task> {
    store
        .tasks
        .find(&task.owner, task.id)
        .await
        .expect("answered")
}

pub(super) async fn list_tasks(store: &Ports, owner: &UserId) -> Vec<Task> {
    let page = store
        .tasks
        .list(owner, &TaskQuery::default())
        .await
        .expect("listed");
    assert_eq!(page.next, None, "all means all");
    page.tasks
}

/// The lifetime of sessions and revocations in these tests, in microseconds.
pub(super) const LIFETIME: i64 = 3_600_000_000;

/// The same for access tokens.
pub(super) const MAX_TOKEN_LIFETIME: Duration = Duration::from_hours(1);

pub(super) fn email(text: &str) -> Email {
    Email::parse(text).expect("an e-mail address")
}

pub(super) fn password(text: &str) -> PasswordHash {
    PasswordHash::parse(format!("$plain${text}")).expect("a password hash")
}

pub(super) fn account(name: &str) -> User {
    User {
        id: user(name),
        email: Some(email(&format!("{name}@example.org"))),
        name: None,
        password: Some(password("first")),
        is_active: true,
        created_at: at(0),
    }
}

pub(super) fn token(number: u32) -> TokenHash {
    let mut digest = [0; 32];
    digest[..4].copy_from_slice(&number.to_be_bytes());
    TokenHash(digest)
}

/// Returns the first session of the family with the same number.
pub(super) fn session(name: &str, number: u32) -> Session {
    Session {
        token: token(number),
        family: Uuid::from_u128(number.into()),
        user: user(name),
        started_at: at(0),
        created_at: at(0),
        expires_at: at(LIFETIME),
    }
}

/// Returns a presented token that proves no family.
pub(super) fn presented(number: u32) -> PresentedToken {
    PresentedToken {
        hash: token(number),
        family: None,
    }
}

/// Registers an account with the session of this number.
pub(super) async fn register(store: &Ports, name: &str, number: u32) -> User {
    let user = account(name);
    let registered = store.users.register(&user, &session(name, number)).await;
    registered.expect("registered");
    user
}

pub(super) async fn find_user(store: &Ports, name: &str) -> Option<User> {
    store.users.find(&user(name)).await.expect("answered")
}

pub(super) async fn find_user_by_email(store: &Ports, address: &str) -> Option<User> {
    let found = store.users.find_by_email(&email(address)).await;
    found.expect("answered")
}

pub(super) async fn rotate(store: &Ports, number: u32, next: u32) -> Rotation {
    rotate_at(store, presented(number), next, 1).await
}

/// Returns the outcome of a rotation for this user, who logged in as [`session`] tells.
pub(super) fn rotated(user: User) -> Rotation {
    Rotation::Rotated {
        user,
        started_at: at(0),
    }
}

/// Exchanges a token at `micros`. The session may become four lifetimes old.
pub(super) async fn rotate_at(
    store: &Ports,
    token: PresentedToken,
    next: u32,
    micros: i64,
) -> Rotation {
    let successor = Successor {
        token: self::token(next),
        created_at: at(micros),
        expires_at: at(LIFETIME + micros),
        max_session_age: 4 * MAX_TOKEN_LIFETIME,
    };
    let rotation = store
        .sessions
        .rotate(token, &successor, MAX_TOKEN_LIFETIME)
        .await;
    rotation.expect("answered")
}

/// Returns a revocation of every token that the user was issued before `micros`.
pub(super) fn revocation(name: &str, micros: i64) -> Revocation {
    Revocation {
        user: user(name),
        session: None,
        not_before: at(micros),
        kept_until: at(micros + LIFETIME),
    }
}

pub(super) async fn remove_user(store: &Ports, name: &str) -> bool {
    let removed = store.users.remove(&revocation(name, 1)).await;
    removed.expect("answered")
}

/// Returns the time before which the user's tokens are revoked, as reported soon afterwards.
pub(super) async fn not_before(store: &Ports, name: &str) -> Option<Timestamp> {
    let current = store.revocations.current().await;
    let mut current = current.expect("answered").into_iter();
    let subject = SubjectHash::of(&user(name));
    current.find_map(|(of, not_before)| (of == subject).then_some(not_before))
}
