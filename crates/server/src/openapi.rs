//! `taskhold openapi`.

use crate::output::say;

/// Prints the OpenAPI document of the API.
///
/// # Errors
/// Where nobody can have read it.
pub fn openapi() -> anyhow::Result<()> {
    say(taskhold_api::openapi::pretty()?)
}
