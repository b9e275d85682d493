//! What the tests of several crates share.
//!
//! | module | holds |
//! | --- | --- |
//! | [`memory`] | [`MemoryStore`](memory::MemoryStore), the storage ports without a database |
//! | [`contract`] | the obligations of the storage ports, each a named test for every adapter |
//! | [`clock`] | [`ManualClock`](clock::ManualClock), which stands still until told |
//! | [`ids`] | [`CountedIds`](ids::CountedIds), ids that a snapshot can name |
//! | [`tokens`] | [`PlainTokens`](tokens::PlainTokens), tokens that anyone can write |
//! | [`passwords`] | [`PlainPasswords`](passwords::PlainPasswords), hashes that cost nothing |
//! | [`issuer`] | [`IssuerKey`](issuer::IssuerKey) and [`JwksServer`](issuer::JwksServer): an issuer of tokens that is not the service |
//! | [`postgres`] | PostgreSQL servers and databases that live as long as a test |
//! | [`proxy`] | [`FaultProxy`](proxy::FaultProxy), which loses what a client and a server say |
//! | [`console`] | the behaviour recorded from the console |
//! | [`linearizability`] | whether some order explains what concurrent clients saw |

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "tests say what they expect, and everything here is part of one"
)]

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
