//! The obligations of the store itself.

use super::Ports;

/// As it must be for every other obligation to mean anything.
pub async fn the_store_answers_and_its_schema_is_current(store: &Ports) {
    store.health.ping().await.expect("answered");
    assert!(store.health.schema_is_current().await.expect("answered"));
}
