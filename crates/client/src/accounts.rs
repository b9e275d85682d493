//! Log-in, log-out and personal access tokens.

use std::fmt;

use reqwest::Method;
use reqwest::header::HeaderName;
use serde::{Deserialize, Serialize};
use taskhold_domain::timestamp::Timestamp;

use crate::client::Client;
use crate::credentials::Tokens;
use crate::error::Error;

const AUTH: [&str; 2] = ["api", "auth"];
const DEVICE_TOKEN: HeaderName = HeaderName::from_static("device-token");

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The id: the `sub` of the user's tokens.
    pub id: String,
    /// The e-mail address; `None` for users of another issuer.
    pub email: Option<String>,
    /// The name, if the user gave one.
    pub name: Option<String>,
}

/// A log-in that succeeded. Its secrets are not shown by `Debug`.
#[derive(Clone)]
pub struct Login {
    /// The user.
    pub user: User,
    /// The tokens.
    pub tokens: Tokens,
    /// A secret that makes the next log-in of this device count as that of a known one.
    pub device_token: Option<String>,
}

/// A personal access token, without the token itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonalToken {
    /// The id, by which it is revoked.
    pub id: String,
    /// The name.
    pub name: String,
    /// `tasks:read` or `tasks:write`.
    pub scopes: Vec<String>,
    /// The time at which it was made.
    pub created_at: Timestamp,
    /// The time at which it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// The day of the last use.
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
}

/// A new personal access token. Only this tells the token itself, which `Debug` does not show.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedToken {
    /// The token.
    pub token: String,
    /// The description, which can be read again later.
    #[serde(flatten)]
    pub about: PersonalToken,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken")
            .field("about", &self.about)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Grant {
    user: User,
    #[serde(flatten)]
    tokens: Tokens,
}

#[derive(Deserialize)]
struct UserAnswer {
    user: User,
}

#[derive(Deserialize)]
struct TokenList {
    tokens: Vec<PersonalToken>,
}

impl Client {
    /// Logs in. `device_token` is that of an earlier log-in of the same user on this device.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Unauthorized`] for a wrong address or password, [`Error::Busy`] after too many guesses.
    pub async fn log_in(
        &self,
        email: &str,
        password: &str,
        device_token: Option<&str>,
    ) -> Result<Login, Error> {
        let body = serde_json::json!({ "email": email, "password": password });
        let call = self.auth(Method::POST, &["login"]).json(&body).anonymous();
        let call = match device_token {
            Some(token) => call.header(DEVICE_TOKEN, token),
            None => call,
        };
        let answer = self.send(call).await?;
        let device_token = answer.headers.get(DEVICE_TOKEN);
        let device_token = device_token
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let Grant { user, tokens } = self.json(&answer)?;
        Ok(Login {
            user,
            tokens,
            device_token,
        })
    }

    /// Ends the login of a refresh token, with its access tokens.
    ///
    /// # Errors
    /// [`Error`]. A login that has ended already is none.
    pub async fn log_out(&self, refresh_token: &str) -> Result<(), Error> {
        let body = serde_json::json!({ "refresh_token": refresh_token });
        let call = self.auth(Method::POST, &["logout"]).json(&body).anonymous();
        self.done(call.repeatable()).await.map(drop)
    }

    /// Returns the user of the credentials.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn me(&self) -> Result<User, Error> {
        let call = self.auth(Method::GET, &["me"]);
        self.read(call).await.map(|answer: UserAnswer| answer.user)
    }

    /// Makes a personal access token. Needs a login.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Forbidden`] for the credentials of a personal access token.
    pub async fn issue_token(
        &self,
        name: &str,
        scope: &str,
        expires_in_days: Option<u32>,
    ) -> Result<IssuedToken, Error> {
        let body = serde_json::json!({ "name": name, "scopes": [scope], "expires_in_days": expires_in_days });
        self.read(self.auth(Method::POST, &["tokens"]).json(&body))
            .await
    }

    /// Lists the personal access tokens that have not expired. Needs a login.
    ///
    /// # Errors
    /// As [`issue_token`](Self::issue_token).
    pub async fn tokens(&self) -> Result<Vec<PersonalToken>, Error> {
        let call = self.auth(Method::GET, &["tokens"]);
        self.read(call).await.map(|answer: TokenList| answer.tokens)
    }

    /// Revokes a personal access token by its id. Needs a login.
    ///
    /// # Errors
    /// As [`issue_token`](Self::issue_token); [`Error::NotFound`] if there is none.
    pub async fn revoke_token(&self, id: &str) -> Result<(), Error> {
        let call = self.auth(Method::DELETE, &["tokens", id]);
        self.done(call).await.map(drop)
    }

    fn auth(&self, method: Method, path: &[&str]) -> crate::call::Call {
        self.call(method, &[&AUTH, path].concat())
    }
}
