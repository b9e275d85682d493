//! The freshness of the data that the reads of a request return, where a store has copies that lag behind.

use taskhold_domain::task::change_log::ChangeSeq;

/// The changes that a read must see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Every write that was acknowledged before.
    Latest,
    /// The change of the owner with this number, and all before it.
    AtLeast(ChangeSeq),
}

tokio::task_local! {
    static REQUIRED: Freshness;
}

/// Runs work whose reads must be as fresh as this.
pub async fn scope<F: Future>(freshness: Freshness, work: F) -> F::Output {
    REQUIRED.scope(freshness, work).await
}

/// Calls a function whose reads must be as fresh as this.
pub fn sync_scope<T>(freshness: Freshness, function: impl FnOnce() -> T) -> T {
    REQUIRED.sync_scope(freshness, function)
}

/// Runs work whose reads must see a change as well as what they must see already.
pub async fn at_least<F: Future>(seq: ChangeSeq, work: F) -> F::Output {
    let freshness = match required() {
        Freshness::Latest => Freshness::Latest,
        Freshness::AtLeast(before) => Freshness::AtLeast(before.max(seq)),
    };
    scope(freshness, work).await
}

/// Returns what the reads of the current task must see: everything, unless a scope says otherwise.
#[must_use]
pub fn required() -> Freshness {
    REQUIRED
        .try_with(|required| *required)
        .unwrap_or(Freshness::Latest)
}
