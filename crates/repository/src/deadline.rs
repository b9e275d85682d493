//! The time of the request that a call belongs to. A request may make several calls, and all of them share the time in
//! which the request is to be answered.

use tokio::time::Instant;

tokio::task_local! {
    static STARTED: Instant;
}

/// Runs the work of a request, whose time begins now.
pub async fn in_request<T>(work: impl Future<Output = T>) -> T {
    STARTED.scope(Instant::now(), work).await
}

/// Returns when the request of the current task began; `None` outside of requests.
#[must_use]
pub fn request_started() -> Option<Instant> {
    STARTED.try_with(|started| *started).ok()
}
