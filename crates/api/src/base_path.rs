//! The path under which a reverse proxy publishes the service.

use actix_web::dev::ServiceRequest;
use actix_web::http::Uri;
use actix_web::http::uri::PathAndQuery;
use actix_web::{HttpRequest, web};

/// The path under which the service is published, such as `/todo`; empty at the root. References in responses
/// begin with it. Requests may have it or not, since some proxies remove it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BasePath(String);

/// The error of a string that is not a [`BasePath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it must be empty or a path such as /todo, of letters, digits and -._~ between its slashes"
)]
pub struct BasePathError;

impl BasePath {
    /// Parses a path. A slash at its end makes no difference.
    ///
    /// # Errors
    /// [`BasePathError`] for anything but a path of plain segments.
    pub fn parse(raw: &str) -> Result<Self, BasePathError> {
        let path = raw.strip_suffix('/').unwrap_or(raw);
        let is_plain = |segment: &str| {
            let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            !["", ".", ".."].contains(&segment) && segment.bytes().all(is_allowed)
        };
        let is_valid = match path.strip_prefix('/') {
            Some(segments) => segments.split('/').all(is_plain),
            None => path.is_empty(),
        };
        is_valid.then(|| Self(path.to_owned())).ok_or(BasePathError)
    }

    /// Returns the path, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the base path of the application that handles a request.
    #[must_use]
    pub fn of(request: &HttpRequest) -> &str {
        let base = request.app_data::<web::Data<Self>>();
        base.map_or("", |base| base.as_str())
    }

    /// Returns `true` if a path is the base path or is under it.
    #[must_use]
    pub fn contains(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Removes the base path from the path of a request, if the proxy did not.
    pub(crate) fn remove_from(&self, request: &mut ServiceRequest) {
        if self.0.is_empty() || !self.contains(request.path()) {
            return;
        }
        let mut parts = request.uri().clone().into_parts();
        let rest = parts
            .path_and_query
            .as_ref()
            .map_or("", PathAndQuery::as_str);
        let rest = rest.strip_prefix(self.as_str()).unwrap_or(rest);
        let slash = if rest.starts_with('/') { "" } else { "/" };
        parts.path_and_query = format!("{slash}{rest}").parse().ok();
        if let Ok(uri) = Uri::from_parts(parts) {
            request.match_info_mut().get_mut().update(&uri);
            request.head_mut().uri = uri;
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn plain_paths_are_parsed() {
        for (raw, path) in [
            ("", ""),
            ("/", ""),
            ("/todo", "/todo"),
            ("/todo/", "/todo"),
            ("/a/b-c_d.e~f", "/a/b-c_d.e~f"),
        ] {
            assert_eq!(BasePath::parse(raw).unwrap().as_str(), path, "{raw}");
        }
        for raw in [
            "todo",
            "//",
            "/todo//",
            "/a//b",
            "/../b",
            "/a/.",
            "/a b",
            "/ä",
            "/a%20b",
            "/a?b",
            "/a#b",
            "/{id}",
            "https://example.org/todo",
        ] {
            assert_eq!(BasePath::parse(raw), Err(BasePathError), "{raw}");
        }
    }

    #[test]
    fn base_path_is_removed_from_paths_under_it() {
        let base = BasePath::parse("/todo").unwrap();
        for (given, expected) in [
            ("/todo/health?x=/todo/", "/health?x=/todo/"),
            ("/todo", "/"),
            ("/todo?x", "/?x"),
            ("/todo/", "/"),
            ("/health", "/health"),
            ("/todos/health", "/todos/health"),
            ("/todo/todo/health", "/todo/health"),
        ] {
            let mut request = TestRequest::with_uri(given).to_srv_request();
            base.remove_from(&mut request);
            assert_eq!(request.uri(), expected, "{given}");
        }
    }
}
