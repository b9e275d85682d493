//! The obligations of the storage ports. Each is a function; [`store_contract!`](crate::store_contract)
//! makes a named test of every one of them for an adapter.

pub mod accounts;
pub mod health;
pub mod idempotency;
pub mod import;
pub mod owners;
pub mod queries;
pub mod rate_limits;
pub mod revocations;
pub mod sessions;
pub mod tasks;

use std::sync::Arc;

use taskhold_domain::account::{Email, PasswordHash};
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::{Rotation, Session, Successor, TokenHash};
use taskhold_domain::task::{Description, Task, TaskDraft, TaskId, Title};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::{User, UserId};
use taskhold_repository::health::StoreHealth;
use taskhold_repository::idempotency::IdempotencyKeyRepository;
use taskhold_repository::import::ImportRepository;
use taskhold_repository::rate_limits::RateLimitRepository;
use taskhold_repository::revocations::{RevocationRepository, SubjectHash};
use taskhold_repository::sessions::SessionRepository;
use taskhold_repository::tasks::{TaskQuery, TaskRepository};
use taskhold_repository::users::UserRepository;
use uuid::Uuid;

/// The storage ports of one empty store.
pub struct Ports {
    /// Tasks.
    pub tasks: Arc<dyn TaskRepository>,
    /// Users.
    pub users: Arc<dyn UserRepository>,
    /// Sessions.
    pub sessions: Arc<dyn SessionRepository>,
    /// Revocations.
    pub revocations: Arc<dyn RevocationRepository>,
    /// Rate limits.
    pub rate_limits: Arc<dyn RateLimitRepository>,
    /// Idempotency keys.
    pub keys: Arc<dyn IdempotencyKeyRepository>,
    /// Imports.
    pub imports: Arc<dyn ImportRepository>,
    /// Health checks.
    pub health: Arc<dyn StoreHealth>,
}

impl Ports {
    /// Returns the ports of a store that implements all of them.
    #[must_use]
    pub fn of<S>(store: S) -> Self
    where
        S: TaskRepository
            + UserRepository
            + SessionRepository
            + RevocationRepository
            + RateLimitRepository
            + IdempotencyKeyRepository
            + ImportRepository
            + StoreHealth
            + 'static,
    {
        let store = Arc::new(store);
        Self {
            tasks: store.clone(),
            users: store.clone(),
            sessions: store.clone(),
            revocations: store.clone(),
            rate_limits: store.clone(),
            keys: store.clone(),
            imports: store.clone(),
            health: store,
        }
    }
}

impl AsRef<Self> for Ports {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// Defines a module of tests, one for each obligation, for the store that `$open` opens: an expression that
/// can be awaited and whose value gives its [`Ports`] by `AsRef`.
#[macro_export]
macro_rules! store_contract {
    ($adapter:ident, $open:expr) => {
        mod $adapter {
            $crate::store_contract!(@tests $open; tasks:
                a_task_comes_back_as_it_was_kept
                what_is_not_there_is_no_error
                the_list_is_newest_first_and_ties_are_broken_by_id
                the_list_holds_the_owners_tasks_only
                another_users_task_cannot_be_read_changed_or_removed
                user_ids_are_compared_to_the_letter
                every_change_agrees_with_the_domain
                updated_at_advances_also_when_the_clock_does_not
                a_stale_change_loses
                no_version_at_all_never_matches
                a_stale_removal_loses
                a_second_removal_finds_nothing
                an_id_is_taken_once
                of_two_changes_of_one_version_exactly_one_wins
                concurrent_toggles_are_all_made
            );
            $crate::store_contract!(@tests $open; queries:
                every_query_agrees_with_the_rules
                a_page_knows_whether_there_is_more
                an_offset_skips_so_many
                paging_by_creation_survives_what_others_do
                a_search_follows_changes
            );
            $crate::store_contract!(@tests $open; idempotency:
                every_write_under_a_key_is_done_once
                a_key_of_another_request_is_refused
                a_write_that_misses_leaves_its_key_free
                everybody_has_their_own_keys
                a_key_is_forgotten_after_its_time
                keys_are_forgotten_in_bounded_steps
                a_request_under_a_key_can_be_recalled
                concurrent_duplicates_are_done_once
                removing_a_user_removes_their_keys
            );
            $crate::store_contract!(@tests $open; owners:
                the_first_task_makes_its_owner_known
                concurrent_first_tasks_make_one_owner
                removing_a_user_removes_their_tasks_and_no_others
                removing_a_user_removes_all_that_is_theirs
                a_removed_user_does_not_come_back_at_once
                a_user_who_is_removed_while_writing_stays_removed
                a_user_whose_tokens_were_revoked_goes_on_writing
            );
            $crate::store_contract!(@tests $open; accounts:
                an_account_comes_back_as_it_was_kept
                an_email_address_is_compared_without_regard_to_case
                of_concurrent_registrations_of_one_address_one_is_kept
                a_registration_keeps_the_user_and_the_session_or_neither
                users_are_listed_by_id_in_pages
                another_password_ends_every_session_and_token
                a_change_of_password_ends_every_session_but_its_own
                of_concurrent_changes_of_one_password_one_is_made
                who_is_kept_out_changes_no_password
                an_account_that_is_not_there_cannot_be_changed
                an_outdated_hash_is_replaced_only_where_it_is_still_there
                a_user_is_kept_out_and_let_in_again
            );
            $crate::store_contract!(@tests $open; sessions:
                a_refresh_token_is_good_for_one_use
                a_token_that_is_unknown_or_expired_is_refused
                who_is_kept_out_is_given_no_session
                nobody_has_no_session
                no_session_starts_with_another_password
                no_session_outlives_a_change_of_its_password
                a_reuse_ends_its_family_and_no_other
                of_several_uses_at_once_one_wins_and_the_others_end_the_family
                a_reuse_ends_a_family_that_is_being_renewed
                no_session_that_is_being_renewed_outlives_the_end_of_all
                the_end_of_one_login_leaves_the_others
                nobody_ends_another_users_login
                the_end_of_all_logins_leaves_none
                sessions_are_forgotten_in_bounded_steps
            );
            $crate::store_contract!(@tests $open; revocations:
                a_revocation_matters_until_its_time
                the_latest_revocation_of_a_user_counts
                nobody_who_is_kept_out_comes_in_by_ending_sessions
                revocations_are_forgotten_in_bounded_steps
            );
            $crate::store_contract!(@tests $open; rate_limits:
                attempts_are_counted_in_windows
                every_counter_counts_for_itself
                concurrent_attempts_are_all_counted
                an_attempt_that_is_taken_back_does_not_count
                concurrent_attempts_are_all_taken_back
                a_cleared_counter_begins_anew
                counters_are_forgotten_in_bounded_steps
            );
            $crate::store_contract!(@tests $open; import:
                an_import_happens_at_once_or_never
                an_import_that_is_given_up_leaves_nothing
                an_import_made_again_changes_nothing
                what_was_edited_since_stays_so
                what_was_deleted_since_stays_away
                of_rows_that_are_one_the_last_counts
                a_row_is_known_by_its_owners_number_and_time
                an_id_that_another_user_has_is_taken
                every_field_is_kept
                imports_at_once_make_each_task_once
                removing_a_user_forgets_what_was_imported
            );
            $crate::store_contract!(@tests $open; health:
                the_store_answers_and_its_schema_is_current
            );
        }
    };
    (@tests $open:expr; $topic:ident: $($obligation:ident)+) => {
        $(
            #[tokio::test]
            async fn $obligation() {
                let store = $open.await;
                $crate::contract::$topic::$obligation(store.as_ref()).await;
            }
        )+
    };
}

fn user(name: &str) -> UserId {
    UserId::parse(name).expect("a user id")
}

fn title(text: &str) -> Title {
    Title::parse(text).expect("a title")
}

fn description(text: &str) -> Description {
    Description::parse(text).expect("a description")
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(1_767_323_045_000_000 + micros).expect("in range")
}

fn id(number: u128) -> TaskId {
    TaskId::from_uuid(Uuid::from_u128(number))
}

fn task(owner: &str, number: u128) -> Task {
    let draft = TaskDraft {
        title: title("Buy milk"),
        description: description("2 litres"),
        completed: false,
    };
    Task::create(id(number), user(owner), draft, at(0))
}

async fn kept(store: &Ports, task: Task) -> Task {
    store.tasks.add(&task).await.expect("added");
    task
}

/// The task as if it had been created then.
fn created_at(task: Task, micros: i64) -> Task {
    Task {
        created_at: at(micros),
        updated_at: at(micros),
        ..task
    }
}

async fn found(store: &Ports, task: &Task) -> Option<Task> {
    store
        .tasks
        .find(&task.owner, task.id)
        .await
        .expect("answered")
}

async fn all(store: &Ports, owner: &UserId) -> Vec<Task> {
    let page = store
        .tasks
        .list(owner, &TaskQuery::default())
        .await
        .expect("listed");
    assert_eq!(page.next, None, "all means all");
    page.tasks
}

/// How long what is given out here lives, in microseconds.
const LIFETIME: i64 = 3_600_000_000;

fn email(text: &str) -> Email {
    Email::parse(text).expect("an e-mail address")
}

fn password(text: &str) -> PasswordHash {
    PasswordHash::parse(format!("$plain${text}")).expect("a password hash")
}

fn account(name: &str) -> User {
    User {
        id: user(name),
        email: Some(email(&format!("{name}@example.org"))),
        name: None,
        password: Some(password("first")),
        is_active: true,
        created_at: at(0),
    }
}

fn token(number: u32) -> TokenHash {
    let mut digest = [0; 32];
    digest[..4].copy_from_slice(&number.to_be_bytes());
    TokenHash(digest)
}

/// One of a family of the same number.
fn session(name: &str, number: u32) -> Session {
    Session {
        token: token(number),
        family: Uuid::from_u128(number.into()),
        user: user(name),
        created_at: at(0),
        expires_at: at(LIFETIME),
    }
}

/// An account, with a session of this number.
async fn registered(store: &Ports, name: &str, number: u32) -> User {
    let user = account(name);
    let kept = store.users.register(&user, &session(name, number)).await;
    kept.expect("registered");
    user
}

async fn user_of(store: &Ports, name: &str) -> Option<User> {
    store.users.find(&user(name)).await.expect("answered")
}

async fn user_by_email(store: &Ports, address: &str) -> Option<User> {
    let found = store.users.find_by_email(&email(address)).await;
    found.expect("answered")
}

async fn rotated(store: &Ports, number: u32, next: u32) -> Rotation {
    let successor = Successor {
        token: token(next),
        created_at: at(1),
        expires_at: at(LIFETIME + 1),
    };
    let rotation = store.sessions.rotate(token(number), &successor).await;
    rotation.expect("answered")
}

/// That no token counts which this user got before.
fn revocation(name: &str, micros: i64) -> Revocation {
    Revocation {
        user: user(name),
        not_before: at(micros),
        kept_until: at(micros + LIFETIME),
    }
}

async fn removed(store: &Ports, name: &str) -> bool {
    let removed = store.users.remove(&revocation(name, 1)).await;
    removed.expect("answered")
}

/// Since when this user's tokens count, as the store says soon after.
async fn not_before(store: &Ports, name: &str) -> Option<Timestamp> {
    let current = store.revocations.current(at(100)).await;
    let mut current = current.expect("answered").into_iter();
    let subject = SubjectHash::of(&user(name));
    current.find_map(|(of, not_before)| (of == subject).then_some(not_before))
}
