//! The connection to a service.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use reqwest::redirect::Policy;
use rustls::pki_types::CertificateDer;
use url::{ParseError, Url};

use crate::credentials::Credentials;
use crate::error::ClientError;
use crate::tls;

/// The time for which a request is repeated, unless another is set.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest that a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

const NO_SCHEME: &str = "it has to begin with https:// or http://";

/// A client of one service, with the credentials of one user. Clones share the connections.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
    pub(crate) patience: Duration,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) http: reqwest::Client,
    pub(crate) base: Url,
    pub(crate) credentials: Credentials,
    /// `i64::MIN` before an answer.
    pub(crate) clock_lead: AtomicI64,
    /// The highest number of a change that the service has told, or that was set; 0 if there is none.
    pub(crate) change_seq: AtomicI64,
}

/// A client that is being set up.
#[derive(Debug)]
pub struct ClientBuilder {
    base: Url,
    credentials: Credentials,
    trusted: Vec<CertificateDer<'static>>,
    patience: Duration,
    user_agent: String,
    change_seq: i64,
}

impl Client {
    /// Starts to set up a client of the service at an address, such as `https://todo.example.org` or, under a
    /// base path, `https://example.org/todo`.
    ///
    /// # Errors
    /// [`ClientError::Address`] if it is not an `http` or `https` URL with a host, or has a user, a query or a
    /// fragment.
    pub fn builder(address: &str) -> Result<ClientBuilder, ClientError> {
        let refused = |reason: &str| ClientError::Address {
            address: address.to_owned(),
            reason: reason.to_owned(),
        };
        let base = Url::parse(address).map_err(|error| match error {
            ParseError::RelativeUrlWithoutBase => refused(NO_SCHEME),
            error => refused(&error.to_string()),
        })?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(refused(NO_SCHEME));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(refused("it must not name a user or a password"));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(refused("it must not have a query or a fragment"));
        }
        Ok(ClientBuilder {
            base,
            credentials: Credentials::none(),
            trusted: Vec::new(),
            patience: PATIENCE,
            user_agent: concat!("taskhold-client/", env!("CARGO_PKG_VERSION")).to_owned(),
            change_seq: 0,
        })
    }

    /// Returns the address of the service.
    #[must_use]
    pub fn address(&self) -> &Url {
        &self.inner.base
    }

    /// Returns the same client, but one that repeats a request for this long before it fails; zero to send it once. An
    /// answer has to begin within three seconds more than this, and within 40.
    #[must_use]
    pub fn with_patience(&self, patience: Duration) -> Self {
        Self {
            patience,
            ..self.clone()
        }
    }

    /// Returns by how much the clock of this computer is ahead of that of the service, in seconds, by the last answer;
    /// negative if it is behind. `None` before an answer.
    #[must_use]
    pub fn clock_lead(&self) -> Option<i64> {
        match self.inner.clock_lead.load(Ordering::Relaxed) {
            i64::MIN => None,
            lead => Some(lead),
        }
    }

    /// Returns the highest number of a change that the service has told or that was set, for
    /// [`ClientBuilder::change_seq`] of a later process; 0 if there is none, or if the numbers may have begun again.
    #[must_use]
    pub fn change_seq(&self) -> i64 {
        self.inner.change_seq.load(Ordering::Relaxed)
    }
}

impl ClientBuilder {
    /// Sets the credentials of the user. Without them only requests that need none succeed.
    #[must_use]
    pub fn credentials(self, credentials: Credentials) -> Self {
        Self {
            credentials,
            ..self
        }
    }

    /// Trusts the certificates in a text in PEM too, such as that of a private authority.
    ///
    /// # Errors
    /// [`ClientError::NoCertificate`], [`ClientError::Certificate`].
    pub fn trust(mut self, pem: &[u8]) -> Result<Self, ClientError> {
        self.trusted.extend(tls::certificates(pem)?);
        Ok(self)
    }

    /// Sets how long a request is repeated before it fails: 20 seconds unless set; zero to send it once.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Sets the name of the program in the requests.
    #[must_use]
    pub fn user_agent(self, name: impl Into<String>) -> Self {
        Self {
            user_agent: name.into(),
            ..self
        }
    }

    /// Sets the number of a change of the user that every answer to a read must include, whichever instance of the
    /// service answers: that of [`Client::change_seq`] of an earlier process. Unless set, the first answer need not
    /// include what another process has written.
    #[must_use]
    pub fn change_seq(self, change_seq: i64) -> Self {
        Self { change_seq, ..self }
    }

    /// Builds the client. Connects to nothing yet.
    ///
    /// # Errors
    /// [`ClientError::Certificate`], [`ClientError::Http`].
    pub fn build(self) -> Result<Client, ClientError> {
        let builder = reqwest::Client::builder()
            .user_agent(self.user_agent)
            .connect_timeout(CONNECT_TIMEOUT)
            // A redirect could lead anywhere, and the request carries a token.
            .redirect(Policy::none())
            .tls_backend_preconfigured(tls::config(&self.base, &self.trusted)?);
        Ok(Client {
            inner: Arc::new(Inner {
                http: builder.build().map_err(ClientError::Http)?,
                base: self.base,
                credentials: self.credentials,
                clock_lead: AtomicI64::new(i64::MIN),
                change_seq: AtomicI64::new(self.change_seq),
            }),
            patience: self.patience,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_services_are_accepted_and_others_are_named() {
        for accepted in [
            "http://127.0.0.1:8080",
            "https://example.org/todo/",
            "http://[::1]:1",
        ] {
            assert!(Client::builder(accepted).is_ok(), "{accepted}");
        }
        for refused in [
            "",
            "example.org",
            "localhost:8080",
            "ftp://example.org",
            "https://",
            "https://anna@example.org",
            "https://example.org?x",
            "https://example.org/#x",
        ] {
            let error = Client::builder(refused).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("{refused:?} is not the address")),
                "{error}"
            );
        }
    }

    #[test]
    fn certificates_are_read_from_pem_only() {
        let builder = || Client::builder("https://example.org").unwrap();
        assert!(matches!(
            builder().trust(b"nothing"),
            Err(ClientError::NoCertificate)
        ));
        let broken = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        assert!(matches!(
            builder().trust(broken),
            Err(ClientError::Certificate(_))
        ));
    }
}
