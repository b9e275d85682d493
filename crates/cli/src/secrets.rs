//! Where the token of a login is kept: in the system's keyring, or with the login in its file.

use keyring::v1::Entry;
use serde::{Deserialize, Serialize};
use taskhold_client::credentials::Tokens;

/// The name of the program in the keyring.
const SERVICE: &str = "taskhold";

/// What lets a user in.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Secret {
    /// The tokens of a log-in with a password.
    Session {
        #[serde(flatten)]
        tokens: Tokens,
        /// What makes the next log-in count as that of a known device.
        #[serde(default)]
        device_token: Option<String>,
    },
    /// A token that was given as it is.
    Token { token: String },
}

/// An error of the keyring.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    #[error("the keyring: {0}")]
    Keyring(#[from] keyring::v1::Error),
    #[error("what is in the keyring cannot be read")]
    Unreadable(#[from] serde_json::Error),
}

/// Returns what the keyring has for the login of a name.
pub fn read(login: &str) -> Result<Secret, KeyringError> {
    let secret = Entry::new(SERVICE, login)?.get_password()?;
    Ok(serde_json::from_str(&secret)?)
}

/// Puts a secret into the keyring, in place of an earlier one of the login.
pub fn write(login: &str, secret: &Secret) -> Result<(), KeyringError> {
    let secret = serde_json::to_string(secret)?;
    Ok(Entry::new(SERVICE, login)?.set_password(&secret)?)
}

/// Removes the secret of a login, if there is one.
pub fn remove(login: &str) -> Result<(), KeyringError> {
    match Entry::new(SERVICE, login)?.delete_credential() {
        Ok(()) | Err(keyring::v1::Error::NoEntry) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
