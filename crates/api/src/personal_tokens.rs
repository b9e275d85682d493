//! The endpoints of personal access tokens.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use taskhold_application::accounts::{AccountError, AccountService};
use taskhold_application::personal_tokens::PersonalTokens;
use taskhold_domain::input::{Member, TokenInput};
use taskhold_domain::personal_token::{PersonalToken, Scope};
use taskhold_domain::timestamp::Timestamp;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::body::{Body, JSON, member, whole_number};
use crate::caller::{Account, Caller};
use crate::client_address::ClientAddress;
use crate::problem::{Kind, Problem};
use crate::route::{Access, Endpoint};
use crate::schema::{SOME_ID, SOME_TIME};

const TOKENS: &str = "/api/auth/tokens";
const TOKEN: &str = "/api/auth/tokens/{token}";

pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new::<__path_issue>(Access::Account, || web::to(issue)),
        Endpoint::new::<__path_list>(Access::Account, || web::to(list)),
        Endpoint::new::<__path_revoke>(Access::Account, || web::to(revoke)),
    ]
}

#[derive(Deserialize, ToSchema)]
#[schema(as = TokenDraft)]
pub(crate) struct TokenDraftBody {
    /// Shown in the list of tokens, and as `by` in the history of tasks.
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = String, required, min_length = 1, max_length = 100)]
    name: Member<String>,
    /// The rights of the token. `tasks:write` includes `tasks:read`.
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = Vec<ScopeName>, required, min_items = 1)]
    scopes: Member<Vec<String>>,
    /// Left out or null: the token does not expire.
    #[serde(default, deserialize_with = "whole")]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 3650)]
    expires_in_days: Member<i64>,
}

fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Member<i64>, D::Error> {
    Ok(match member(deserializer)? {
        Member::Given(number) => whole_number(&number).map_or(Member::WrongType, Member::Given),
        Member::Absent => Member::Absent,
        Member::Null => Member::Null,
        Member::WrongType => Member::WrongType,
    })
}

/// A right of a token.
#[derive(Serialize, ToSchema)]
#[schema(as = Scope)]
pub(crate) enum ScopeName {
    #[serde(rename = "tasks:read")]
    Read,
    #[serde(rename = "tasks:write")]
    Write,
}

impl From<Scope> for ScopeName {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Read => Self::Read,
            Scope::Write => Self::Write,
        }
    }
}

/// A personal access token, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = PersonalToken)]
pub(crate) struct PersonalTokenBody<'a> {
    #[schema(format = "uuid")]
    id: String,
    name: &'a str,
    scopes: Vec<ScopeName>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(required, format = DateTime)]
    expires_at: Option<String>,
    /// The beginning of the last day in UTC on which the token was used.
    #[schema(required, format = DateTime)]
    last_used_at: Option<String>,
}

impl<'a> From<&'a PersonalToken> for PersonalTokenBody<'a> {
    fn from(token: &'a PersonalToken) -> Self {
        let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
        Self {
            id: token.id.to_string(),
            name: token.name.as_str(),
            scopes: token.scopes.iter().map(ScopeName::from).collect(),
            created_at: token.created_at.to_string(),
            expires_at: text(token.expires_at),
            last_used_at: text(token.last_used_at),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = PersonalTokenList)]
pub(crate) struct PersonalTokenList<'a> {
    tokens: Vec<PersonalTokenBody<'a>>,
}

/// A new personal access token.
#[derive(Serialize, ToSchema)]
#[schema(as = IssuedToken)]
pub(crate) struct IssuedToken<'a> {
    /// The secret, which no other response has.
    token: &'a str,
    #[schema(format = "uuid")]
    id: String,
    name: &'a str,
    scopes: Vec<ScopeName>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(required, format = DateTime)]
    expires_at: Option<String>,
}

/// Make a personal access token
///
/// For programs: it works in `Authorization` as an access token does, for tasks only and within its scopes, until it
/// expires or is revoked. The response alone has the token; the service keeps a digest of it. A user has at most 50.
#[utoipa::path(
    post,
    path = TOKENS,
    operation_id = "issueToken",
    request_body(
        content = TokenDraftBody,
        example = json!({"name": "laptop", "scopes": ["tasks:read", "tasks:write"], "expires_in_days": 90}),
    ),
    responses(
        (status = 201, description = "The token.", body = IssuedToken, example = issued_example),
        (status = 409, description = "TooManyTokens"),
        (status = 429, description = "TooManyAttempts"),
    ),
)]
async fn issue(
    caller: Caller<Account>,
    ClientAddress(address): ClientAddress,
    accounts: web::Data<AccountService>,
    tokens: web::Data<PersonalTokens>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    accounts.count_request_of(caller.id(), address).await?;
    let body: TokenDraftBody = body.read(&[JSON]).await?.object()?;
    let input = TokenInput {
        name: body.name,
        scopes: body.scopes,
        expires_in_days: body.expires_in_days,
    };
    let draft = input.into_draft()?;
    let issued = tokens.issue(caller.id(), draft, address).await;
    let (token, secret) = issued.map_err(AccountError::from)?;
    let body = PersonalTokenBody::from(&token);
    Ok(HttpResponse::Created().json(IssuedToken {
        token: secret.as_str(),
        id: body.id,
        name: body.name,
        scopes: body.scopes,
        created_at: body.created_at,
        expires_at: body.expires_at,
    }))
}

/// List the personal access tokens
///
/// Those that have not expired, the latest first.
#[utoipa::path(
    get,
    path = TOKENS,
    operation_id = "listTokens",
    responses((
        status = 200,
        description = "The caller's tokens.",
        body = PersonalTokenList,
        example = list_example,
    )),
)]
async fn list(
    caller: Caller<Account>,
    tokens: web::Data<PersonalTokens>,
) -> Result<HttpResponse, Problem> {
    let tokens = tokens.list(caller.id()).await.map_err(AccountError::from)?;
    Ok(HttpResponse::Ok().json(PersonalTokenList {
        tokens: tokens.iter().map(PersonalTokenBody::from).collect(),
    }))
}

/// Revoke a personal access token
///
/// At once on this instance, and within 15 seconds on every other one.
#[utoipa::path(
    delete,
    path = TOKEN,
    operation_id = "revokeToken",
    params(("token" = String, Path, format = "uuid", description = "The id of the token. A malformed one is the id of no token.")),
    responses((status = 204, description = "The token is revoked."), (status = 404, description = "NoSuchToken")),
)]
async fn revoke(
    caller: Caller<Account>,
    ClientAddress(address): ClientAddress,
    id: web::Path<String>,
    tokens: web::Data<PersonalTokens>,
) -> Result<HttpResponse, Problem> {
    let is_revoked = match Uuid::try_parse(&id) {
        Ok(parsed) if parsed.to_string() == *id => {
            let revoked = tokens.revoke(caller.id(), parsed, address).await;
            revoked.map_err(AccountError::from)?
        }
        _ => false,
    };
    if is_revoked {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(no_such_token())
    }
}

pub(crate) fn no_such_token() -> Problem {
    Problem::new(Kind::NotFound, "Token not found")
}

fn some_token() -> Value {
    json!({
        "id": SOME_ID,
        "name": "laptop",
        "scopes": ["tasks:read", "tasks:write"],
        "created_at": SOME_TIME,
        "expires_at": null,
        "last_used_at": null,
    })
}

fn issued_example() -> Value {
    json!({
        "token": "th_2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae4e6b1f00",
        "id": SOME_ID,
        "name": "laptop",
        "scopes": ["tasks:read", "tasks:write"],
        "created_at": SOME_TIME,
        "expires_at": null,
    })
}

fn list_example() -> Value {
    json!({"tokens": [some_token()]})
}
