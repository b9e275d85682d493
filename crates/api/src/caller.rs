//! The authenticated user of a request.

use std::marker::PhantomData;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, RETRY_AFTER};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use taskhold_application::accounts::AccountError;
use taskhold_application::actor::Actor;
use taskhold_application::authentication::Authenticator;
use taskhold_application::security_log::Event;
use taskhold_application::tokens::{AuthenticationError, Identity, InvalidToken};
use taskhold_application::user_limit::{InProgress, TooManyInProgress, UserLimit};
use taskhold_domain::personal_token::Scope;
use taskhold_domain::timestamp::Timestamp;
use taskhold_domain::user::UserId;
use uuid::Uuid;

use crate::client_address::ClientAddress;
use crate::parameters;
use crate::problem::{BUSY_RETRY_AFTER_SECONDS, Kind, Problem};
use crate::request_log::{self, Pseudonym};
use crate::route::Access;

/// The right that a handler requires of the token: a type, so that a handler cannot forget to check it.
pub trait Permission: 'static {
    /// The access to the endpoint.
    const ACCESS: Access;
}

/// Requires a token that reads tasks.
#[derive(Debug)]
pub struct Read;

/// Requires a token that changes tasks.
#[derive(Debug)]
pub struct Write;

/// Requires a token that manages the account: an access token, and never a personal access token.
#[derive(Debug)]
pub struct Account;

impl Permission for Read {
    const ACCESS: Access = Access::Read;
}

impl Permission for Write {
    const ACCESS: Access = Access::Write;
}

impl Permission for Account {
    const ACCESS: Access = Access::Account;
}

/// The user whose token came with the request, is valid and gives the permission `P`. A handler that takes a `Caller`
/// is never called without such a token. Until the `Caller` is dropped the request counts against the user's limit of
/// requests in progress: a response that is sent in parts keeps it.
#[derive(Debug)]
pub struct Caller<P> {
    identity: Identity,
    _in_progress: InProgress,
    permission: PhantomData<P>,
}

impl<P> Caller<P> {
    /// Returns the user, whom the token names.
    #[must_use]
    pub fn id(&self) -> &UserId {
        &self.identity.user
    }

    /// Returns what the token says, and ends the request as far as the user's limit is concerned.
    pub(crate) fn into_identity(self) -> Identity {
        self.identity
    }
}

impl Caller<Read> {
    /// Returns the user for whom writes act, and the author of their changes; `None` if the token may only read.
    #[must_use]
    pub fn writer(&self) -> Option<Actor> {
        self.identity
            .allows(Scope::Write)
            .then(|| self.identity.actor())
    }
}

impl Caller<Write> {
    /// Returns the user for whom writes act, and the author of their changes.
    #[must_use]
    pub fn actor(&self) -> Actor {
        self.identity.actor()
    }
}

impl Caller<Account> {
    /// Returns when the token was issued, if it says so.
    pub(crate) fn issued(&self) -> Option<Timestamp> {
        self.identity.issued
    }

    /// Returns the session that the token was issued to, if this service issued it to one.
    pub(crate) fn session(&self) -> Option<Uuid> {
        self.identity.session
    }
}

impl<P: Permission> FromRequest for Caller<P> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let (identity, in_progress) = admit(&request, P::ACCESS).await?;
            Ok(Self {
                identity,
                _in_progress: in_progress,
                permission: PhantomData,
            })
        })
    }
}

/// Checks the token of a request, and counts the request against the limit of its user.
async fn admit(request: &HttpRequest, access: Access) -> Result<(Identity, InProgress), Problem> {
    let ClientAddress(address) = ClientAddress::of(request)?;
    let refused = |reason, user: Option<&UserId>| Event::TokenRefused.log(reason, user, address);
    let token = token(request).ok_or_else(|| {
        refused("missing", None);
        Problem::no_token()
    })?;
    let authenticator = request
        .app_data::<web::Data<Authenticator>>()
        .ok_or_else(|| Problem::internal("the application has no authenticator"))?;
    let limit = request
        .app_data::<web::Data<Arc<UserLimit>>>()
        .ok_or_else(|| Problem::internal("the application has no limit of requests"))?;
    let authenticated = authenticator.authenticate(token).await;
    let identity = authenticated.map_err(|error| match error {
        AuthenticationError::Invalid(InvalidToken { reason, user }) => {
            refused(reason.code(), user.as_ref());
            Problem::invalid_token()
        }
        AuthenticationError::Revoked(user) => {
            refused("revoked", Some(&user));
            Problem::invalid_token()
        }
        AuthenticationError::Moved(user) => {
            refused("moved", Some(&user));
            Problem::user_moved()
        }
        AuthenticationError::Store(error) => AccountError::from(error).into(),
    })?;
    metrics::counter!("taskhold_authenticated_requests_total", "credential" => credential(&identity))
        .increment(1);
    if request_log::is_enabled() {
        let pseudonym = Pseudonym::of(&identity.user);
        request.extensions_mut().insert(pseudonym);
    }
    check_scope(&identity, access).inspect_err(|_| refused("scope", Some(&identity.user)))?;
    parameters::check(request)?;
    let in_progress = limit.get_ref().begin(&identity.user).await?;
    Ok((identity, in_progress))
}

/// Returns the kind of the token, as the metrics name it.
fn credential(identity: &Identity) -> &'static str {
    match (&identity.personal_token, identity.session) {
        (Some(_), _) => "personal_token",
        (None, Some(_)) => "session",
        (None, None) => "other",
    }
}

/// Refuses a token that does not allow this access.
fn check_scope(identity: &Identity, access: Access) -> Result<(), Problem> {
    let is_allowed = match access.scope() {
        Some(scope) => identity.allows(scope),
        None => access != Access::Account || identity.personal_token.is_none(),
    };
    if is_allowed {
        Ok(())
    } else {
        Err(Problem::insufficient_scope(access.scope()))
    }
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
