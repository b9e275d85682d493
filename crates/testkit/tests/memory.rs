//! The contract of the storage ports on the in-memory store.

use taskhold_testkit::contract::Ports;
use taskhold_testkit::contract::queries::check_every_query;
use taskhold_testkit::memory::MemoryStore;
use taskhold_testkit::store_contract;

fn open() -> Ports {
    Ports::of(MemoryStore::default())
}

store_contract!(memory, async { super::open() });

#[tokio::test]
async fn queries_on_ten_thousand_tasks_match_the_reference() {
    check_every_query(&open(), 10_000).await;
}
