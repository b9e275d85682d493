//! The authenticated user of a request.

use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, RETRY_AFTER};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use taskhold_application::accounts::AccountError;
use taskhold_application::revocations::Revocations;
use taskhold_application::security_log::Event;
use taskhold_application::tokens::{Identity, InvalidToken, TokenVerifier};
use taskhold_application::user_limit::{InProgress, TooManyInProgress, UserLimit};
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use uuid::Uuid;

use crate::client_address::ClientAddress;
use crate::parameters;
use crate::problem::{BUSY_RETRY_AFTER_SECONDS, Kind, Problem};
use crate::request_log::{self, Pseudonym};

/// The user whose token came with the request and is valid. A handler that takes a `Caller` is never
/// called without a valid token. Until the `Caller` is dropped the request counts against the user's limit of
/// requests in progress: a response that is sent in parts keeps it.
#[derive(Debug)]
pub struct Caller {
    /// The `sub` of the token.
    pub id: UserId,
    /// When the token was issued, if the token says so.
    pub issued: Option<Timestamp>,
    /// The session that the token was issued to, if this service issued it to one.
    pub session: Option<Uuid>,
    /// When the token ceases to be valid.
    expires: Option<Timestamp>,
    _in_progress: InProgress,
}

impl Caller {
    /// Returns what the token says, and ends the request as far as the user's limit is concerned.
    pub(crate) fn into_identity(self) -> Identity {
        Identity {
            user: self.id,
            issued: self.issued,
            session: self.session,
            expires: self.expires,
        }
    }
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
    let ClientAddress(address) = ClientAddress::of(request)?;
    let refused = |reason, user: Option<&UserId>| Event::TokenRefused.log(reason, user, address);
    let token = token(request).ok_or_else(|| {
        refused("missing", None);
        Problem::no_token()
    })?;
    let tokens = request
        .app_data::<web::Data<dyn TokenVerifier>>()
        .ok_or_else(|| Problem::internal("the application has no token verifier"))?;
    let revocations = request
        .app_data::<web::Data<Revocations>>()
        .ok_or_else(|| Problem::internal("the application has no revocations"))?;
    let limit = request
        .app_data::<web::Data<Arc<UserLimit>>>()
        .ok_or_else(|| Problem::internal("the application has no limit of requests"))?;
    let identity = tokens.verify(token).await;
    let identity = identity.map_err(|InvalidToken { reason, user }| {
        refused(reason.code(), user.as_ref());
        Problem::invalid_token()
    })?;
    let admits = revocations.admits(&identity).await;
    if !admits.map_err(AccountError::from)? {
        refused("revoked", Some(&identity.user));
        return Err(Problem::invalid_token());
    }
    if request_log::is_enabled() {
        let pseudonym = Pseudonym::of(&identity.user);
        request.extensions_mut().insert(pseudonym);
    }
    parameters::check(request)?;
    let in_progress = limit.get_ref().begin(&identity.user).await?;
    Ok(Caller {
        id: identity.user,
        issued: identity.issued,
        session: identity.session,
        expires: identity.expires,
        _in_progress: in_progress,
    })
}

impl From<TooManyInProgress> for Problem {
    fn from(_: TooManyInProgress) -> Self {
        let detail = "Too many requests of yours are in progress. Read their responses before you send more.";
        Self::new(Kind::RateLimited, detail).with_header(RETRY_AFTER, BUSY_RETRY_AFTER_SECONDS)
    }
}

/// Returns the token, or `None` unless there is exactly one `Authorization` header with one.
fn token(request: &HttpRequest) -> Option<&str> {
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let (Some(header), None) = (headers.next(), headers.next()) else {
        return None;
    };
    bearer_token(header.to_str().ok()?)
}

/// Parses the credentials of RFC 6750, whose scheme has no case (RFC 9110, section 11.1).
fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("Bearer")
        .then(|| token.trim_matches(' '))
}
