//! The settings of the endpoint.

use url::Url;

use crate::PATH;

/// The settings of the endpoint.
#[derive(Debug, Clone, Default)]
pub struct McpSettings {
    /// The URL of the endpoint for clients; `None` to take it from each request.
    pub url: Option<PublicUrl>,
    /// The origins whose pages may use the endpoint, as browsers send them.
    pub origins: Vec<String>,
    /// The URL of the authorization server whose tokens are accepted.
    pub authorization_server: Option<String>,
}

/// The URL under which clients reach the endpoint, such as `https://todo.example/mcp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(Url);

/// The error of a text that is not a [`PublicUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicUrlError;

impl std::fmt::Display for PublicUrlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "it must be a URL such as https://todo.example{PATH}, which ends with {PATH}"
        )
    }
}

impl std::error::Error for PublicUrlError {}

impl PublicUrl {
    /// Parses a URL.
    ///
    /// # Errors
    /// [`PublicUrlError`] if it is not of HTTP, does not end with the path of the endpoint, or has a user, a query or a
    /// fragment.
    pub fn parse(raw: &str) -> Result<Self, PublicUrlError> {
        let url = Url::parse(raw).map_err(|_| PublicUrlError)?;
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let is_valid =
            ["http", "https"].contains(&url.scheme()) && url.path().ends_with(PATH) && is_plain;
        is_valid.then_some(Self(url)).ok_or(PublicUrlError)
    }

    /// Returns the origin of pages at the URL, as browsers send it.
    #[must_use]
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// Returns the URL without the path of the endpoint.
    pub(crate) fn base(&self) -> &str {
        let url = self.0.as_str();
        url.strip_suffix(PATH).unwrap_or(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_ends_with_the_path_of_the_endpoint() {
        for (raw, base, origin) in [
            (
                "https://todo.example/mcp",
                "https://todo.example",
                "https://todo.example",
            ),
            (
                "https://todo.example:8443/todo/mcp",
                "https://todo.example:8443/todo",
                "https://todo.example:8443",
            ),
            (
                "http://localhost:8080/mcp",
                "http://localhost:8080",
                "http://localhost:8080",
            ),
        ] {
            let url = PublicUrl::parse(raw).expect("a URL");
            assert_eq!((url.base(), url.origin().as_str()), (base, origin), "{raw}");
        }
        for raw in [
            "",
            "todo.example/mcp",
            "https://todo.example",
            "https://todo.example/mcp/",
            "https://todo.example/mcp?x",
            "https://todo.example/mcp#x",
            "https://anna@todo.example/mcp",
            "ftp://todo.example/mcp",
        ] {
            assert_eq!(PublicUrl::parse(raw), Err(PublicUrlError), "{raw}");
        }
    }
}
