//! `taskhold openapi`.

use taskhold_mcp::settings::McpSettings;

use crate::output::say_document;
use crate::routes;

/// Prints the OpenAPI document of the API.
///
/// # Errors
/// If standard output cannot be written.
pub fn openapi() -> anyhow::Result<()> {
    say_document(&taskhold_api::routes::openapi_document(routes::further(
        &McpSettings::default(),
    ))?)
}
