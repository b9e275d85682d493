//! The certificates that a client trusts.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use crate::error::ClientError;

/// Returns the certificates in a text in PEM.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(certificates) if certificates.is_empty() => Err(ClientError::NoCertificate),
        Ok(certificates) => Ok(certificates),
        Err(source) => Err(ClientError::Certificate(source.to_string())),
    }
}

/// Returns what trusts the system's certificate authorities and further ones. A certificate of the system that
/// cannot be read is left out, as other programs do; without any, connections fail.
pub(crate) fn config(
    base: &Url,
    further: &[CertificateDer<'static>],
) -> Result<ClientConfig, ClientError> {
    let mut trusted = RootCertStore::empty();
    // They take milliseconds to read, which a client without TLS saves. It follows no redirect to another scheme.
    if base.scheme() == "https" {
        trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    for certificate in further {
        trusted
            .add(certificate.clone())
            .map_err(|source| ClientError::Certificate(source.to_string()))?;
    }
    let provider = Arc::new(rustls_graviola::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|source| ClientError::Certificate(source.to_string()))?;
    Ok(config.with_root_certificates(trusted).with_no_client_auth())
}
