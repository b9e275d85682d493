//! The in-memory adapter keeps the contract of the storage ports.

use taskhold_testkit::memory::MemoryStore;
use taskhold_testkit::store_contract;

store_contract!(memory, async { super::MemoryStore::default() });
