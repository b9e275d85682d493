//! The route table of the program: that of the API, and the rows of other crates.

use taskhold_api::route::Endpoint;
use taskhold_api::routes;
use taskhold_mcp::settings::McpSettings;

/// Returns the rows of other crates than the API.
pub fn further(mcp: &McpSettings) -> Vec<Endpoint> {
    taskhold_mcp::endpoints(mcp)
}

/// Returns all rows, for what does not depend on settings.
pub fn all() -> Vec<Endpoint> {
    [routes::endpoints(), further(&McpSettings::default())].concat()
}
