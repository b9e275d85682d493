//! Who is asking.

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use taskhold_application::accounts::AccountError;
use taskhold_application::revocations::Revocations;
use taskhold_application::tokens::TokenVerifier;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

use crate::problem::Problem;

/// Who is asking, by a token that was checked. A handler with this in its signature cannot be
/// reached without one.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The `sub` of the token.
    pub id: UserId,
    /// When the token was issued, where it tells.
    pub issued: Option<Timestamp>,
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { caller(&request).await })
    }
}

async fn caller(request: &HttpRequest) -> Result<Caller, Problem> {
    let token = token(request).ok_or_else(Problem::no_token)?;
    let tokens = request
        .app_data::<web::Data<dyn TokenVerifier>>()
        .ok_or_else(|| Problem::internal("the application has no token verifier"))?;
    let revocations = request
        .app_data::<web::Data<Revocations>>()
        .ok_or_else(|| Problem::internal("the application has no revocations"))?;
    let identity = tokens.verify(token).await;
    let identity = identity.map_err(|_| Problem::invalid_token())?;
    let admits = revocations.admits(&identity).await;
    if !admits.map_err(AccountError::from)? {
        return Err(Problem::invalid_token());
    }
    Ok(Caller {
        id: identity.user,
        issued: identity.issued,
    })
}

/// The token of the one Authorization header that there must be.
fn token(request: &HttpRequest) -> Option<&str> {
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let (Some(header), None) = (headers.next(), headers.next()) else {
        return None;
    };
    bearer_token(header.to_str().ok()?)
}

/// The credentials of RFC 6750; the word is compared without case (RFC 9110, section 11.1).
fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("Bearer")
        .then(|| token.trim_matches(' '))
}
