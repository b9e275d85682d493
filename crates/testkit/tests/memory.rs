//! The in-memory adapter keeps the contract of the storage ports.

use taskhold_testkit::memory::MemoryStore;
use taskhold_testkit::store_contract;

store_contract!(memory, async { super::MemoryStore::default() });

#[tokio::test]
async fn every_query_of_ten_thousand_tasks() {
    taskhold_testkit::contract::queries::every_query_of(&MemoryStore::default(), 10_000).await;
}
