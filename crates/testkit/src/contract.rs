//! The obligations of the storage ports. Each obligation is a function;
//! [`store_contract!`](crate::store_contract) turns all of them into named tests of an adapter.

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
use std::time::Duration;

use taskhold_domain::account::{Email, PasswordHash};
use taskhold_domain::revocation::Revocation;
use taskhold_domain::session::{PresentedToken, Rotation, Session, Successor, TokenHash};
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

/// Defines a module of tests, one for each obligation. `$open` is an awaitable expression that
/// opens an empty store and whose value implements `AsRef<Ports>`.
#[macro_export]
macro_rules! store_contract {
    ($adapter:ident, $open:expr) => {
        mod $adapter {
            $crate::store_contract!(@tests $open; tasks:
                added_task_is_read_back_unchanged
                absent_task_is_not_an_error
                list_is_newest_first_with_ties_broken_by_id
                list_holds_only_the_owners_tasks
                another_users_task_cannot_be_read_changed_or_removed
                user_ids_are_compared_exactly
                stored_change_equals_the_domain_change
                updated_at_advances_when_the_clock_stands_still
                stale_change_loses
                empty_revision_list_never_matches
                stale_removal_loses
                second_removal_finds_nothing
                duplicate_id_is_refused
                concurrent_changes_of_one_revision_have_one_winner
                concurrent_toggles_are_all_applied
            );
            $crate::store_contract!(@tests $open; queries:
                every_query_matches_the_reference
                page_reports_whether_more_follow
                offset_skips_tasks
                paging_by_creation_survives_concurrent_changes
                search_finds_the_current_text
                search_compares_texts_as_people_read_them
            );
            $crate::store_contract!(@tests $open; idempotency:
                keyed_write_is_applied_once
                key_of_a_different_request_is_refused
                missed_write_leaves_its_key_free
                keys_are_counted_by_user_until_they_expire
                keys_are_scoped_to_their_user
                key_expires_after_its_retention
                expired_keys_are_purged_in_batches
                keyed_request_can_be_recalled
                concurrent_duplicates_are_applied_once
                removing_a_user_removes_their_keys
            );
            $crate::store_contract!(@tests $open; owners:
                first_task_creates_its_owner
                concurrent_first_tasks_create_one_owner
                removing_a_user_removes_only_their_tasks
                removing_a_user_removes_all_their_rows
                removed_user_is_not_recreated_within_the_propagation_time
                user_removed_while_writing_stays_removed
                user_with_revoked_tokens_can_still_write
            );
            $crate::store_contract!(@tests $open; accounts:
                registered_account_is_read_back_unchanged
                email_addresses_are_compared_case_insensitively
                concurrent_registrations_of_one_address_have_one_winner
                failed_registration_stores_neither_user_nor_session
                users_are_listed_by_id_in_pages
                password_reset_ends_every_session_and_token
                password_change_ends_every_other_session
                concurrent_password_changes_have_one_winner
                deactivated_user_cannot_change_the_password
                absent_account_cannot_be_changed
                outdated_hash_is_replaced_only_while_current
                user_is_deactivated_and_reactivated
            );
            $crate::store_contract!(@tests $open; sessions:
                refresh_token_works_once
                unknown_or_expired_token_is_refused
                deactivated_user_gets_no_session
                absent_user_gets_no_session
                wrong_password_starts_no_session
                password_change_ends_concurrent_logins
                reused_token_revokes_only_its_family
                concurrent_uses_have_one_winner_and_revoke_the_family
                reuse_during_rotation_revokes_the_family
                ending_all_sessions_ends_concurrent_rotations
                ending_one_session_leaves_the_others
                token_ends_only_its_own_session
                ending_all_sessions_leaves_none
                expired_sessions_are_purged_in_batches
                reused_token_revokes_the_access_tokens_of_its_user
                reuse_revokes_tokens_that_are_later_than_its_own_time
                superseded_token_is_recognized_without_its_row
                session_ends_at_its_age_despite_refreshes
                excess_session_ends_the_least_recently_refreshed
                valid_sessions_are_listed_latest_first
                session_of_a_family_is_ended_by_its_user_only
                ending_sessions_covers_concurrent_refreshes
            );
            $crate::store_contract!(@tests $open; revocations:
                revocation_is_current_until_it_is_purged
                latest_revocation_of_a_user_wins
                ending_sessions_does_not_reactivate_a_user
                purged_revocations_leave_the_latest_of_their_times
            );
            $crate::store_contract!(@tests $open; rate_limits:
                attempts_are_counted_per_window
                counters_are_independent
                concurrent_attempts_are_all_counted
                refunded_attempt_is_not_counted
                concurrent_refunds_are_all_applied
                cleared_counter_starts_over
                expired_counters_are_purged_in_batches
                mark_lasts_until_its_end
            );
            $crate::store_contract!(@tests $open; import:
                import_is_atomic
                abandoned_import_leaves_nothing
                repeated_import_changes_nothing
                repeated_import_keeps_later_edits
                repeated_import_does_not_restore_deleted_tasks
                import_again_restores_deleted_tasks_once
                import_names_new_owners
                last_of_duplicate_rows_wins
                row_is_identified_by_owner_number_and_time
                id_of_another_users_task_is_reported_as_taken
                every_field_is_imported_unchanged
                concurrent_imports_create_each_task_once
                removing_a_user_removes_their_import_records
            );
            $crate::store_contract!(@tests $open; health:
                new_store_answers_with_a_current_schema
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

async fn add_task(store: &Ports, task: Task) -> Task {
    store.tasks.add(&task).await.expect("added");
    task
}

/// Returns the task with both of its times set to `micros`.
fn created_at(task: Task, micros: i64) -> Task {
    Task {
        created_at: at(micros),
        updated_at: at(micros),
        ..task
    }
}

async fn find_task(store: &Ports, task: &Task) -> Option<Task> {
    store
        .tasks
        .find(&task.owner, task.id)
        .await
        .expect("answered")
}

async fn list_tasks(store: &Ports, owner: &UserId) -> Vec<Task> {
    let page = store
        .tasks
        .list(owner, &TaskQuery::default())
        .await
        .expect("listed");
    assert_eq!(page.next, None, "all means all");
    page.tasks
}

/// The lifetime of sessions and revocations in these tests, in microseconds.
const LIFETIME: i64 = 3_600_000_000;

/// The same for access tokens.
const MAX_TOKEN_LIFETIME: Duration = Duration::from_hours(1);

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

/// Returns the first session of the family with the same number.
fn session(name: &str, number: u32) -> Session {
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
fn presented(number: u32) -> PresentedToken {
    PresentedToken {
        hash: token(number),
        family: None,
    }
}

/// Registers an account with the session of this number.
async fn register(store: &Ports, name: &str, number: u32) -> User {
    let user = account(name);
    let registered = store.users.register(&user, &session(name, number)).await;
    registered.expect("registered");
    user
}

async fn find_user(store: &Ports, name: &str) -> Option<User> {
    store.users.find(&user(name)).await.expect("answered")
}

async fn find_user_by_email(store: &Ports, address: &str) -> Option<User> {
    let found = store.users.find_by_email(&email(address)).await;
    found.expect("answered")
}

async fn rotate(store: &Ports, number: u32, next: u32) -> Rotation {
    rotate_at(store, presented(number), next, 1).await
}

/// Exchanges a token at `micros`. The session may become four lifetimes old.
async fn rotate_at(store: &Ports, token: PresentedToken, next: u32, micros: i64) -> Rotation {
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
fn revocation(name: &str, micros: i64) -> Revocation {
    Revocation {
        user: user(name),
        session: None,
        not_before: at(micros),
        kept_until: at(micros + LIFETIME),
    }
}

async fn remove_user(store: &Ports, name: &str) -> bool {
    let removed = store.users.remove(&revocation(name, 1)).await;
    removed.expect("answered")
}

/// Returns the time before which the user's tokens are revoked, as reported soon afterwards.
async fn not_before(store: &Ports, name: &str) -> Option<Timestamp> {
    let current = store.revocations.current().await;
    let mut current = current.expect("answered").into_iter();
    let subject = SubjectHash::of(&user(name));
    current.find_map(|(of, not_before)| (of == subject).then_some(not_before))
}
