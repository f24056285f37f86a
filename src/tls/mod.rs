//! TLS for all legs: one provider (aws-lc-rs), one way to load certificates, host names always checked.
//!
//! Trust comes from the system's store or from a CA file, never from nowhere: there is no switch that turns the
//! checks off. rustls offers no RSA key exchange, so a peer that has only `TLS_RSA_*` CipherSpecs cannot be reached.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Which certificates a client trusts and shows; all files are PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientFiles {
    /// Certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate, with the chain above it.
    pub cert_file: Option<PathBuf>,
    /// The private key of `cert_file`.
    pub key_file: Option<PathBuf>,
}

/// TLS could not be set up; one line with the file and the fix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct TlsError {
    text: String,
    /// Whether trying again later can help; if not, a person must act.
    pub retry: bool,
}

impl TlsError {
    fn new(text: String) -> Self {
        Self { text, retry: false }
    }

    fn file(path: &Path, error: impl Display, fix: &str) -> Self {
        Self::new(format!("{}: {error}: {fix}", path.display()))
    }
}

/// The crypto provider of the whole program. rustls panics when two are compiled in and none is named, so
/// every configuration names this one.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Sets up the client's side.
///
/// # Errors
/// When a file cannot be read, holds no certificate or key, or key and certificate do not belong together; when
/// no CA file is named and the system has no trusted certificates.
pub fn client_config(files: &ClientFiles) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = provider();
    let roots = Arc::new(match &files.ca_file {
        Some(path) => roots_from(path)?,
        None => system_roots()?,
    });
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build().map_err(|error| {
        TlsError::new(format!(
            "trusted certificates cannot be used: {error}: set ca_file to a PEM file of CA certificates"
        ))
    })?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::new(format!("TLS cannot be set up: {error}")))?
        .with_webpki_verifier(verifier);
    let config = match (&files.cert_file, &files.key_file) {
        (Some(cert), Some(key)) => builder
            .with_client_auth_cert(certificates(cert)?, private_key(key)?)
            .map_err(|error| TlsError::file(cert, error, "cert_file and key_file must belong together"))?,
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), None) => return Err(TlsError::file(cert, "key_file is missing", "name the key of cert_file")),
        (None, Some(key)) => {
            return Err(TlsError::file(key, "cert_file is missing", "name the certificate of key_file"));
        }
    };
    Ok(Arc::new(config))
}

/// Does the handshake with `host`, whose name must be in the certificate.
///
/// # Errors
/// When the handshake fails; the text says what a person can do about it.
pub async fn connect<S>(config: &Arc<ClientConfig>, host: &str, stream: S) -> Result<TlsStream<S>, TlsError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| TlsError::new(format!("{host:?} is no host name or IP address that a certificate could name")))?;
    TlsConnector::from(config.clone()).connect(name, stream).await.map_err(|error| handshake(host, &error))
}

/// What a failed handshake means for the operator.
fn handshake(host: &str, error: &std::io::Error) -> TlsError {
    use rustls::{CertificateError, Error};
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let fix = match cause {
        Some(Error::InvalidMessage(_)) => {
            "the other end does not speak TLS: use the address without TLS, or the TLS port"
        }
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            "set ca_file to the certificate of the authority that signed the other end's"
        }
        Some(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => "use a host name that the certificate contains",
        Some(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
            "renew the certificate, or correct the clock"
        }
        Some(Error::InvalidCertificate(_)) => "the other end's certificate is not acceptable",
        Some(Error::AlertReceived(rustls::AlertDescription::CertificateRequired)) => {
            "the other end wants our certificate: set cert_file and key_file"
        }
        Some(Error::AlertReceived(_) | Error::PeerIncompatible(_)) => {
            "the two ends have no TLS version or cipher in common, or the other end refused our certificate"
        }
        _ => "the connection broke during the handshake",
    };
    TlsError { text: format!("TLS handshake with {host} failed: {error}: {fix}"), retry: cause.is_none() }
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        return Err(TlsError::new(format!(
            "the system has no trusted certificates{why}: install them (package ca-certificates) or set ca_file"
        )));
    }
    Ok(roots)
}

fn roots_from(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| TlsError::file(path, error, "ca_file must hold CA certificates"))?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fix = "expected a readable PEM file with BEGIN CERTIFICATE";
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| TlsError::file(path, error, fix))?;
    if found.is_empty() { Err(TlsError::file(path, "no certificate in it", fix)) } else { Ok(found) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| {
        TlsError::file(path, error, "expected a readable, unencrypted PEM file with BEGIN PRIVATE KEY")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(files: &ClientFiles) -> String {
        client_config(files).unwrap_err().to_string()
    }

    #[test]
    fn a_missing_or_empty_ca_file_is_named() {
        let missing = ClientFiles { ca_file: Some("/nowhere/ca.pem".into()), ..ClientFiles::default() };
        assert!(says(&missing).starts_with("/nowhere/ca.pem: "), "{}", says(&missing));
        let empty = tempfile::NamedTempFile::new().unwrap();
        let files = ClientFiles { ca_file: Some(empty.path().to_owned()), ..ClientFiles::default() };
        assert!(says(&files).contains("no certificate in it"), "{}", says(&files));
    }

    #[test]
    fn certificate_and_key_come_together() {
        let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        std::fs::write(&cert, signed.cert.pem()).unwrap();
        std::fs::write(&key, signed.signing_key.serialize_pem()).unwrap();
        let whole = ClientFiles { ca_file: Some(cert.clone()), cert_file: Some(cert), key_file: Some(key) };
        assert!(client_config(&whole).is_ok());
        assert!(says(&ClientFiles { key_file: None, ..whole.clone() }).contains("key_file is missing"));
        assert!(says(&ClientFiles { cert_file: None, ..whole.clone() }).contains("cert_file is missing"));
        assert!(says(&ClientFiles { key_file: whole.cert_file.clone(), ..whole }).contains("PRIVATE KEY"));
    }
}
