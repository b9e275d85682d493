//! Test support shared by several crates.
//!
//! | module | contents |
//! | --- | --- |
//! | [`memory`] | [`MemoryStore`](memory::MemoryStore), the storage ports without a database |
//! | [`contract`] | the obligations of the storage ports, each a named test of every adapter |
//! | [`accounts`] | [`accounts`](accounts::accounts), the use cases of accounts in memory |
//! | [`clock`] | [`ManualClock`](clock::ManualClock), a clock that tests advance |
//! | [`ids`] | [`CountedIds`](ids::CountedIds), predictable ids for snapshots |
//! | [`tokens`] | [`PlainTokens`](tokens::PlainTokens), unsigned tokens |
//! | [`passwords`] | [`PlainPasswords`](passwords::PlainPasswords), password hashes without cost |
//! | [`issuer`] | [`IssuerKey`](issuer::IssuerKey) and [`JwksServer`](issuer::JwksServer), an external token issuer |
//! | [`postgres`] | PostgreSQL servers and databases with the lifetime of a test |
//! | [`proxy`] | [`FaultProxy`](proxy::FaultProxy), a TCP proxy that loses messages |
//! | [`console`] | the recorded behaviour of the original command-line app |
//! | [`linearizability`] | a linearizability checker for concurrent histories |
//! | [`small_disk`] | [`SmallDisk`](small_disk::SmallDisk), a file system that tests can fill |

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "test support fails by panicking"
)]

pub mod accounts;
pub mod clock;
pub mod console;
pub mod contract;
pub mod ids;
pub mod issuer;
pub mod linearizability;
pub mod memory;
pub mod passwords;
pub mod postgres;
pub mod proxy;
pub mod small_disk;
pub mod tokens;
