//! The request on whose behalf a port is called, so that an adapter can name it in the log.

use std::sync::Arc;

tokio::task_local! {
    static REQUEST_ID: Arc<str>;
}

/// Runs a future on behalf of the request with this id.
pub async fn scope<F: Future>(id: Arc<str>, future: F) -> F::Output {
    REQUEST_ID.scope(id, future).await
}

/// Calls a function on behalf of the request with this id.
pub fn sync_scope<T>(id: Arc<str>, function: impl FnOnce() -> T) -> T {
    REQUEST_ID.sync_scope(id, function)
}

/// Returns the id of the request on whose behalf the caller runs; `None` outside of requests.
#[must_use]
pub fn current_id() -> Option<Arc<str>> {
    REQUEST_ID.try_with(Arc::clone).ok()
}
