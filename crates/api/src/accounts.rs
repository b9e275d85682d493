//! The endpoints of accounts.

use actix_web::http::Method;
use actix_web::http::header::HeaderName;
use actix_web::{HttpResponse, HttpResponseBuilder, web};
use serde::Serialize;
use taskhold_application::accounts::{
    AccountError, AccountService, Allowance, Grant, RefreshToken, User,
};
use taskhold_domain::input::{CredentialsInput, Member, PasswordChangeInput, RegistrationInput};
use taskhold_domain::user::UserId;
use taskhold_domain::violation::{Violation, Violations};

use crate::body::{self, Body, ReadBody, text};
use crate::caller::Caller;
use crate::client_address::ClientAddress;
use crate::endpoint::{Access, Endpoint};
use crate::problem::Problem;

pub(crate) const REGISTER: &str = "/api/auth/register";
pub(crate) const LOGIN: &str = "/api/auth/login";
pub(crate) const REFRESH: &str = "/api/auth/refresh";
pub(crate) const LOGOUT: &str = "/api/auth/logout";
pub(crate) const ME: &str = "/api/auth/me";
pub(crate) const PASSWORD: &str = "/api/auth/password";

/// What is left of an allowance (draft-ietf-httpapi-ratelimit-headers).
pub(crate) static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(crate) static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(Method::POST, REGISTER, Access::Public, || web::to(register)),
        Endpoint::new(Method::POST, LOGIN, Access::Public, || web::to(log_in)),
        Endpoint::new(Method::POST, REFRESH, Access::Public, || web::to(refresh)),
        Endpoint::new(Method::POST, LOGOUT, Access::Owner, || web::to(log_out)),
        Endpoint::new(Method::GET, ME, Access::Owner, || web::to(me)),
        Endpoint::new(Method::DELETE, ME, Access::Owner, || web::to(delete)),
        Endpoint::new(Method::POST, PASSWORD, Access::Owner, || {
            web::to(change_password)
        }),
    ]
}

/// A user on the wire. Who is known by tokens only has neither an address nor a name.
#[derive(Serialize)]
struct UserBody<'a> {
    id: &'a str,
    email: Option<&'a str>,
    name: Option<&'a str>,
    created_at: Option<String>,
}

#[derive(Serialize)]
struct One<'a> {
    user: UserBody<'a>,
}

#[derive(Serialize)]
struct GrantBody<'a> {
    user: UserBody<'a>,
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    refresh_token: &'a str,
}

impl<'a> UserBody<'a> {
    fn of(id: &'a UserId, user: Option<&'a User>) -> Self {
        Self {
            id: id.as_str(),
            email: user.and_then(|user| Some(user.email.as_ref()?.as_str())),
            name: user.and_then(|user| Some(user.name.as_ref()?.as_str())),
            created_at: user.map(|user| user.created_at.to_string()),
        }
    }
}

async fn register(
    ClientAddress(address): ClientAddress,
    accounts: web::Data<AccountService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let allowance = accounts.admit(address).await?;
    let mut members = body.read(&[body::JSON]).await?.json_object()?;
    let input = RegistrationInput {
        email: text(&mut members, "email"),
        password: text(&mut members, "password"),
        name: text(&mut members, "name"),
    };
    let grant = accounts.register(input.into_registration()?).await?;
    let mut response = HttpResponse::Created();
    tell_allowance(&mut response, &allowance);
    Ok(granted(&mut response, &grant))
}

async fn log_in(
    ClientAddress(address): ClientAddress,
    accounts: web::Data<AccountService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let allowance = accounts.admit(address).await?;
    let mut members = body.read(&[body::JSON]).await?.json_object()?;
    let input = CredentialsInput {
        email: text(&mut members, "email"),
        password: text(&mut members, "password"),
    };
    let grant = accounts.log_in(&input.into_credentials()?, address).await;
    if let Err(AccountError::WrongCredentials) = grant {
        metrics::counter!("taskhold_login_failures_total").increment(1);
    }
    let grant = grant?;
    let mut response = HttpResponse::Ok();
    tell_allowance(&mut response, &allowance);
    Ok(granted(&mut response, &grant))
}

async fn refresh(accounts: web::Data<AccountService>, body: Body) -> Result<HttpResponse, Problem> {
    let body = body.read(&[body::JSON]).await?;
    let token = refresh_token(&body)?.ok_or_else(no_refresh_token)?;
    let grant = accounts.refresh(&token).await?;
    Ok(granted(&mut HttpResponse::Ok(), &grant))
}

async fn log_out(
    caller: Caller,
    accounts: web::Data<AccountService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let body = body.read(&[body::JSON]).await?;
    let token = if body.is_empty() {
        None
    } else {
        refresh_token(&body)?
    };
    accounts.log_out(&caller.id, token.as_ref()).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn me(caller: Caller, accounts: web::Data<AccountService>) -> Result<HttpResponse, Problem> {
    let user = accounts.find(&caller.id).await?;
    Ok(HttpResponse::Ok().json(One {
        user: UserBody::of(&caller.id, user.as_ref()),
    }))
}

async fn delete(
    caller: Caller,
    ClientAddress(address): ClientAddress,
    accounts: web::Data<AccountService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let body = body.read(&[body::JSON]).await?;
    let password = if body.is_empty() {
        Member::Absent
    } else {
        text(&mut body.json_object()?, "password")
    };
    let password = match &password {
        Member::Given(password) => Some(password.as_str()),
        Member::Absent | Member::Null => None,
        Member::WrongType => return Err(Violations::from(Violation::PasswordMissing).into()),
    };
    accounts
        .delete(&caller.id, caller.issued, password, address)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn change_password(
    caller: Caller,
    ClientAddress(address): ClientAddress,
    accounts: web::Data<AccountService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let mut members = body.read(&[body::JSON]).await?.json_object()?;
    let input = PasswordChangeInput {
        current: text(&mut members, "current_password"),
        new: text(&mut members, "new_password"),
    };
    let grant = accounts
        .change_password(&caller.id, &input.into_change()?, address)
        .await
        .map_err(|error| Problem::of_account(error, "current_password"))?;
    Ok(granted(&mut HttpResponse::Ok(), &grant))
}

/// The token, where there is one.
fn refresh_token(body: &ReadBody) -> Result<Option<RefreshToken>, Problem> {
    match text(&mut body.json_object()?, "refresh_token") {
        Member::Given(token) => Ok(Some(RefreshToken::new(token))),
        Member::Absent | Member::Null => Ok(None),
        Member::WrongType => Err(no_refresh_token()),
    }
}

fn no_refresh_token() -> Problem {
    Violations::from(Violation::RefreshTokenMissing).into()
}

fn granted(response: &mut HttpResponseBuilder, grant: &Grant) -> HttpResponse {
    response.json(GrantBody {
        user: UserBody::of(&grant.user.id, Some(&grant.user)),
        access_token: &grant.access_token.token,
        token_type: "bearer",
        expires_in: grant.access_token.expires_in.as_secs(),
        refresh_token: grant.refresh_token.as_str(),
    })
}

fn tell_allowance(response: &mut HttpResponseBuilder, allowance: &Allowance) {
    for header in rate_limit(allowance) {
        response.insert_header(header);
    }
}

/// The headers that tell of an allowance.
pub(crate) fn rate_limit(allowance: &Allowance) -> [(HeaderName, String); 2] {
    let Allowance {
        quota,
        window,
        left,
        renewed_in,
    } = allowance;
    let (window, renewed_in) = (window.as_secs(), seconds(*renewed_in));
    [
        (
            RATE_LIMIT_POLICY.clone(),
            format!("\"default\";q={quota};w={window}"),
        ),
        (
            RATE_LIMIT.clone(),
            format!("\"default\";r={left};t={renewed_in}"),
        ),
    ]
}

/// Whole seconds, so that what is promised after them is there.
pub(crate) fn seconds(duration: std::time::Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
