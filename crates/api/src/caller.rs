//! Who is asking.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, web};
use taskhold_application::tokens::TokenVerifier;
use taskhold_domain::user::UserId;

use crate::problem::Problem;

/// Who is asking, by a token that was checked. A handler with this in its signature cannot be
/// reached without one.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The `sub` of the token.
    pub id: UserId,
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(caller(request))
    }
}

fn caller(request: &HttpRequest) -> Result<Caller, Problem> {
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let (Some(header), None) = (headers.next(), headers.next()) else {
        return Err(Problem::no_token());
    };
    let token = header
        .to_str()
        .ok()
        .and_then(bearer_token)
        .ok_or_else(Problem::no_token)?;
    let tokens = request
        .app_data::<web::Data<dyn TokenVerifier>>()
        .ok_or_else(|| Problem::internal("the application has no token verifier"))?;
    let id = tokens.verify(token).map_err(|_| Problem::invalid_token())?;
    Ok(Caller { id })
}

/// The credentials of RFC 6750; the word is compared without case (RFC 9110, section 11.1).
fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("Bearer")
        .then(|| token.trim_matches(' '))
}
