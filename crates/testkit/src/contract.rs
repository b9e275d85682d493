//! The obligations of the storage ports. Each obligation is a function;
//! [`store_contract!`](crate::store_contract) turns all of them into named tests of an adapter.

pub mod accounts;
pub mod bulk;
pub mod bulk_undo;
pub mod change_log;
mod fixtures;
pub mod health;
pub mod idempotency;
pub mod import;
pub mod leases;
pub mod owners;
pub mod personal_tokens;
pub mod positions;
pub mod queries;
pub mod rate_limits;
pub mod repeat;
pub mod revocations;
pub mod sessions;
pub mod tasks;
pub mod trash;
pub mod undo;

use std::sync::Arc;

use taskhold_repository::change_log::ChangeLogRepository;
use taskhold_repository::health::StoreHealth;
use taskhold_repository::idempotency::IdempotencyKeyRepository;
use taskhold_repository::import::ImportRepository;
use taskhold_repository::leases::LeaseRepository;
use taskhold_repository::personal_tokens::PersonalTokenRepository;
use taskhold_repository::rate_limits::RateLimitRepository;
use taskhold_repository::revocations::RevocationRepository;
use taskhold_repository::sessions::SessionRepository;
use taskhold_repository::tasks::TaskRepository;
use taskhold_repository::trash::TrashRepository;
use taskhold_repository::users::UserRepository;

pub use self::fixtures::{try_add, try_change, try_remove};

/// The storage ports of one empty store.
pub struct Ports {
    /// Tasks.
    pub tasks: Arc<dyn TaskRepository>,
    /// The change log.
    pub change_log: Arc<dyn ChangeLogRepository>,
    /// The trash.
    pub trash: Arc<dyn TrashRepository>,
    /// Users.
    pub users: Arc<dyn UserRepository>,
    /// Sessions.
    pub sessions: Arc<dyn SessionRepository>,
    /// Personal access tokens.
    pub personal_tokens: Arc<dyn PersonalTokenRepository>,
    /// Revocations.
    pub revocations: Arc<dyn RevocationRepository>,
    /// Rate limits.
    pub rate_limits: Arc<dyn RateLimitRepository>,
    /// Idempotency keys.
    pub keys: Arc<dyn IdempotencyKeyRepository>,
    /// Imports.
    pub imports: Arc<dyn ImportRepository>,
    /// Leases.
    pub leases: Arc<dyn LeaseRepository>,
    /// Health checks.
    pub health: Arc<dyn StoreHealth>,
}

impl Ports {
    /// Returns the ports of a store that implements all of them.
    #[must_use]
    pub fn of<S>(store: S) -> Self
    where
        S: TaskRepository
            + ChangeLogRepository
            + TrashRepository
            + UserRepository
            + SessionRepository
            + PersonalTokenRepository
            + RevocationRepository
            + RateLimitRepository
            + IdempotencyKeyRepository
            + ImportRepository
            + LeaseRepository
            + StoreHealth
            + 'static,
    {
        let store = Arc::new(store);
        Self {
            tasks: store.clone(),
            change_log: store.clone(),
            trash: store.clone(),
            users: store.clone(),
            sessions: store.clone(),
            personal_tokens: store.clone(),
            revocations: store.clone(),
            rate_limits: store.clone(),
            keys: store.clone(),
            imports: store.clone(),
            leases: store.clone(),
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
                lists_follow_changed_due_dates
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
            $crate::store_contract!(@tests $open; change_log:
                every_write_appends_one_change
                change_keeps_the_old_values_of_what_changed
                log_is_empty_before_the_first_change
                pages_have_each_task_once_and_as_it_is_now
                log_of_another_user_is_not_read
                concurrent_changes_have_numbers_without_gaps
                expired_changes_are_purged_in_batches
                removing_a_user_removes_log_and_trash
                import_appends_changes
                feeds_of_several_owners_are_read
            );
            $crate::store_contract!(@tests $open; undo:
                change_is_undone_and_redone
                undo_conflicts_only_with_later_changes_of_its_fields
                deletion_and_creation_are_undone
                replayed_undo_changes_nothing
                change_of_another_user_cannot_be_undone
            );
            $crate::store_contract!(@tests $open; bulk:
                completed_tasks_have_consecutive_numbers
                deleted_tasks_go_to_the_trash_together
                task_that_is_not_the_owners_changes_none
                tasks_that_repeat_get_follow_ups
                replayed_bulk_write_changes_nothing
                concurrent_duplicates_of_a_bulk_write_are_made_once
                concurrent_bulk_writes_do_not_deadlock
            );
            $crate::store_contract!(@tests $open; bulk_undo:
                completions_are_undone_and_redone_by_any_number
                deletions_are_undone_and_redone_by_any_number
                bulk_write_with_a_changed_task_is_not_undone
                undo_of_deletions_needs_room
                hundred_tasks_are_written_and_undone
            );
            $crate::store_contract!(@tests $open; repeat:
                change_is_made_only_if_the_task_allows_it
                concurrent_changes_leave_out_tasks_that_repeat
                completion_adds_one_follow_up
                last_completion_adds_none
                stale_completion_adds_no_follow_up
                concurrent_completions_add_one_follow_up
                concurrent_toggles_add_one_follow_up
                replayed_completion_adds_no_follow_up
                concurrent_duplicates_add_one_follow_up
                undone_completion_takes_its_follow_up_back
                undo_leaves_a_changed_follow_up
                undo_leaves_no_rule_without_due_date
            );
            $crate::store_contract!(@tests $open; positions:
                new_tasks_come_first
                moved_task_is_at_its_destination
                task_is_not_moved_next_to_what_is_not_there
                random_moves_match_the_model
                tasks_without_room_between_them_get_new_positions
                moves_around_the_previous_one_keep_positions_short
                concurrent_moves_keep_every_task_and_number
                concurrent_writes_survive_new_positions
                paging_by_position_survives_moves
                move_is_undone_and_redone
                keyed_move_is_made_once
                position_is_kept_in_the_trash
                follow_up_is_directly_after_its_task
            );
            $crate::store_contract!(@tests $open; trash:
                deleted_task_is_in_the_trash
                trash_is_listed_in_pages
                restored_task_is_as_it_was
                purged_task_is_gone_for_good
                expired_trash_is_purged_in_batches
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
            $crate::store_contract!(@tests $open; personal_tokens:
                added_token_is_read_back_unchanged
                valid_tokens_are_listed_latest_first
                token_is_removed_by_its_user_only
                tokens_of_a_user_are_limited
                latest_day_of_use_is_kept
                deactivated_user_has_no_tokens
                deleted_user_has_no_tokens
                password_change_revokes_tokens_if_asked
                expired_tokens_are_purged_in_batches
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
            $crate::store_contract!(@tests $open; leases:
                lease_has_one_holder_until_it_expires
                lease_is_released_by_its_holder
                lease_with_an_end_far_ahead_is_free
                concurrent_instances_have_one_holder
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
