//! The obligations of the store itself.

use super::Adapter;

/// As it must be for every other obligation to mean anything.
pub async fn the_store_answers_and_its_schema_is_current(store: &impl Adapter) {
    store.probe().ping().await.expect("answered");
    assert!(store.probe().schema_is_current().await.expect("answered"));
}
