//! What a token may do.

use actix_web::http::header::WWW_AUTHENTICATE;
use taskhold_api::caller::Caller;
use taskhold_api::problem::{Kind, Problem};

/// What the token of a request may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Read tasks.
    Read,
    /// Read and change tasks.
    Write,
}

impl Scope {
    /// Returns what the caller's token may do: every token that is accepted may read and change its user's tasks.
    pub(crate) fn of(_caller: &Caller) -> Self {
        Self::Write
    }
}

/// Returns the problem of a call of a tool that changes tasks, with a token that may only read them.
pub(crate) fn insufficient_scope() -> Problem {
    let challenge =
        "Bearer realm=\"taskhold\", error=\"insufficient_scope\", scope=\"tasks:write\"";
    Problem::new(
        Kind::Forbidden,
        "This token may read tasks and not change them.",
    )
    .with_header(WWW_AUTHENTICATE, challenge)
}
