//! A client of Taskhold's HTTP API.
//!
//! | module | holds |
//! | --- | --- |
//! | [`Client`] | the connection to a service, and a method for each request |
//! | [`credentials`] | tokens, and logins that are refreshed |
//! | [`tasks`] | tasks, lists of tasks, the trash and the history of a task |
//! | [`changes`] | the changes since a cursor, and the stream that announces them |
//! | [`accounts`] | log-in, log-out and personal access tokens |
//! | [`files`] | export and import |
//! | [`error`] | the errors of requests and of the set-up of a client |
//!
//! **Retries.** A read, and a write with an [`IdempotencyKey`], is repeated when the connection breaks and when the
//! service asks for it (429, 503 with `Retry-After`), until [`ClientBuilder::patience`] has passed. Every write that can
//! be undone takes a key, so that it takes effect once. Keep the key until the outcome is known, and send the write with
//! the same key again, also from another process: the service remembers a key for 24 hours.
//!
//! ```no_run
//! use futures_util::TryStreamExt as _;
//! use taskhold_client::credentials::Credentials;
//! use taskhold_client::tasks::{Filter, NewTask};
//! use taskhold_client::{Client, IdempotencyKey};
//!
//! # async fn example(token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let builder = Client::builder("http://127.0.0.1:8080")?;
//! let client = builder.credentials(Credentials::token(token)).build()?;
//! let added = client.create(&NewTask::titled("Buy milk"), &IdempotencyKey::random()).await?;
//! println!("{} is change {:?}", added.value.title, added.seq);
//! let mut open = std::pin::pin!(client.tasks(&Filter::open()));
//! while let Some(task) = open.try_next().await? {
//!     println!("{}", task.title);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! `examples/tasks.rs` is a whole program:
//! `cargo run -p taskhold-client --example tasks -- http://127.0.0.1:8080 TOKEN`.
//!
//! **Consistency.** A read includes what this client has written, whichever instance of the service answers it.
//!
//! TLS is rustls with the certificates that the system trusts (or those in `SSL_CERT_FILE`), and
//! [`ClientBuilder::trust`] adds others. No C code is compiled for it. Proxies are those of the variables
//! `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.

pub mod accounts;
mod call;
mod change_seq;
pub mod changes;
mod client;
pub mod credentials;
pub mod error;
mod events;
pub mod files;
mod idempotency;
mod request;
mod task;
pub mod tasks;
mod tls;

pub use client::{Client, ClientBuilder};
pub use error::{ClientError, Error};
pub use idempotency::{IdempotencyKey, IdempotencyKeyError};
