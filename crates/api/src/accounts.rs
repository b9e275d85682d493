//! The endpoints of accounts.

mod body;
mod client;
mod cookie;
mod page;
mod problem;
mod rate_limit;
mod sessions;

use actix_web::{FromRequest as _, HttpRequest, HttpResponse, HttpResponseBuilder, web};
use taskhold_application::accounts::{AccountError, AccountService, Grant};
use taskhold_domain::input::{CredentialsInput, Member, PasswordChangeInput, RegistrationInput};
use taskhold_domain::violation::{Violation, Violations};

pub(crate) use self::body::{
    CredentialsBody, Deletion, GrantBody, Logout, OneUser, PasswordChangeBody, RefreshTokenBody,
    RegistrationBody, SessionBody, SessionList,
};
use self::body::{SOME_PASSWORD, SOME_REFRESH_TOKEN, grant_example, one_user_example};
pub(crate) use self::client::DEVICE_TOKEN;
use self::client::RequestClient;
use self::page::TokenCarrier;
pub(crate) use self::page::{TASKHOLD_PAGE, other_origin};
use self::rate_limit::insert_rate_limit;
pub(crate) use self::rate_limit::{RATE_LIMIT, RATE_LIMIT_POLICY};
pub(crate) use self::sessions::no_such_session;
use crate::body::{Body, JSON, ReadBody};
use crate::caller::{Account, Caller, Read};
use crate::client_address::ClientAddress;
use crate::parameters;
use crate::problem::Problem;
use crate::route::{Access, Endpoint};

const ME: &str = "/api/auth/me";

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let accounts = vec![
        Endpoint::new::<__path_register>(Access::Public, || web::to(register)),
        Endpoint::new::<__path_log_in>(Access::Public, || web::to(log_in)),
        Endpoint::new::<__path_refresh>(Access::Public, || web::to(refresh)),
        Endpoint::new::<__path_log_out>(Access::Account, || web::to(log_out)),
        Endpoint::new::<__path_me>(Access::Read, || web::to(me)),
        Endpoint::new::<__path_delete>(Access::Account, || web::to(delete)),
        Endpoint::new::<__path_change_password>(Access::Account, || web::to(change_password)),
    ];
    [accounts, sessions::endpoints()].concat()
}

/// Make an account
///
/// Refused with 403 where registration is switched off.
#[utoipa::path(
    post,
    path = "/api/auth/register",
    params(("Taskhold-Page", Header)),
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
        (status = 403, description = "RegistrationRefused"),
        (status = 409, description = "EmailTaken"),
        (status = 429, description = "TooManyAttempts"),
    ),
)]
async fn register(
    client: RequestClient,
    carrier: TokenCarrier,
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
    Ok(granted(&mut response, &client, &carrier, &grant))
}

/// Log in
///
/// The answer does not tell whether the address or the password is wrong. Wrong passwords of strangers do not lock
/// out a client that sends the device token of an earlier login.
#[utoipa::path(
    post,
    path = "/api/auth/login",
    operation_id = "logIn",
    params(("Device-Token", Header), ("Taskhold-Page", Header)),
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
        (status = 403, description = "OtherOrigin"),
        (status = 421, description = "UserMoved"),
        (status = 429, description = "TooManyAttempts"),
    ),
)]
async fn log_in(
    client: RequestClient,
    carrier: TokenCarrier,
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
    Ok(granted(&mut response, &client, &carrier, &grant))
}

/// Get new tokens for a refresh token
///
/// It is used up by that; using it again ends all that came of the same login, and every access token of the user
/// until now. With `Taskhold-Page` it is in the cookie and there is no body; a token that is not valid is deleted.
#[utoipa::path(
    post,
    path = "/api/auth/refresh",
    params(("Taskhold-Page", Header)),
    request_body(
        content = ref("#/components/schemas/RefreshToken"),
        example = json!({"refresh_token": SOME_REFRESH_TOKEN}),
    ),
    responses(
        (
            status = 200,
            description = "The account, and new tokens.",
            body = GrantBody,
            headers(("Set-Cookie")),
            example = grant_example,
        ),
        (status = 401, description = "InvalidRefreshToken"),
        (status = 403, description = "OtherOrigin"),
        (status = 421, description = "UserMoved"),
        (status = 429, description = "TooManyAttempts"),
    ),
)]
async fn refresh(
    ClientAddress(address): ClientAddress,
    carrier: TokenCarrier,
    accounts: web::Data<AccountService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let token = carrier.required(&body.read(&[JSON]).await?)?;
    let grant = accounts.refresh(&token, address).await;
    let grant = grant.map_err(|error| carrier.refused(error))?;
    Ok(carrier.granted(&mut HttpResponse::Ok(), &grant))
}

/// Log out
///
/// Ends the login of the refresh token with its access tokens, and no other. Needs no access token, and an unknown or
/// expired refresh token is no error: it ends the login of the access token, if there is one. Without a refresh token,
/// ends every login of the access token's user. With `Taskhold-Page` the refresh token is in the cookie, which is
/// deleted, and one that is missing counts as an unknown one.
#[utoipa::path(
    post,
    path = "/api/auth/logout",
    operation_id = "logOut",
    params(("Taskhold-Page", Header)),
    security((), ("bearer" = [])),
    request_body(content = ref("#/components/schemas/Logout"), example = json!({"refresh_token": SOME_REFRESH_TOKEN})),
    responses(
        (status = 204, description = "The login is ended, or every login.", headers(("Set-Cookie"))),
        (status = 403, description = "NotForTheAccount"),
        (status = 421, description = "UserMoved"),
        (status = 429, description = "TooManyAttempts"),
    ),
)]
async fn log_out(
    request: HttpRequest,
    ClientAddress(address): ClientAddress,
    carrier: TokenCarrier,
    accounts: web::Data<AccountService>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let given = body.read(&[JSON]).await;
    let given = given.and_then(|body| carrier.optional(&body));
    let is_of_one = carrier.is_of_one_login() || matches!(given, Ok(Some(_)));
    if is_of_one && let Ok(token) = &given {
        parameters::check(&request)?;
        if let Some(token) = token
            && accounts.end_session_of_token(token, address).await?
        {
            return Ok(carrier.ended());
        }
    }
    // A refresh token whose session has ended needs no access token: an earlier attempt of this request may have
    // ended the session, and its response may have been lost.
    let caller = match Caller::<Account>::extract(&request).await {
        Err(_) if is_of_one && given.is_ok() => return Ok(carrier.ended()),
        caller => caller?,
    };
    given?;
    match caller.session() {
        Some(own) if is_of_one => drop(accounts.end_session(caller.id(), own, address).await?),
        _ => accounts.end_all_sessions(caller.id(), address).await?,
    }
    Ok(carrier.ended())
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
/// minutes. With `Taskhold-Page` the cookie is deleted, too.
#[utoipa::path(
    delete,
    path = ME,
    operation_id = "deleteAccount",
    params(("Taskhold-Page", Header)),
    request_body(content = ref("#/components/schemas/Farewell"), example = json!({"password": SOME_PASSWORD})),
    responses(
        (status = 204, description = "The account is deleted.", headers(("Set-Cookie"))),
        (status = 403, description = "NotForTheAccount"),
    ),
)]
async fn delete(
    caller: Caller<Account>,
    client: RequestClient,
    carrier: TokenCarrier,
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
    Ok(carrier.ended())
}

/// Change the password
///
/// Ends every login and every access token from before. Personal access tokens stay, unless `revoke_tokens` is true.
#[utoipa::path(
    post,
    path = "/api/auth/password",
    operation_id = "changePassword",
    params(("Taskhold-Page", Header)),
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
        (status = 403, description = "NotForTheAccount"),
        (status = 409, description = "NoPassword"),
    ),
)]
async fn change_password(
    caller: Caller<Account>,
    client: RequestClient,
    carrier: TokenCarrier,
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
    Ok(granted(&mut HttpResponse::Ok(), &client, &carrier, &grant))
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

/// Completes the response to a login.
fn granted(
    response: &mut HttpResponseBuilder,
    client: &RequestClient,
    carrier: &TokenCarrier,
    grant: &Grant,
) -> HttpResponse {
    if let Some(token) = &grant.device_token {
        client.insert_token(response, token);
    }
    carrier.granted(response, grant)
}
