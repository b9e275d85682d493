//! `todo login` and `todo logout`.

use std::fs;
use std::path::Path;

use serde::Serialize;
use taskhold_client::accounts::User;
use taskhold_client::credentials::Credentials;
use taskhold_client::{Client, Error};
use taskhold_domain::printable::is_printable;
use url::Host;

use crate::arguments::{Common, DEFAULT_LOGIN, Login as Arguments, Place};
use crate::failure::{Failure, Kind, causes};
use crate::folders::Folders;
use crate::logins::{Login, LoginLock, NamedLogin};
use crate::output::Output;
use crate::secrets::{self, Secret};
use crate::{prompt, workspace};

#[derive(Serialize)]
struct LoggedIn<'a> {
    success: bool,
    login: LoginRow<'a>,
}

#[derive(Serialize)]
struct LoginRow<'a> {
    name: &'a str,
    url: &'a str,
    user: &'a User,
    /// `keyring`, or the path of the file.
    token_is_in: String,
}

/// Logs in, and keeps the login in place of an earlier one of the same name.
pub async fn log_in(arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    if arguments.name.is_empty() || !arguments.name.chars().all(is_printable) {
        return Err(Failure::new(
            Kind::BrokenRule,
            "The name of a login has at least one character, and only printable ones",
        ));
    }
    let folders = Folders::of(&arguments.name)?;
    let named = NamedLogin::of(&arguments.name, &folders);
    let ca = arguments.ca.as_deref().map(read_ca).transpose()?;
    let builder = workspace::client(&arguments.url, ca.as_deref())?;
    // Fail before the log-in if it could not be kept.
    drop(lock(&named).await?);

    let (secret, user) = if let Some(token) = &arguments.token {
        let token = prompt::value_or_line(token)?;
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message = "A token has only visible ASCII characters";
            return Err(Failure::new(Kind::BrokenRule, message));
        }
        let client = builder
            .credentials(Credentials::token(token.as_str()))
            .build()?;
        warn_of_clear_text(&client, output);
        let user = match client.me().await {
            Err(Error::Unauthorized(_)) => {
                let message = "The service does not accept this token";
                return Err(Failure::new(Kind::NotAllowed, message));
            }
            Err(Error::NotFound(_)) => return Err(nothing_there(&arguments.url)),
            user => user?,
        };
        (Secret::Token { token }, user)
    } else {
        let client = builder.build()?;
        warn_of_clear_text(&client, output);
        let device_token = device_token(&named, &arguments.url);
        with_password(&client, arguments, device_token).await?
    };
    let lock = lock(&named).await?;
    let earlier = named.read().unwrap_or(None);
    let earlier = earlier.and_then(|earlier| Some((named.secret(&earlier).ok()?, earlier)));
    let mut login = Login {
        url: arguments.url.clone(),
        user,
        ca,
        secret: None,
    };
    let place = keep(&named, &mut login, &secret, arguments.store, output).await?;
    if let Some((secret, earlier)) = earlier {
        // It may have ended already, or its service may be away.
        _ = end(&earlier, &secret).await;
    }
    drop(lock);
    if output.is_json() {
        let row = LoginRow {
            name: &arguments.name,
            url: &login.url,
            user: &login.user,
            token_is_in: place,
        };
        return Ok(output.json(&LoggedIn {
            success: true,
            login: row,
        })?);
    }
    let who = login.user.email.as_deref().unwrap_or(&login.user.id);
    let place = match login.secret {
        Some(_) => format!("the file {place}, which only you can read"),
        None => "the system's keyring".to_owned(),
    };
    Ok(output.line(&format!(
        "Logged in to {} as {who}. The token is in {place}.",
        login.url
    ))?)
}

/// Ends a login, here and on the service.
pub async fn log_out(common: &Common, output: &mut Output) -> Result<(), Failure> {
    let name = common.user_id.as_deref().unwrap_or(DEFAULT_LOGIN);
    let folders = Folders::of(name)?;
    let named = NamedLogin::of(name, &folders);
    // Without a login there is nothing to lock.
    named.existing()?;
    let _lock = lock(&named).await?;
    let login = named.existing()?;
    let ended = match named.secret(&login) {
        Ok(secret) => end(&login, &secret).await,
        Err(failure) => Err(failure),
    };
    if login.secret.is_none() {
        secrets::remove(name).map_err(|error| Failure::local("cannot remove the token", &error))?;
    }
    named.remove()?;
    // The ends of ids that were shown are kept, so that none of them comes to mean another task.
    _ = fs::remove_dir_all(&folders.cache);
    match ended {
        Ok(is_ended) => {
            let message = if is_ended {
                "Logged out"
            } else {
                "Logged out here. The token still works elsewhere until it is revoked"
            };
            if output.is_json() {
                let done = serde_json::json!({ "success": true, "message": message });
                return Ok(output.json(&done)?);
            }
            Ok(output.line(message)?)
        }
        Err(failure) => {
            let message = format!(
                "Logged out here, but the service could not be told ({failure}). End the login on its page, under Devices"
            );
            Err(Failure::new(Kind::Service, message))
        }
    }
}

async fn with_password(
    client: &Client,
    arguments: &Arguments,
    device_token: Option<String>,
) -> Result<(Secret, User), Failure> {
    let email = match &arguments.email {
        Some(email) => email.clone(),
        None => prompt::ask("E-mail address")?,
    };
    let password = match &arguments.password {
        Some(password) => prompt::value_or_line(password)?,
        None => prompt::ask_password("Password")?,
    };
    let login = match client
        .log_in(&email, &password, device_token.as_deref())
        .await
    {
        Err(Error::Unauthorized(_)) => {
            return Err(Failure::new(
                Kind::NotAllowed,
                "The address or the password is wrong",
            ));
        }
        Err(Error::NotFound(_)) => return Err(nothing_there(&arguments.url)),
        login => login?,
    };
    let secret = Secret::Session {
        tokens: login.tokens,
        device_token: login.device_token.or(device_token),
    };
    Ok((secret, login.user))
}

/// Keeps the secret in the keyring or in the file of the login, and tells which: the path of the file, or `keyring`. A
/// login that cannot be kept is ended, since nobody could do so later.
async fn keep(
    named: &NamedLogin,
    login: &mut Login,
    secret: &Secret,
    place: Option<Place>,
    output: &Output,
) -> Result<String, Failure> {
    let kept = match place {
        Some(Place::File) => in_file(named, login, secret),
        _ => match secrets::write(&named.name, &login.url, &login.user.id, secret) {
            Ok(()) => named.write(login).map(|()| "keyring".to_owned()),
            Err(error) if place == Some(Place::Keyring) => Err(Failure::local(
                "The token cannot be kept in the keyring",
                &error,
            )),
            Err(error) => {
                output.note(&format!(
                    "The keyring cannot be used ({}), so the token is kept in a file, as it is.",
                    causes(&error)
                ));
                in_file(named, login, secret)
            }
        },
    };
    if kept.is_err() {
        _ = end(login, secret).await;
    }
    kept
}

fn in_file(named: &NamedLogin, login: &mut Login, secret: &Secret) -> Result<String, Failure> {
    login.secret = Some(secret.clone());
    named.write(login)?;
    // An earlier login of this name may have left its token there. Without a keyring there is none.
    _ = secrets::remove(&named.name);
    Ok(named.file().display().to_string())
}

async fn lock(named: &NamedLogin) -> Result<LoginLock, Failure> {
    named
        .lock()
        .await
        .map_err(|error| Failure::local("cannot keep a login", &error))
}

/// Ends a login on the service. Returns whether it could be: a token that was given as it is cannot.
async fn end(login: &Login, secret: &Secret) -> Result<bool, Failure> {
    let Secret::Session { tokens, .. } = secret else {
        return Ok(false);
    };
    let client = workspace::client(&login.url, login.ca.as_deref())?.build()?;
    client.log_out(&tokens.refresh_token).await?;
    Ok(true)
}

/// Returns the device token of the login that is replaced, if it is of the same service.
fn device_token(named: &NamedLogin, url: &str) -> Option<String> {
    let earlier = named
        .read()
        .ok()
        .flatten()
        .filter(|earlier| earlier.url == url)?;
    match named.secret(&earlier) {
        Ok(Secret::Session { device_token, .. }) => device_token,
        _ => None,
    }
}

fn nothing_there(url: &str) -> Failure {
    Failure::new(
        Kind::Service,
        format!("There is no Taskhold at {url}: give the address without a path of its API"),
    )
}

fn read_ca(path: &Path) -> Result<String, Failure> {
    let what = format!("cannot read the certificate {}", path.display());
    fs::read_to_string(path).map_err(|error| Failure::local(&what, &error))
}

/// Says that others can read a token that is sent without TLS, unless it does not leave this computer.
fn warn_of_clear_text(client: &Client, output: &Output) {
    let address = client.address();
    let is_local = match address.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => true,
    };
    if address.scheme() == "http" && !is_local {
        output.note(
            "This address has no TLS: everybody on the way can read the password and the token.",
        );
    }
}
