//! The logins of this computer, each with a name.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use taskhold_client::accounts::User;
use taskhold_client::credentials::{LockedSession, SessionError, SessionStore, Tokens};
use tokio::time::Instant;

use crate::arguments::DEFAULT_LOGIN;
use crate::failure::{Failure, Kind};
use crate::folders::Folders;
use crate::private_file::{self, Replacement};
use crate::secrets::{self, Secret};

/// The longest that a command waits for another one that changes the same login. The exchange of tokens takes less.
const LOCK_WAIT: Duration = Duration::from_secs(45);
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

/// The place of a login, by its name. There need not be one.
#[derive(Debug, Clone)]
pub struct NamedLogin {
    pub name: String,
    file: PathBuf,
}

/// A place that no other command changes until this is dropped.
pub struct LoginLock(#[expect(dead_code, reason = "it is unlocked when dropped")] File);

impl NamedLogin {
    /// Returns the place of the login of a name.
    pub fn of(name: &str, folders: &Folders) -> Self {
        Self {
            name: name.to_owned(),
            file: folders.login.clone(),
        }
    }

    /// Returns the file of the login.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Reads the login, or returns `None` if there is none.
    pub fn read(&self) -> Result<Option<Login>, Failure> {
        let what = format!("cannot read the login {}", self.file.display());
        let contents = private_file::read(&self.file);
        let Some(contents) = contents.map_err(|error| Failure::local(&what, &error))? else {
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
            let message = if self.name == DEFAULT_LOGIN {
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
        if let Some(secret) = &login.secret {
            return Ok(secret.clone());
        }
        secrets::read(&self.name, &login.url, &login.user.id)
            .map_err(|error| Failure::local("cannot read the token", &error))
    }

    /// Keeps a login in place of an earlier one.
    pub fn write(&self, login: &Login) -> Result<(), Failure> {
        let what = format!("cannot write the login {}", self.file.display());
        let contents =
            serde_json::to_vec_pretty(login).map_err(|error| Failure::local(&what, &error))?;
        let replaced = Replacement::start(&self.file).and_then(|file| file.finish(&contents));
        replaced.map_err(|error| Failure::local(&what, &error))
    }

    /// Forgets the login.
    pub fn remove(&self) -> Result<(), Failure> {
        for file in [self.file.clone(), Replacement::path(&self.file)] {
            let removed = private_file::remove(&file);
            removed.map_err(|error| Failure::local("cannot remove the login", &error))?;
        }
        Ok(())
    }

    /// Waits until no other command changes the login, and keeps them from it. The file of the lock stays: another
    /// command may be waiting for it.
    pub async fn lock(&self) -> io::Result<LoginLock> {
        let file = private_file::open(&self.file.with_extension("lock"))?;
        let deadline = Instant::now() + LOCK_WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(LoginLock(file)),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    tokio::time::sleep(LOCK_POLL).await;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::other(
                        "another command has been changing the login for too long",
                    ));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }
}

/// The session of a login: its tokens, as long as the login of the name is still the one of this service and user.
#[derive(Debug, Clone)]
pub struct LoginSession {
    named: NamedLogin,
    url: String,
    user: String,
    /// The tokens that were read last.
    tokens: Arc<Mutex<Tokens>>,
    /// Held while the login is refreshed, so that Ctrl-C waits for the new tokens: without them the login has ended.
    refreshing: Arc<tokio::sync::Mutex<()>>,
    handles_ctrl_c: Arc<Once>,
}

impl LoginSession {
    /// Returns the session of a login that has these tokens.
    pub fn new(named: NamedLogin, login: &Login, tokens: Tokens) -> Self {
        Self {
            named,
            url: login.url.clone(),
            user: login.user.id.clone(),
            tokens: Arc::new(Mutex::new(tokens)),
            refreshing: Arc::default(),
            handles_ctrl_c: Arc::new(Once::new()),
        }
    }

    fn read(&self) -> Result<(Login, Tokens, Option<String>), SessionError> {
        let failed = |failure: Failure| -> SessionError { failure.to_string().into() };
        let login = self.named.existing().map_err(failed)?;
        if login.url != self.url || login.user.id != self.user {
            return Err("another command has replaced the login".into());
        }
        match self.named.secret(&login).map_err(failed)? {
            Secret::Session {
                tokens,
                device_token,
            } => {
                self.remember(&tokens);
                Ok((login, tokens, device_token))
            }
            Secret::Token { .. } => Err("another command has replaced the login".into()),
        }
    }

    fn remember(&self, tokens: &Tokens) {
        *self.tokens.lock().unwrap_or_else(PoisonError::into_inner) = tokens.clone();
    }
}

#[async_trait]
impl SessionStore for LoginSession {
    fn tokens(&self) -> Result<Tokens, SessionError> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(tokens.clone())
    }

    async fn lock(&self) -> Result<Box<dyn LockedSession>, SessionError> {
        let lock = self.named.lock().await?;
        let refreshing = Arc::clone(&self.refreshing).lock_owned().await;
        self.handles_ctrl_c
            .call_once(|| exit_after(Arc::clone(&self.refreshing)));
        let (login, tokens, device_token) = self.read()?;
        // Fail before the present tokens are spent if new ones could not be kept.
        let replacement = if login.secret.is_some() {
            Some(Replacement::start(&self.named.file)?)
        } else {
            let secret = Secret::Session {
                tokens,
                device_token,
            };
            secrets::write(&self.named.name, &self.url, &self.user, &secret)?;
            None
        };
        Ok(Box::new(LockedLogin {
            session: self.clone(),
            replacement,
            _refreshing: refreshing,
            _lock: lock,
        }))
    }
}

/// Lets Ctrl-C end the program only when the login is not being refreshed. It is handled on a thread of its own from now
/// on, so that it ends the program whatever that does.
fn exit_after(refreshing: Arc<tokio::sync::Mutex<()>>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    else {
        return;
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            if tokio::signal::ctrl_c().await.is_ok() {
                let _refreshed = refreshing.lock().await;
                std::process::exit(130);
            }
        });
    });
}

struct LockedLogin {
    session: LoginSession,
    /// The file that takes the place of the login's, if that has the secret.
    replacement: Option<Replacement>,
    _refreshing: tokio::sync::OwnedMutexGuard<()>,
    _lock: LoginLock,
}

impl LockedSession for LockedLogin {
    fn tokens(&self) -> Result<Tokens, SessionError> {
        Ok(self.session.read()?.1)
    }

    fn replace(&mut self, tokens: &Tokens) -> Result<(), SessionError> {
        let (mut login, _, device_token) = self.session.read()?;
        // This command goes on with them even if they cannot be kept.
        self.session.remember(tokens);
        let secret = Secret::Session {
            tokens: tokens.clone(),
            device_token,
        };
        match self.replacement.take() {
            Some(file) => {
                login.secret = Some(secret);
                file.finish(&serde_json::to_vec_pretty(&login)?)?;
            }
            None => secrets::write(
                &self.session.named.name,
                &login.url,
                &login.user.id,
                &secret,
            )?,
        }
        Ok(())
    }
}
