//! The obligations of the store as a whole.

use super::Ports;

/// Checks what every other obligation presupposes.
pub async fn new_store_answers_with_a_current_schema(store: &Ports) {
    store.health.ping().await.expect("answered");
    assert!(store.health.schema_is_current().await.expect("answered"));
    store
        .health
        .check_writable()
        .await
        .expect("it takes writes");
}
