//! `taskhold openapi`.

use crate::output::say_document;

/// Prints the OpenAPI document of the API.
///
/// # Errors
/// If standard output cannot be written.
pub fn openapi() -> anyhow::Result<()> {
    say_document(&taskhold_api::routes::openapi_document()?)
}
