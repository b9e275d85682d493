//! The history of the database schema. A migration is frozen once it was released, so each one
//! repeats the numbers of the domain instead of importing them; a test of
//! `taskhold-infrastructure` holds the latest schema and the domain equal.
//!
//! Every migration runs on SQLite and on PostgreSQL. They are applied by `taskhold migrate` and at
//! the start of `taskhold serve`, all pending ones in one transaction. PostgreSQL runs those that build
//! indexes outside of it.

use sea_orm_migration::prelude::*;

mod index;
mod m20261121_000001_users_and_tasks;
mod m20261121_000002_idempotency_keys;
mod m20261121_000003_accounts;
mod m20261121_000004_imports;
mod m20261128_000005_session_starts;
mod m20261129_000006_search_folding;
mod m20261129_000007_change_log;
mod m20261129_000008_task_details;
mod m20261129_000009_due_dates;
mod m20261129_000010_due_date_indexes;
mod m20261129_000011_positions;
mod m20261129_000012_position_index;
mod m20261130_000013_personal_tokens;
mod m20261130_000014_locks;

pub use m20261130_000014_locks::create_table as create_locks;

/// The migrations, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_users_and_tasks::Migration),
            Box::new(m20261121_000002_idempotency_keys::Migration),
            Box::new(m20261121_000003_accounts::Migration),
            Box::new(m20261121_000004_imports::Migration),
            Box::new(m20261128_000005_session_starts::Migration),
            Box::new(m20261129_000006_search_folding::Migration),
            Box::new(m20261129_000007_change_log::Migration),
            Box::new(m20261129_000008_task_details::Migration),
            Box::new(m20261129_000009_due_dates::Migration),
            Box::new(m20261129_000010_due_date_indexes::Migration),
            Box::new(m20261129_000011_positions::Migration),
            Box::new(m20261129_000012_position_index::Migration),
            Box::new(m20261130_000013_personal_tokens::Migration),
            Box::new(m20261130_000014_locks::Migration),
        ]
    }
}
