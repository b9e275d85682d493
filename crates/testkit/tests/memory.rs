//! The in-memory store keeps the contract of the storage ports.

use taskhold_testkit::contract::Ports;
use taskhold_testkit::contract::queries::every_query_of;
use taskhold_testkit::memory::MemoryStore;
use taskhold_testkit::store_contract;

fn open() -> Ports {
    Ports::of(MemoryStore::default())
}

store_contract!(memory, async { super::open() });

#[tokio::test]
async fn every_query_of_ten_thousand_tasks() {
    every_query_of(&open(), 10_000).await;
}
