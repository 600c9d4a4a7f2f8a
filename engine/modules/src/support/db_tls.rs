//! TLS for the clients of databases: which certificates a connection takes.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::net::Failure;

/// Which certificates are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Those that this machine trusts.
    Platform,
    /// Those signed by an authority in this file.
    File(PathBuf),
    /// Any.
    Anyone,
}

/// What a connection is set up with.
pub(crate) fn client_config(trust: &Trust) -> Result<Arc<ClientConfig>, Failure> {
    let ours = |e: &dyn std::fmt::Display| Failure::Ours(format!("cannot set up TLS: {e}"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().map_err(|e| ours(&e))?;
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Platform => Arc::new(rustls_platform_verifier::Verifier::new(provider).map_err(|e| ours(&e))?),
        Trust::Anyone => Arc::new(Anyone(provider)),
        Trust::File(path) => {
            let unread =
                |e: &dyn std::fmt::Display| Failure::Ours(format!("cannot read the certificates in {}: {e}", path.display()));
            let mut roots = RootCertStore::empty();
            for one in CertificateDer::pem_file_iter(path).map_err(|e| unread(&e))? {
                roots.add(one.map_err(|e| unread(&e))?).map_err(|e| unread(&e))?;
            }
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().map_err(|e| unread(&e))?
        }
    };
    Ok(Arc::new(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}

/// What a failed handshake means: a certificate that is not taken is an answer.
pub(crate) fn failed(error: &std::io::Error, host: &str) -> Failure {
    match error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(why)) => {
            Failure::Answer(format!("the certificate of {host} is not accepted: {why}"))
        }
        Some(why) => Failure::Answer(format!("no TLS with {host}: {why}")),
        None => super::net::of_io(error, host),
    }
}

/// Takes any certificate, but only from who holds its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
