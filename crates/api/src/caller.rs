//! Who is asking.

use std::fmt;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use sha2::{Digest as _, Sha256};
use taskhold_application::accounts::AccountError;
use taskhold_application::revocations::Revocations;
use taskhold_application::tokens::TokenVerifier;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;

use crate::boundary;
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
    if boundary::logs_requests() {
        let pseudonym = Pseudonym::of(&identity.user);
        request.extensions_mut().insert(pseudonym);
    }
    Ok(Caller {
        id: identity.user,
        issued: identity.issued,
    })
}

/// A user in the log: the first 16 hexadecimal digits of the SHA-256 of the id. Always the same for the
/// same user, and no id can be read from it.
#[derive(Clone, Copy)]
pub(crate) struct Pseudonym(u64);

impl Pseudonym {
    fn of(user: &UserId) -> Self {
        let digest = Sha256::digest(user.as_str());
        let (first, _) = digest.split_first_chunk().unwrap_or((&[0; 8], &[]));
        Self(u64::from_be_bytes(*first))
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
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
