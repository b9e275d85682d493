//! The credentials of a client: tokens, and logins that are refreshed.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The tokens of a login. They are secrets: `Debug` does not show them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Sent with each request; lives for an hour unless the service is set otherwise.
    pub access_token: String,
    /// Exchanged for new tokens once; a second use ends the login.
    pub refresh_token: String,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}

/// An error of a [`SessionStore`].
pub type SessionError = Box<dyn std::error::Error + Send + Sync>;

/// Keeps the tokens of a login, which other processes may use too.
#[async_trait]
pub trait SessionStore: fmt::Debug + Send + Sync {
    /// Returns the tokens as they are now.
    ///
    /// # Errors
    /// They cannot be read.
    fn tokens(&self) -> Result<Tokens, SessionError>;

    /// Keeps every other task and process from exchanging the tokens, until the returned value is dropped. Fails if new
    /// tokens could not be kept, so that the login does not end by an exchange.
    ///
    /// # Errors
    /// The lock cannot be taken, or the tokens cannot be written.
    async fn lock(&self) -> Result<Box<dyn LockedSession>, SessionError>;
}

/// The tokens of a login that only this process may exchange.
pub trait LockedSession: Send {
    /// Returns the tokens as they are now: another process may have exchanged them before.
    ///
    /// # Errors
    /// They cannot be read.
    fn tokens(&self) -> Result<Tokens, SessionError>;

    /// Keeps new tokens in place of the exchanged ones.
    ///
    /// # Errors
    /// They cannot be written: the login is lost.
    fn replace(&mut self, tokens: &Tokens) -> Result<(), SessionError>;
}

/// Keeps the tokens of a login in memory, for a program that logs in each time. Clones share them.
#[derive(Debug, Clone)]
pub struct MemorySession {
    tokens: Arc<Mutex<Tokens>>,
    alone: Arc<tokio::sync::Mutex<()>>,
}

struct LockedMemory {
    session: MemorySession,
    _alone: tokio::sync::OwnedMutexGuard<()>,
}

impl MemorySession {
    /// Keeps these tokens.
    #[must_use]
    pub fn new(tokens: Tokens) -> Self {
        Self {
            tokens: Arc::new(Mutex::new(tokens)),
            alone: Arc::default(),
        }
    }
}

#[async_trait]
impl SessionStore for MemorySession {
    fn tokens(&self) -> Result<Tokens, SessionError> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(tokens.clone())
    }

    async fn lock(&self) -> Result<Box<dyn LockedSession>, SessionError> {
        Ok(Box::new(LockedMemory {
            session: self.clone(),
            _alone: Arc::clone(&self.alone).lock_owned().await,
        }))
    }
}

impl LockedSession for LockedMemory {
    fn tokens(&self) -> Result<Tokens, SessionError> {
        self.session.tokens()
    }

    fn replace(&mut self, tokens: &Tokens) -> Result<(), SessionError> {
        let mut kept = self
            .session
            .tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *kept = tokens.clone();
        Ok(())
    }
}

/// The credentials that a client sends.
#[derive(Clone)]
pub struct Credentials(Kind);

#[derive(Clone)]
enum Kind {
    None,
    Token(String),
    Session(Arc<dyn SessionStore>),
}

impl Credentials {
    /// Shows nothing: for a log-in, a registration and the health of the service.
    #[must_use]
    pub fn none() -> Self {
        Self(Kind::None)
    }

    /// Shows a token that cannot be refreshed: a personal access token, or one of another issuer.
    #[must_use]
    pub fn token(token: impl Into<String>) -> Self {
        Self(Kind::Token(token.into()))
    }

    /// Shows the access token of a login, and refreshes the login when that has expired.
    #[must_use]
    pub fn session(store: impl SessionStore + 'static) -> Self {
        Self(Kind::Session(Arc::new(store)))
    }

    /// Returns the token to send.
    pub(crate) fn current(&self) -> Result<Option<String>, Error> {
        match &self.0 {
            Kind::None => Ok(None),
            Kind::Token(token) => Ok(Some(token.clone())),
            Kind::Session(store) => {
                let tokens = store.tokens().map_err(Error::Session)?;
                Ok(Some(tokens.access_token))
            }
        }
    }

    /// Returns what keeps the login, if it can be refreshed.
    pub(crate) fn store(&self) -> Option<Arc<dyn SessionStore>> {
        match &self.0 {
            Kind::Session(store) => Some(Arc::clone(store)),
            Kind::None | Kind::Token(_) => None,
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::None => "Credentials::None",
            Kind::Token(_) => "Credentials::Token",
            Kind::Session(_) => "Credentials::Session",
        })
    }
}
