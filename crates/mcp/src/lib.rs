//! The tools of Taskhold for agents: `POST /mcp` (Model Context Protocol), over the same use cases as the API.
//!
//! | module | holds |
//! | --- | --- |
//! | `endpoint` | the endpoint: a message in, an answer out |
//! | `message` | messages of JSON-RPC 2.0 and their errors |
//! | `revision` | the revisions of the protocol, and which of them a request is of |
//! | `methods` | the methods of the protocol |
//! | `tools` | the tools: their descriptions, arguments, calls and failures |
//! | `origin` | the pages that may use the endpoint from a browser |
//! | `metadata` | where clients find the authorization server (RFC 9728) |
//! | [`settings`] | what an operator configures |
//!
//! The routes are rows of the API's route table, which the program adds to those of the API:
//!
//! ```
//! use taskhold_mcp::settings::McpSettings;
//!
//! let endpoints = taskhold_mcp::endpoints(&McpSettings::default());
//! assert_eq!(endpoints.first().map(|endpoint| endpoint.path.as_str()), Some("/mcp"));
//! ```

mod endpoint;
mod message;
mod metadata;
mod methods;
mod origin;
mod revision;
pub mod settings;
mod tools;

use std::sync::Arc;

use taskhold_api::route::Endpoint;

use crate::settings::McpSettings;

/// The path of the endpoint.
pub const PATH: &str = "/mcp";

/// Returns the endpoints of the protocol.
#[must_use]
pub fn endpoints(settings: &McpSettings) -> Vec<Endpoint> {
    let settings = Arc::new(settings.clone());
    let mut endpoints = vec![endpoint::row(Arc::clone(&settings))];
    endpoints.extend(metadata::rows(&settings));
    endpoints
}
