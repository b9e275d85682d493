//! The token of a login in the system's keyring.

use keyring::v1::Entry;
use serde::{Deserialize, Serialize};
use taskhold_client::credentials::Tokens;

/// The name of the program in the keyring.
const SERVICE: &str = "taskhold";

/// The credentials of a user.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Secret {
    /// The tokens of a log-in with a password.
    Session {
        #[serde(flatten)]
        tokens: Tokens,
        /// A secret that makes the next log-in count as that of a known device.
        #[serde(default)]
        device_token: Option<String>,
    },
    /// A token that was given as it is.
    Token { token: String },
}

/// An entry of the keyring. It names its login, so that a token is never sent to the service of another one.
#[derive(Serialize, Deserialize)]
struct Kept {
    url: String,
    user: String,
    secret: Secret,
}

/// An error of the keyring.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    #[error("the keyring: {0}")]
    Keyring(String),
    #[error("what is in the keyring cannot be read")]
    Unreadable(#[from] serde_json::Error),
    #[error("the keyring has the token of another login of this name")]
    AnotherLogin,
}

impl From<keyring::v1::Error> for KeyringError {
    fn from(error: keyring::v1::Error) -> Self {
        // Without a store, its own error says why.
        match Entry::store_status() {
            Err(status) => Self::Keyring(status.to_string()),
            Ok(()) => Self::Keyring(error.to_string()),
        }
    }
}

/// Returns the secret of the login of a name, a service and a user.
pub fn read(name: &str, url: &str, user: &str) -> Result<Secret, KeyringError> {
    let kept = Entry::new(SERVICE, name)?.get_password()?;
    let kept: Kept = serde_json::from_str(&kept)?;
    if kept.url != url || kept.user != user {
        return Err(KeyringError::AnotherLogin);
    }
    Ok(kept.secret)
}

/// Puts a secret into the keyring, in place of an earlier one of the same name.
pub fn write(name: &str, url: &str, user: &str, secret: &Secret) -> Result<(), KeyringError> {
    let kept = Kept {
        url: url.to_owned(),
        user: user.to_owned(),
        secret: secret.clone(),
    };
    let kept = serde_json::to_string(&kept)?;
    Ok(Entry::new(SERVICE, name)?.set_password(&kept)?)
}

/// Removes the secret of a name, if there is one.
pub fn remove(name: &str) -> Result<(), KeyringError> {
    match Entry::new(SERVICE, name)?.delete_credential() {
        Ok(()) | Err(keyring::v1::Error::NoEntry) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
