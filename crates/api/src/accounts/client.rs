//! The client of a request about accounts, and the token by which it is told from a stranger.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{COOKIE, HeaderName, SET_COOKIE};
use actix_web::{FromRequest, HttpRequest, HttpResponseBuilder};
use taskhold_application::accounts::{Client, DEVICE_LIFETIME, DeviceToken};

use crate::base_path::BasePath;
use crate::client_address::ClientAddress;
use crate::problem::Problem;

/// The device token, in requests and responses.
pub(crate) static DEVICE_TOKEN: HeaderName = HeaderName::from_static("device-token");

/// The cookie with the device token, for browsers. Only the routes of accounts get it.
const COOKIE_NAME: &str = "taskhold_device";
/// The path of the cookie, under the base path.
const COOKIE_PATH: &str = "/api/auth";

/// The client of a request.
pub(super) struct RequestClient {
    pub client: Client,
    is_https: bool,
    cookie_path: String,
}

impl FromRequest for RequestClient {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(
            ClientAddress::of(request).map(|ClientAddress(address)| Self {
                client: Client {
                    address,
                    device: device_token(request).map(DeviceToken::new),
                },
                is_https: request.connection_info().scheme() == "https",
                cookie_path: format!("{}{COOKIE_PATH}", BasePath::of(request)),
            }),
        )
    }
}

impl RequestClient {
    /// Adds a device token to a response. A browser that got the cookie by HTTPS sends it by HTTPS only.
    pub(super) fn insert_token(&self, response: &mut HttpResponseBuilder, token: &DeviceToken) {
        let token = token.as_str();
        let seconds = DEVICE_LIFETIME.as_secs();
        let path = &self.cookie_path;
        let secure = if self.is_https { "; Secure" } else { "" };
        let cookie = format!(
            "{COOKIE_NAME}={token}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
        );
        response
            .insert_header((DEVICE_TOKEN.clone(), token))
            .insert_header((SET_COOKIE, cookie));
    }
}

/// Returns the text of the header or else of the cookie.
fn device_token(request: &HttpRequest) -> Option<String> {
    let headers = request.headers();
    if let Some(header) = headers.get(&DEVICE_TOKEN) {
        return header.to_str().ok().map(str::to_owned);
    }
    let cookies = headers
        .get_all(COOKIE)
        .filter_map(|list| list.to_str().ok());
    let mut cookies = cookies.flat_map(|list| list.split(';'));
    cookies.find_map(|cookie| {
        let (name, value) = cookie.trim().split_once('=')?;
        (name == COOKIE_NAME).then(|| value.to_owned())
    })
}
