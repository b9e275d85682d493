//! The logins of this computer, each with a name.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use taskhold_client::accounts::User;
use taskhold_client::credentials::{LockedSession, SessionError, SessionStore, Tokens};
use tempfile::NamedTempFile;
use tokio::time::Instant;

use crate::failure::{Failure, Kind};
use crate::folders::Folders;
use crate::private_file;
use crate::secrets::{self, Secret};

/// The name of the login that is used unless another is named.
pub const DEFAULT: &str = "default";
/// The longest that a command waits for another one that refreshes the same login.
const LOCK_WAIT: Duration = Duration::from_secs(15);
const LOCK_POLL: Duration = Duration::from_millis(20);

/// A login, as its file keeps it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Login {
    /// The address of the service.
    pub url: String,
    pub user: User,
    /// The certificates that are trusted besides those of the system, in PEM.
    #[serde(default)]
    pub ca: Option<String>,
    /// The secret, unless it is in the keyring.
    #[serde(default)]
    pub secret: Option<Secret>,
}

/// A login of this computer, by its name.
#[derive(Debug, Clone)]
pub struct NamedLogin {
    pub name: String,
    file: PathBuf,
    /// The tokens that were read last.
    tokens: Arc<Mutex<Option<Tokens>>>,
    /// Held while the login is refreshed, so that Ctrl-C waits for the new tokens: without them the login has ended.
    refreshing: Arc<tokio::sync::Mutex<()>>,
}

impl NamedLogin {
    /// Returns the login of a name, which need not exist.
    pub fn of(name: &str, folders: &Folders) -> Self {
        Self {
            name: name.to_owned(),
            file: folders.login.clone(),
            tokens: Arc::default(),
            refreshing: Arc::default(),
        }
    }

    /// Returns the file of the login.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Reads the login, or returns `None` if there is none.
    pub fn read(&self) -> Result<Option<Login>, Failure> {
        let what = format!("cannot read the login {}", self.file.display());
        let contents =
            private_file::read(&self.file).map_err(|error| Failure::local(&what, &error))?;
        let Some(contents) = contents else {
            return Ok(None);
        };
        let login = serde_json::from_slice(&contents);
        login
            .map(Some)
            .map_err(|error| Failure::local(&what, &error))
    }

    /// Reads the login.
    pub fn existing(&self) -> Result<Login, Failure> {
        self.read()?.ok_or_else(|| {
            let message = if self.name == DEFAULT {
                "You are not logged in: todo login URL".to_owned()
            } else {
                format!(
                    "There is no login of the name {0:?}: todo login URL --name {0:?}",
                    self.name
                )
            };
            Failure::new(Kind::NotAllowed, message)
        })
    }

    /// Returns the secret of a login.
    pub fn secret(&self, login: &Login) -> Result<Secret, Failure> {
        match &login.secret {
            Some(secret) => Ok(secret.clone()),
            None => secrets::read(&self.name)
                .map_err(|error| Failure::local("cannot read the token", &error)),
        }
    }

    /// Keeps a login in place of an earlier one.
    pub fn write(&self, login: &Login) -> Result<(), Failure> {
        let what = format!("cannot write the login {}", self.file.display());
        let contents =
            serde_json::to_vec_pretty(login).map_err(|error| Failure::local(&what, &error))?;
        private_file::replace(&self.file, &contents).map_err(|error| Failure::local(&what, &error))
    }

    /// Forgets the login.
    pub fn remove(&self) -> Result<(), Failure> {
        for file in [self.file.clone(), self.lock_file()] {
            private_file::remove(&file)
                .map_err(|error| Failure::local("cannot remove the login", &error))?;
        }
        Ok(())
    }

    fn lock_file(&self) -> PathBuf {
        self.file.with_extension("lock")
    }

    fn read_tokens(&self) -> Result<(Login, Secret, Tokens), SessionError> {
        let failed = |failure: Failure| -> SessionError { failure.to_string().into() };
        let login = self.existing().map_err(failed)?;
        let secret = self.secret(&login).map_err(failed)?;
        match &secret {
            Secret::Session { tokens, .. } => {
                let tokens = tokens.clone();
                self.remember(&tokens);
                Ok((login, secret, tokens))
            }
            Secret::Token { .. } => Err("another command has replaced the login".into()),
        }
    }

    fn remember(&self, tokens: &Tokens) {
        let mut known = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(tokens.clone());
    }

    /// Waits until no other process refreshes the login.
    async fn lock_file_alone(&self) -> io::Result<File> {
        let file = private_file::open(&self.lock_file())?;
        let deadline = Instant::now() + LOCK_WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    tokio::time::sleep(LOCK_POLL).await
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::other(
                        "another command has been refreshing the login for too long",
                    ));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }
}

#[async_trait]
impl SessionStore for NamedLogin {
    fn tokens(&self) -> Result<Tokens, SessionError> {
        let known = self
            .tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match known {
            Some(tokens) => Ok(tokens),
            None => Ok(self.read_tokens()?.2),
        }
    }

    async fn lock(&self) -> Result<Box<dyn LockedSession>, SessionError> {
        let refreshing = Arc::clone(&self.refreshing).lock_owned().await;
        exit_after(Arc::clone(&self.refreshing));
        let lock = self.lock_file_alone().await?;
        let (login, secret, _) = self.read_tokens()?;
        // Whether new tokens could be kept shows before the present ones are spent.
        let replacement = match &login.secret {
            Some(_) => Some(private_file::start_replacing(&self.file)?),
            None => {
                secrets::write(&self.name, &secret)?;
                None
            }
        };
        Ok(Box::new(LockedLogin {
            login: self.clone(),
            replacement,
            _refreshing: refreshing,
            _lock: lock,
        }))
    }
}

/// Lets Ctrl-C end the program only when the login is not being refreshed.
fn exit_after(refreshing: Arc<tokio::sync::Mutex<()>>) {
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            let _refreshed = refreshing.lock().await;
            std::process::exit(130);
        }
    });
}

struct LockedLogin {
    login: NamedLogin,
    /// The file that takes the place of the login's, if that has the secret.
    replacement: Option<NamedTempFile>,
    _refreshing: tokio::sync::OwnedMutexGuard<()>,
    _lock: File,
}

impl LockedSession for LockedLogin {
    fn tokens(&self) -> Result<Tokens, SessionError> {
        Ok(self.login.read_tokens()?.2)
    }

    fn replace(&mut self, tokens: &Tokens) -> Result<(), SessionError> {
        let (mut login, secret, _) = self.login.read_tokens()?;
        let Secret::Session { device_token, .. } = secret else {
            return Err("another command has replaced the login".into());
        };
        let secret = Secret::Session {
            tokens: tokens.clone(),
            device_token,
        };
        match self.replacement.take() {
            Some(file) => {
                login.secret = Some(secret);
                let contents = serde_json::to_vec_pretty(&login)?;
                private_file::finish_replacing(file, &self.login.file, &contents)?;
            }
            None => secrets::write(&self.login.name, &secret)?,
        }
        self.login.remember(tokens);
        Ok(())
    }
}
