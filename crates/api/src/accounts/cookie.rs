//! The cookies of the routes of accounts, which no script can read and no other route gets.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{COOKIE, HeaderMap};

use crate::base_path::BasePath;

/// The path of the cookies, under the base path.
const PATH: &str = "/api/auth";

/// The path and the protocol of the cookies of a response.
pub(super) struct CookieScope {
    path: String,
    is_https: bool,
}

impl CookieScope {
    /// Returns the scope of cookies in the response to this request. A browser that got a cookie by HTTPS sends it by
    /// HTTPS only.
    pub(super) fn of(request: &HttpRequest) -> Self {
        Self {
            path: format!("{}{PATH}", BasePath::of(request)),
            is_https: request.connection_info().scheme() == "https",
        }
    }

    /// Returns the value of `Set-Cookie` that stores a cookie for `max_age`, or deletes it if that is zero.
    pub(super) fn set(&self, name: &str, value: &str, max_age: Duration) -> String {
        let (path, seconds) = (&self.path, max_age.as_secs());
        let secure = if self.is_https { "; Secure" } else { "" };
        format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
    }
}

/// Returns the values of the cookies of this name.
pub(super) fn values<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let lists = headers
        .get_all(COOKIE)
        .filter_map(|list| list.to_str().ok());
    let cookies = lists.flat_map(|list| list.split(';'));
    cookies.filter_map(move |cookie| {
        let (given, value) = cookie.trim().split_once('=')?;
        (given == name).then_some(value)
    })
}
