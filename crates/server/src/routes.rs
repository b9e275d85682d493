//! The route table of the program: that of the API, and the rows of other crates.

use taskhold_api::route::Endpoint;
use taskhold_api::routes;
use taskhold_mcp::settings::McpSettings;
use taskhold_web::Page;

/// Returns the rows of the tools for agents, and of the page. Without a page, `/` leads to the documentation.
pub fn further(mcp: &McpSettings, page: Option<&Page>) -> Vec<Endpoint> {
    let page = page.map_or_else(|| vec![routes::redirect_to_docs()], rows_of_page);
    [taskhold_mcp::endpoints(mcp), page].concat()
}

fn rows_of_page(page: &Page) -> Vec<Endpoint> {
    let addresses = page.addresses().into_iter();
    let rows = addresses.map(|address| Endpoint::file(address.path, move || address.route()));
    rows.collect()
}

/// Returns the OpenAPI document of the service with the default settings.
///
/// # Errors
/// None that is known: the document can always be written as JSON.
pub fn openapi_document() -> serde_json::Result<String> {
    // The page is not part of the document, but what stands at `/` without it is.
    routes::openapi_document(taskhold_mcp::endpoints(&McpSettings::default()))
}

/// Returns the paths of all rows, with and without a page.
pub fn paths() -> Vec<String> {
    let rows = [
        routes::endpoints(),
        taskhold_mcp::endpoints(&McpSettings::default()),
    ];
    let paths = rows.concat().into_iter().map(|row| row.path);
    paths
        .chain(taskhold_web::PATHS.map(str::to_owned))
        .collect()
}
