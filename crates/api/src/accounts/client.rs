//! The client of a request about accounts, and the token by which it is told from a stranger.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderName, SET_COOKIE};
use actix_web::{FromRequest, HttpRequest, HttpResponseBuilder};
use taskhold_application::accounts::{Client, DEVICE_LIFETIME, DeviceToken};

use super::cookie::{self, CookieScope};
use crate::client_address::ClientAddress;
use crate::problem::Problem;

/// The device token, in requests and responses.
pub(crate) static DEVICE_TOKEN: HeaderName = HeaderName::from_static("device-token");

/// The cookie with the device token, for browsers.
const COOKIE_NAME: &str = "taskhold_device";

/// The client of a request.
pub(super) struct RequestClient {
    pub client: Client,
    cookies: CookieScope,
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
                cookies: CookieScope::of(request),
            }),
        )
    }
}

impl RequestClient {
    /// Adds a device token to a response.
    pub(super) fn insert_token(&self, response: &mut HttpResponseBuilder, token: &DeviceToken) {
        let token = token.as_str();
        let cookie = self.cookies.set(COOKIE_NAME, token, DEVICE_LIFETIME);
        response
            .insert_header((DEVICE_TOKEN.clone(), token))
            .append_header((SET_COOKIE, cookie));
    }
}

/// Returns the text of the header or else of the cookie.
fn device_token(request: &HttpRequest) -> Option<String> {
    let headers = request.headers();
    if let Some(header) = headers.get(&DEVICE_TOKEN) {
        return header.to_str().ok().map(str::to_owned);
    }
    cookie::values(headers, COOKIE_NAME)
        .next()
        .map(str::to_owned)
}
