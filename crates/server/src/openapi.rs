//! `taskhold openapi`.

use crate::output::say_document;
use crate::routes;

/// Prints the OpenAPI document of the API.
///
/// # Errors
/// If standard output cannot be written.
pub fn openapi() -> anyhow::Result<()> {
    say_document(&routes::openapi_document()?)
}
