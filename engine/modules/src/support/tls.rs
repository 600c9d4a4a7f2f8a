//! TLS as the network modules speak it: whom they trust, what the server showed, and why it was not accepted.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Instant, SystemTime};

use runbook_core::module::{Cx, Shared};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, NamedGroup, RootCertStore, SignatureScheme};

use super::net::Failure;
use super::paths::reason;

/// Whom a connection trusts, and who it says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Trust {
    /// Whether any certificate is taken.
    pub(crate) insecure: bool,
    /// The authorities to trust in place of the machine's.
    ca_file: Option<Stamped>,
    /// The certificate to show.
    client_cert: Option<Stamped>,
    /// Its key, if it is in a file of its own.
    client_key: Option<Stamped>,
}

/// A file as it was at a time: after a change it is another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Stamped {
    path: PathBuf,
    changed: Option<SystemTime>,
}

impl Stamped {
    fn of(cx: &Cx<'_>, path: &str) -> Stamped {
        let path = cx.resolve(path);
        let changed = std::fs::metadata(&path).and_then(|m| m.modified()).ok();
        Stamped { path, changed }
    }
}

impl Trust {
    /// From a module's arguments.
    pub(crate) fn of(cx: &Cx<'_>, insecure: bool, ca_file: Option<&str>, cert: Option<&str>, key: Option<&str>) -> Trust {
        let file = |path: Option<&str>| path.map(|p| Stamped::of(cx, p));
        Trust { insecure, ca_file: file(ca_file), client_cert: file(cert), client_key: file(key) }
    }
}

/// What was seen of a handshake, and when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// When the handshake began.
    pub(crate) began: Option<Instant>,
    /// The certificates that the server showed, its own first.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// Why they are not trusted, if they are not.
    pub(crate) rejected: Option<rustls::Error>,
    /// The version of TLS.
    pub(crate) version: Option<&'static str>,
}

tokio::task_local! {
    /// What the handshakes of the task write to.
    pub(crate) static SEEN: Arc<Mutex<Seen>>;
}

/// Writes down what a handshake shows; nobody may be there to read it.
fn note(write: impl FnOnce(&mut Seen)) {
    let _ = SEEN.try_with(|seen| write(&mut seen.lock().unwrap_or_else(PoisonError::into_inner)));
}

/// The cryptography of all connections.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider())).clone()
}

/// What judges certificates as this machine does; its list of authorities is read once.
#[derive(Default)]
struct Platform(OnceLock<Arc<rustls_platform_verifier::Verifier>>);

/// Who judges a certificate: the authorities of a file, or this machine's.
pub(crate) fn judge(shared: &Shared, ca_file: Option<&Path>) -> Result<Arc<dyn ServerCertVerifier>, Failure> {
    let Some(path) = ca_file else {
        let platform = shared.get_or_init(Platform::default);
        if let Some(known) = platform.0.get() {
            return Ok(known.clone());
        }
        let made = rustls_platform_verifier::Verifier::new(provider()).map_err(|_| {
            Failure::Ours("this machine has no list of authorities to trust; install `ca-certificates` or give `ca_file`".into())
        })?;
        return Ok(platform.0.get_or_init(|| Arc::new(made)).clone());
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|e| Failure::Ours(format!("{}: {}", path.display(), why(&e))))?;
    }
    let made = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    Ok(made.map_err(|e| Failure::Ours(format!("{}: {e}", path.display())))?)
}

/// The certificates of a PEM file; an error if there is none.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let bytes = std::fs::read(path).map_err(|e| Failure::Ours(format!("{}: {}", path.display(), reason(&e))))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(Failure::Ours(format!("{} holds no certificate in PEM", path.display()))),
        Err(_) => Err(Failure::Ours(format!("{} is not proper PEM", path.display()))),
    }
}

/// The configuration of a connection. `enforce` is false for those who want to see a certificate that is not trusted too.
pub(crate) fn config(shared: &Shared, trust: &Trust, enforce: bool, alpn: &[&[u8]]) -> Result<ClientConfig, Failure> {
    let inner = match trust.insecure {
        true => None,
        false => Some(judge(shared, trust.ca_file.as_ref().map(|f| f.path.as_path()))?),
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| Failure::Ours(format!("cannot set up TLS: {e}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Noting { inner, enforce, provider: provider() }));
    let mut config = match &trust.client_cert {
        None => builder.with_no_client_auth(),
        Some(cert) => {
            let path = trust.client_key.as_ref().unwrap_or(cert).path.as_path();
            let bytes = std::fs::read(path).map_err(|e| Failure::Ours(format!("{}: {}", path.display(), reason(&e))))?;
            let key = PrivateKeyDer::from_pem_slice(&bytes)
                .map_err(|_| Failure::Ours(format!("{} holds no private key in PEM", path.display())))?;
            builder
                .with_client_auth_cert(certificates(&cert.path)?, key)
                .map_err(|e| Failure::Ours(format!("{} and its key do not work: {e}", cert.path.display())))?
        }
    };
    // Every handshake is whole, so that every certificate is seen.
    config.resumption = Resumption::store(Arc::new(Clock));
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    Ok(config)
}

/// A name as TLS takes it.
pub(crate) fn server_name(host: &str) -> Result<ServerName<'static>, Failure> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(bare.to_owned()).map_err(|_| Failure::Ours(format!("`{host}` is not a name that TLS knows")))
}

/// Writes down what a server shows, and lets somebody else judge it.
#[derive(Debug)]
struct Noting {
    /// Nobody, if any certificate is taken.
    inner: Option<Arc<dyn ServerCertVerifier>>,
    enforce: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Noting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = match &self.inner {
            Some(inner) => inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now),
            None => Ok(ServerCertVerified::assertion()),
        };
        note(|seen| {
            seen.chain = std::iter::once(end_entity).chain(intermediates).map(|c| c.clone().into_owned()).collect();
            seen.rejected = verdict.as_ref().err().cloned();
        });
        if self.enforce { verdict } else { Ok(ServerCertVerified::assertion()) }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        note(|seen| seen.version = Some("1.2"));
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        note(|seen| seen.version = Some("1.3"));
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Keeps no session; it is asked for one when a handshake begins, and that is what it tells.
#[derive(Debug)]
struct Clock;

impl ClientSessionStore for Clock {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        note(|seen| seen.began = Some(Instant::now()));
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {}

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}

/// Why a certificate is not accepted or a handshake failed, in plain words.
pub(crate) fn why(error: &rustls::Error) -> String {
    use CertificateError as C;
    let day = |t: &UnixTime| {
        let moment = i64::try_from(t.as_secs()).ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
        moment.map(|m| m.to_string()).unwrap_or_default()
    };
    let rustls::Error::InvalidCertificate(why) = error else { return error.to_string() };
    match why {
        C::UnknownIssuer => "nobody that is trusted here has signed it".to_owned(),
        C::ExpiredContext { not_after, .. } => format!("it expired at {}", day(not_after)),
        C::Expired => "it has expired".to_owned(),
        C::NotValidYetContext { not_before, .. } => format!("it is not valid before {}", day(not_before)),
        C::NotValidYet => "it is not valid yet".to_owned(),
        C::NotValidForNameContext { expected, presented } => {
            let names: Vec<String> = presented.iter().map(|n| bare_name(n)).collect();
            let names = if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") };
            format!("it is not for `{}` but for {names}", expected.to_str())
        }
        C::NotValidForName => "it is for another name".to_owned(),
        C::Revoked => "it was revoked".to_owned(),
        C::BadSignature => "its signature is wrong".to_owned(),
        C::BadEncoding => "it is not a proper certificate".to_owned(),
        // Its own authority's certificate as a server's: signed by itself.
        C::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "it is an authority's own certificate, such as one that is signed by itself".to_owned()
        }
        other => other.to_string(),
    }
}

/// `DnsName("a.b")` without what is around it.
fn bare_name(shown: &str) -> String {
    match shown.split_once('(') {
        Some((_, inner)) => inner.trim_end_matches(')').trim_matches('"').to_owned(),
        None => shown.to_owned(),
    }
}

/// What a failed handshake means.
pub(crate) fn failure(error: &rustls::Error) -> Failure {
    match error {
        rustls::Error::InvalidCertificate(_) => {
            Failure::Answer(format!("the server's certificate is not accepted: {}", why(error)))
        }
        rustls::Error::AlertReceived(alert) => Failure::Answer(format!("the server ended the TLS handshake: {}", told(*alert))),
        rustls::Error::InvalidMessage(_) => Failure::Answer("no TLS connection: the server does not speak TLS here".to_owned()),
        other => Failure::Answer(format!("no TLS connection: {other}")),
    }
}

fn told(alert: rustls::AlertDescription) -> String {
    use rustls::AlertDescription as A;
    match alert {
        A::CertificateRequired => "it wants a client's certificate (`client_cert`)".to_owned(),
        A::UnrecognisedName => "it does not know this name (`server_name`)".to_owned(),
        A::ProtocolVersion => "it does not speak TLS 1.2 or 1.3".to_owned(),
        A::UnknownCA | A::BadCertificate | A::CertificateUnknown | A::CertificateExpired | A::CertificateRevoked => {
            "it does not accept the client's certificate".to_owned()
        }
        other => format!("{other:?}"),
    }
}

/// The TLS error in an input or output error, which may be wrapped several times.
pub(crate) fn inside(error: &std::io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    inner.downcast_ref::<rustls::Error>().or_else(|| inside(inner.downcast_ref::<std::io::Error>()?))
}
