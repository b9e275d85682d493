//! The history of the database schema. A migration is frozen once it was released, so each one
//! repeats the numbers of the domain instead of importing them; a test of
//! `taskhold-infrastructure` holds the latest schema and the domain equal.
//!
//! Every migration runs on SQLite and on PostgreSQL. They are applied by `taskhold migrate` and at
//! the start of `taskhold serve`, all pending ones in one transaction.

use sea_orm_migration::prelude::*;

mod m20261121_000001_users_and_tasks;
mod m20261121_000002_idempotency_keys;
mod m20261121_000003_accounts;
mod m20261121_000004_imports;
mod m20261128_000005_session_starts;
mod m20261129_000006_search_folding;

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
        ]
    }
}
