//! The endpoints of the caller's sessions.

use actix_web::{HttpResponse, web};
use taskhold_application::accounts::AccountService;
use uuid::Uuid;

use super::body::{SessionList, session_list_example};
use crate::caller::{Account, Caller};
use crate::client_address::ClientAddress;
use crate::problem::{Kind, Problem};
use crate::route::{Access, Endpoint};

const SESSION: &str = "/api/auth/sessions/{session}";

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new::<__path_list_sessions>(Access::Account, || web::to(list_sessions)),
        Endpoint::new::<__path_end_session>(Access::Account, || web::to(end_session)),
    ]
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
