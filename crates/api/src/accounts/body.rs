//! The bodies of requests and responses about accounts.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use taskhold_application::accounts::{Grant, Session, User};
use taskhold_domain::input::Member;
use taskhold_domain::user::UserId;
use utoipa::ToSchema;

use crate::body::member;
use crate::schema::{SOME_ID, SOME_TIME};

pub(super) const SOME_PASSWORD: &str = "correct horse";
pub(super) const SOME_REFRESH_TOKEN: &str = "nq6SYnDyPlWx0gAuKXmF0nR3oCMaUkvQXZ1O3AzvYJ8";

/// A user. A user of another service's tokens has neither an e-mail address nor a name.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserBody<'a> {
    #[schema(min_length = 1, max_length = 255, pattern = r"^[^\x00]*$")]
    id: &'a str,
    #[schema(required)]
    email: Option<&'a str>,
    #[schema(required)]
    name: Option<&'a str>,
    #[schema(required, format = DateTime)]
    created_at: Option<String>,
}

impl<'a> UserBody<'a> {
    fn new(id: &'a UserId, user: Option<&'a User>) -> Self {
        Self {
            id: id.as_str(),
            email: user.and_then(|user| Some(user.email.as_ref()?.as_str())),
            name: user.and_then(|user| Some(user.name.as_ref()?.as_str())),
            created_at: user.map(|user| user.created_at.to_string()),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = UserAnswer)]
pub(crate) struct OneUser<'a> {
    user: UserBody<'a>,
}

impl<'a> OneUser<'a> {
    pub(super) fn new(id: &'a UserId, user: Option<&'a User>) -> Self {
        Self {
            user: UserBody::new(id, user),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Grant)]
pub(crate) struct GrantBody<'a> {
    user: UserBody<'a>,
    /// To be shown with every request.
    access_token: &'a str,
    #[schema(examples("bearer"))]
    token_type: &'static str,
    /// For how many seconds the access token is good.
    expires_in: u64,
    /// Opaque; to be used once. With `Taskhold-Page` it is in the cookie instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    refresh_token: Option<&'a str>,
}

impl GrantBody<'_> {
    pub(super) fn without_refresh_token(self) -> Self {
        Self {
            refresh_token: None,
            ..self
        }
    }
}

impl<'a> From<&'a Grant> for GrantBody<'a> {
    fn from(grant: &'a Grant) -> Self {
        Self {
            user: UserBody::new(&grant.user.id, Some(&grant.user)),
            access_token: &grant.access_token.token,
            token_type: "bearer",
            expires_in: grant.access_token.expires_in.as_secs(),
            refresh_token: Some(grant.refresh_token.as_str()),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionBody {
    #[schema(format = "uuid")]
    id: String,
    /// When the user logged in.
    #[schema(format = DateTime)]
    created_at: String,
    /// When the login was last refreshed, or began.
    #[schema(format = DateTime)]
    refreshed_at: String,
    /// When it ends unless it is refreshed before.
    #[schema(format = DateTime)]
    expires_at: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SessionList {
    sessions: Vec<SessionBody>,
}

impl SessionList {
    pub(super) fn new(sessions: &[Session]) -> Self {
        let sessions = sessions.iter().map(|session| SessionBody {
            id: session.family.to_string(),
            created_at: session.started_at.to_string(),
            refreshed_at: session.created_at.to_string(),
            expires_at: session.expires_at.to_string(),
        });
        Self {
            sessions: sessions.collect(),
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Registration)]
pub(crate) struct RegistrationBody {
    /// Kept as typed, compared without regard to case.
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = String, required, format = "email", max_length = 255)]
    pub(super) email: Member<String>,
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = String, required, format = Password, min_length = 8, max_length = 128)]
    pub(super) password: Member<String>,
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, pattern = r"^[^\x00]*$")]
    pub(super) name: Member<String>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Credentials)]
pub(crate) struct CredentialsBody {
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = String, required)]
    pub(super) email: Member<String>,
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = String, required, format = Password)]
    pub(super) password: Member<String>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = RefreshToken)]
pub(crate) struct RefreshTokenBody {
    /// Opaque; to be used once.
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = String, required)]
    pub(super) refresh_token: Member<String>,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct Logout {
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = Option<String>)]
    pub(super) refresh_token: Member<String>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Farewell)]
pub(crate) struct Deletion {
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = Option<String>, format = Password)]
    pub(super) password: Member<String>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = PasswordChange)]
pub(crate) struct PasswordChangeBody {
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = String, required, format = Password)]
    pub(super) current_password: Member<String>,
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = String, required, format = Password, min_length = 8, max_length = 128)]
    pub(super) new_password: Member<String>,
    /// `true` to end the personal access tokens, too.
    #[serde(default, deserialize_with = "member")]
    #[schema(value_type = Option<bool>)]
    pub(super) revoke_tokens: Member<bool>,
}

fn some_user() -> Value {
    json!({"id": SOME_ID, "email": "ben@example.org", "name": "Ben", "created_at": SOME_TIME})
}

pub(super) fn one_user_example() -> Value {
    json!({"user": some_user()})
}

pub(super) fn session_list_example() -> Value {
    let session = json!({
        "id": SOME_ID,
        "created_at": SOME_TIME,
        "refreshed_at": SOME_TIME,
        "expires_at": SOME_TIME,
    });
    json!({"sessions": [session]})
}

pub(super) fn grant_example() -> Value {
    json!({
        "user": some_user(),
        "access_token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJiZW4ifQ.c2lnbmVk",
        "token_type": "bearer",
        "expires_in": 3600,
        "refresh_token": SOME_REFRESH_TOKEN,
    })
}
