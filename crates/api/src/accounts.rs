//! The endpoints of accounts.

mod body;
mod client;
mod problem;
mod rate_limit;

use actix_web::{FromRequest as _, HttpRequest, HttpResponse, HttpResponseBuilder, web};
use taskhold_application::accounts::{AccountError, AccountService, Grant, RefreshToken};
use taskhold_domain::input::{CredentialsInput, Member, PasswordChangeInput, RegistrationInput};
use taskhold_domain::violation::{Violation, Violations};
use uuid::Uuid;

pub(crate) use self::body::{
    CredentialsBody, Deletion, GrantBody, Logout, OneUser, PasswordChangeBody, RefreshTokenBody,
    RegistrationBody, SessionBody, SessionList,
};
use self::body::{
    SOME_PASSWORD, SOME_REFRESH_TOKEN, grant_example, one_user_example, session_list_example,
};
pub(crate) use self::client::DEVICE_TOKEN;
use self::client::RequestClient;
use self::rate_limit::insert_rate_limit;
pub(crate) use self::rate_limit::{RATE_LIMIT, RATE_LIMIT_POLICY};
use crate::body::{Body, JSON, ReadBody};
use crate::caller::{Account, Caller, Read};
use crate::client_address::ClientAddress;
use crate::parameters;
use crate::problem::{Kind, Problem};
use crate::route::{Access, Endpoint};

const ME: &str = "/api/auth/me";
const SESSION: &str = "/api/auth/sessions/{session}";

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new::<__path_register>(Access::Public, || web::to(register)),
        Endpoint::new::<__path_log_in>(Access::Public, || web::to(log_in)),
        Endpoint::new::<__path_refresh>(Access::Public, || web::to(refresh)),
        Endpoint::new::<__path_log_out>(Access::Account, || web::to(log_out)),
        Endpoint::new::<__path_me>(Access::Read, || web::to(me)),
        Endpoint::new::<__path_delete>(Access::Account, || web::to(delete)),
        Endpoint::new::<__path_change_password>(Access::Account, || web::to(change_password)),
        Endpoint::new::<__path_list_sessions>(Access::Account, || web::to(list_sessions)),
        Endpoint::new::<__path_end_session>(Access::Account, || web::to(end_session)),
    ]
}

/// Make an account
///
/// Refused with 403 where registration is switched off.
#[utoipa::path(
    post,
    path = "/api/auth/register",
    request_body(
        content = RegistrationBody,
        example = json!({"email": "ben@example.org", "password": SOME_PASSWORD, "name": "Ben"}),
    ),
    responses(
        (
            status = 201,
            description = "The account, and its first tokens.",
            body = GrantBody,
            headers(("RateLimit"), ("RateLimit-Policy"), ("Device-Token"), ("Set-Cookie")),
            example = grant_example,
        ),
        (status = 403, description = "RegistrationDisabled"),
        (status = 409, description = "EmailTaken"),
        (status = 429, description = "TooManyAttempts"),
    ),
)]
async fn register(
    client: RequestClient,
    accounts: web::Data<AccountService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let allowance = accounts.count_registration(client.client.address).await?;
    let body: RegistrationBody = body.read(&[JSON]).await?.object()?;
    let input = RegistrationInput {
        email: body.email,
        password: body.password,
        name: body.name,
    };
    let registration = input.into_registration()?;
    let grant = accounts.register(registration, &client.client).await?;
    let mut response = HttpResponse::Created();
    insert_rate_limit(&mut response, &allowance);
    Ok(granted(&mut response, &client, &grant))
}

/// Log in
///
/// The answer does not tell whether the address or the password is wrong. Wrong passwords of strangers do not lock
/// out a client that sends the device token of an earlier login.
#[utoipa::path(
    post,
    path = "/api/auth/login",
    operation_id = "logIn",
    params(("Device-Token", Header)),
    request_body(
        content = CredentialsBody,
        example = json!({"email": "ben@example.org", "password": SOME_PASSWORD}),
    ),
    responses(
        (
            status = 200,
            description = "The account, and new tokens.",
            body = GrantBody,
            headers(("RateLimit"), ("RateLimit-Policy"), ("Device-Token"), ("Set-Cookie")),
            example = grant_example,
        ),
        (status = 401, description = "WrongCredentials"),
        (status = 429, description = "TooManyAttempts"),
    ),
)]
async fn log_in(
    client: RequestClient,
    accounts: web::Data<AccountService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let allowance = accounts.count_request(client.client.address).await?;
    let body: CredentialsBody = body.read(&[JSON]).await?.object()?;
    let input = CredentialsInput {
        email: body.email,
        password: body.password,
    };
    let credentials = input.into_credentials()?;
    let grant = accounts.log_in(&credentials, &client.client).await;
    if let Err(AccountError::WrongCredentials) = grant {
        metrics::counter!("taskhold_login_failures_total").increment(1);
    }
    let grant = grant?;
    let mut response = HttpResponse::Ok();
    insert_rate_limit(&mut response, &allowance);
    Ok(granted(&mut response, &client, &grant))
}

/// Get new tokens for a refresh token
///
/// It is used up by that; using it again ends all that came of the same login, and every access token of the user
/// until now.
#[utoipa::path(
    post,
    path = "/api/auth/refresh",
    request_body(content = RefreshTokenBody, example = json!({"refresh_token": SOME_REFRESH_TOKEN})),
    responses(
        (status = 200, description = "The account, and new tokens.", body = GrantBody, example = grant_example),
        (status = 401, description = "InvalidRefreshToken"),
        (status = 429, description = "TooManyAttempts"),
    ),
)]
async fn refresh(
    client: RequestClient,
    accounts: web::Data<AccountService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let body: RefreshTokenBody = body.read(&[JSON]).await?.object()?;
    let token = refresh_token(body.refresh_token)?.ok_or_else(no_refresh_token)?;
    let grant = accounts.refresh(&token, client.client.address).await?;
    Ok(granted(&mut HttpResponse::Ok(), &client, &grant))
}

/// Log out
///
/// Ends the login of the refresh token with its access tokens, and no other. Needs no access token, and an unknown or
/// expired refresh token is no error: it ends the login of the access token, if there is one. Without a refresh token,
/// ends every login of the access token's user.
#[utoipa::path(
    post,
    path = "/api/auth/logout",
    operation_id = "logOut",
    security((), ("bearer" = [])),
    request_body(content = ref("#/components/schemas/Logout"), example = json!({"refresh_token": SOME_REFRESH_TOKEN})),
    responses((status = 204, description = "The login is ended, or every login."), (status = 429, description = "TooManyAttempts")),
)]
async fn log_out(
    request: HttpRequest,
    ClientAddress(address): ClientAddress,
    accounts: web::Data<AccountService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let given = given_refresh_token(body).await;
    if let Ok(Some(token)) = &given {
        parameters::check(&request)?;
        if accounts.end_session_of_token(token, address).await? {
            return Ok(HttpResponse::NoContent().finish());
        }
    }
    // A refresh token whose session has ended needs no access token: an earlier attempt of this request may have
    // ended the session, and its response may have been lost.
    let caller = match (Caller::<Account>::extract(&request).await, &given) {
        (Err(_), Ok(Some(_))) => return Ok(HttpResponse::NoContent().finish()),
        (caller, _) => caller?,
    };
    match (given?, caller.session()) {
        (Some(_), Some(own)) => drop(accounts.end_session(caller.id(), own, address).await?),
        _ => accounts.end_all_sessions(caller.id(), address).await?,
    }
    Ok(HttpResponse::NoContent().finish())
}

async fn given_refresh_token(body: Body) -> Result<Option<RefreshToken>, Problem> {
    let body = body.read(&[JSON]).await?;
    if body.is_empty() {
        return Ok(None);
    }
    refresh_token(body.object::<Logout>()?.refresh_token)
}

/// Read the caller's account
///
/// A user of another service's tokens has no e-mail address, and no name.
#[utoipa::path(
    get,
    path = ME,
    operation_id = "readAccount",
    responses((status = 200, description = "The caller.", body = OneUser, example = one_user_example)),
)]
async fn me(
    caller: Caller<Read>,
    accounts: web::Data<AccountService>,
) -> Result<HttpResponse, Problem> {
    let user = accounts.find(caller.id()).await?;
    Ok(HttpResponse::Ok().json(OneUser::new(caller.id(), user.as_ref())))
}

/// Delete the account with all of its tasks
///
/// Deletes the account at once and for good. Needs the password; an account without one needs a token of the last five
/// minutes.
#[utoipa::path(
    delete,
    path = ME,
    operation_id = "deleteAccount",
    request_body(content = ref("#/components/schemas/Farewell"), example = json!({"password": SOME_PASSWORD})),
    responses((status = 204, description = "The account is deleted.")),
)]
async fn delete(
    caller: Caller<Account>,
    client: RequestClient,
    accounts: web::Data<AccountService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let client = client.client;
    accounts
        .count_request_of(caller.id(), client.address)
        .await?;
    let password = given_password(&body.read(&[JSON]).await?)?;
    accounts
        .delete(caller.id(), caller.issued(), password.as_deref(), &client)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Change the password
///
/// Ends every login and every access token from before. Personal access tokens stay, unless `revoke_tokens` is true.
#[utoipa::path(
    post,
    path = "/api/auth/password",
    operation_id = "changePassword",
    request_body(
        content = PasswordChangeBody,
        example = json!({"current_password": SOME_PASSWORD, "new_password": "battery staple"}),
    ),
    responses(
        (
            status = 200,
            description = "The account, and new tokens.",
            body = GrantBody,
            headers(("Device-Token"), ("Set-Cookie")),
            example = grant_example,
        ),
        (status = 409, description = "NoPassword"),
    ),
)]
async fn change_password(
    caller: Caller<Account>,
    client: RequestClient,
    accounts: web::Data<AccountService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    accounts
        .count_request_of(caller.id(), client.client.address)
        .await?;
    let body: PasswordChangeBody = body.read(&[JSON]).await?.object()?;
    let input = PasswordChangeInput {
        current: body.current_password,
        new: body.new_password,
        revoke_tokens: body.revoke_tokens,
    };
    let grant = accounts
        .change_password(caller.id(), &input.into_change()?, &client.client)
        .await
        .map_err(|error| Problem::of_account(error, "current_password"))?;
    Ok(granted(&mut HttpResponse::Ok(), &client, &grant))
}

/// List the logins that can be refreshed
///
/// The one that was refreshed last is first. A user has at most 50; a further login ends the one that was not
/// refreshed for the longest time.
#[utoipa::path(
    get,
    path = "/api/auth/sessions",
    operation_id = "listSessions",
    responses((
        status = 200,
        description = "The caller's sessions.",
        body = SessionList,
        example = session_list_example,
    )),
)]
async fn list_sessions(
    caller: Caller<Account>,
    accounts: web::Data<AccountService>,
) -> Result<HttpResponse, Problem> {
    let sessions = accounts.sessions(caller.id()).await?;
    Ok(HttpResponse::Ok().json(SessionList::new(&sessions)))
}

/// End a login
///
/// Ends its refresh token and its access tokens, and no other login.
#[utoipa::path(
    delete,
    path = SESSION,
    operation_id = "endSession",
    params(("session" = String, Path, format = "uuid", description = "The id of the session. A malformed one is the id of no session.")),
    responses((status = 204, description = "The login is ended."), (status = 404, description = "NoSuchSession")),
)]
async fn end_session(
    caller: Caller<Account>,
    ClientAddress(address): ClientAddress,
    session: web::Path<String>,
    accounts: web::Data<AccountService>,
) -> Result<HttpResponse, Problem> {
    let is_ended = match parse_id(&session) {
        Some(session) => accounts.end_session(caller.id(), session, address).await?,
        None => false,
    };
    if is_ended {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(no_such_session())
    }
}

pub(crate) fn no_such_session() -> Problem {
    Problem::new(Kind::NotFound, "Session not found")
}

/// Parses an id as this service writes it.
fn parse_id(raw: &str) -> Option<Uuid> {
    Uuid::try_parse(raw).ok().filter(|id| id.to_string() == raw)
}

fn given_password(body: &ReadBody) -> Result<Option<String>, Problem> {
    if body.is_empty() {
        return Ok(None);
    }
    match body.object::<Deletion>()?.password {
        Member::Given(password) => Ok(Some(password)),
        Member::Absent | Member::Null => Ok(None),
        Member::WrongType => Err(Violations::from(Violation::PasswordMissing).into()),
    }
}

fn refresh_token(member: Member<String>) -> Result<Option<RefreshToken>, Problem> {
    match member {
        Member::Given(token) => Ok(Some(RefreshToken::new(token))),
        Member::Absent | Member::Null => Ok(None),
        Member::WrongType => Err(no_refresh_token()),
    }
}

fn no_refresh_token() -> Problem {
    Violations::from(Violation::RefreshTokenMissing).into()
}

fn granted(
    response: &mut HttpResponseBuilder,
    client: &RequestClient,
    grant: &Grant,
) -> HttpResponse {
    if let Some(token) = &grant.device_token {
        client.insert_token(response, token);
    }
    response.json(GrantBody::from(grant))
}
