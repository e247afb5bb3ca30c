//! TLS with back-ends: whom we believe, and the handshake.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use plan::tls::{BackendTls, FileName, Verify};
use plan::{Backend, BackendAddress};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, OtherError,
    RootCertStore, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, IpAddr, Ipv4Addr, ServerName, UnixTime};

use super::clients::{self, Authorities};
use super::files::{self, Identity, Mark, Refusal, TlsError};
use super::sites::{provider, versions};
use super::source::{Named, Reading, Source};
use super::stream::{Scratch, TlsStream};
use super::token::{self, Begun, Token};
use crate::limits;
use crate::stream::Stream;

/// TLS with one back-end, shared by all workers.
pub(crate) struct Connector {
    plan: Arc<Backend>,
    terms: ArcSwap<Terms>,
    name: ServerName<'static>,
    /// Where keys are that no file holds.
    token: Option<Arc<Token>>,
}

/// What follows from the files that the plan names.
struct Terms {
    config: Arc<ClientConfig>,
    /// The files, as they looked when they were read.
    files: Vec<(Named, Mark)>,
    /// Seconds since the epoch at which the certificate that we show ends, if we have one.
    not_after: Option<i64>,
    /// What we show of ourselves, if its key is in a token.
    apart: Option<Identity>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connector({:?})", self.name)
    }
}

impl Connector {
    /// Reads what the plan names.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub(crate) fn new(
        backend: &Arc<Backend>,
        tls: &BackendTls,
        token: Option<&Arc<Token>>,
        now: i64,
    ) -> Result<Connector, TlsError> {
        let terms = Terms::new(tls, &mut Source::Own, token, now)?;
        let name = name(backend, tls).map_err(|reason| whole(tls, reason))?;
        Ok(Connector {
            plan: backend.clone(),
            terms: ArcSwap::from_pointee(terms),
            name,
            token: token.cloned(),
        })
    }

    /// The back-end that it is for.
    pub(super) fn plan(&self) -> &Backend {
        &self.plan
    }

    /// The files that the plan names, as they looked when they were read.
    pub(super) fn files(&self) -> Vec<(Named, Mark)> {
        self.terms.load().files.clone()
    }

    /// The certificate that is shown to the back-end, and when it ends (seconds since the epoch).
    pub(super) fn shown(&self) -> Option<(&FileName, i64)> {
        let file = self.plan.tls.as_ref()?.certificate.as_ref()?;
        Some((file, self.terms.load().not_after?))
    }

    /// Reads the files again. What they say holds for new connections, which begin new sessions.
    ///
    /// # Errors
    /// The first file that cannot be used; then nothing changes.
    pub(super) fn renew(&self, source: &mut Source, now: i64) -> Result<(), TlsError> {
        if let Some(tls) = &self.plan.tls {
            let terms = Terms::new(tls, source, self.token.as_ref(), now)?;
            if let Some(key) = terms.apart.as_ref().and_then(|identity| identity.apart.as_ref()) {
                let file = tls.certificate.as_ref().map(|file| (file, &*file.path));
                let checked = key.token().check_soon(key);
                if let (Some((file, path)), Err(reason)) = (file, checked) {
                    return Err(TlsError::new(file, &Refusal::no_key(path, &reason)));
                }
            }
            self.terms.store(Arc::new(terms));
        }
        Ok(())
    }

    /// Reads the list of authorities again, in a process that does not serve, and goes by it. With a certificate whose key
    /// is in a token, which cannot be asked there, it is only looked whether the list can be used.
    ///
    /// # Errors
    /// The list cannot be used; or it has changed and a certificate that is read with it cannot. Nothing changes then.
    pub(super) fn believe(&self, source: &mut Source, now: i64) -> Result<(), TlsError> {
        let Some(tls) = &self.plan.tls else { return Ok(()) };
        let Verify::Signed(Some(file)) = &tls.verify else { return Ok(()) };
        let mut reading = Reading::new(source);
        clients::authorities(file, &mut reading)?;
        let same = reading.marks.iter().all(|mark| self.terms.load().files.contains(mark));
        match Terms::new(tls, source, self.token.as_ref(), now) {
            Ok(terms) if terms.apart.is_some() => Ok(()),
            Ok(terms) => {
                self.terms.store(Arc::new(terms));
                Ok(())
            }
            Err(_) if same => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether the token has the key that it should have. Blocks.
    ///
    /// # Errors
    /// It has not, or does not sign with it.
    pub(crate) fn check_key(&self) -> Result<(), TlsError> {
        let terms = self.terms.load();
        let file = self.plan.tls.as_ref().and_then(|tls| tls.certificate.as_ref());
        let (Some(identity), Some(file)) = (&terms.apart, file) else { return Ok(()) };
        identity.check_key().map_err(|refusal| TlsError::new(file, &refusal))
    }

    /// Makes the handshake on a new connection.
    pub(crate) async fn connect(&self, stream: Stream, scratch: &Scratch) -> io::Result<Stream> {
        let terms = self.terms.load_full();
        let tls = ClientConnection::new(terms.config.clone(), self.name.clone())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if let Some(key) = terms.apart.as_ref().and_then(|identity| identity.apart.as_ref()) {
            let finished =
                token::finish(key.token(), stream, Begun::new(tls.into()), Vec::new(), scratch).await?;
            return Ok(Stream::Tls(Box::new(finished)));
        }
        let mut tls = TlsStream::new(stream, tls.into(), scratch.clone());
        while !poll_fn(|cx| tls.poll_handshake(cx)).await? {}
        Ok(Stream::Tls(Box::new(tls)))
    }
}

/// An error about all of `HTTPS`.
fn whole(tls: &BackendTls, reason: String) -> TlsError {
    let named = FileName { path: "".into(), directive: "HTTPS", place: tls.place.clone() };
    TlsError::whole(&named, reason)
}

impl Terms {
    fn new(
        tls: &BackendTls,
        source: &mut Source,
        token: Option<&Arc<Token>>,
        now: i64,
    ) -> Result<Terms, TlsError> {
        let provider = provider(&tls.policy);
        let whole = |reason: String| whole(tls, reason);
        let mut reading = Reading::new(source);
        let listed = match &tls.verify {
            Verify::Signed(Some(file)) => Some(clients::authorities(file, &mut reading)?),
            Verify::No | Verify::Pinned(_) | Verify::Signed(None) => None,
        };
        let roots = match &tls.verify {
            Verify::No | Verify::Pinned(_) => None,
            Verify::Signed(Some(_)) => listed.as_ref().map(|listed| listed.store.clone()),
            Verify::Signed(None) => Some(system_roots().ok_or_else(|| {
                whole("needs to know whom to believe, and this system has no list of authorities; install ca-certificates, or write CAlist \"FILE\"".into())
            })?),
        };
        let signed = roots
            .map(|roots| WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build())
            .transpose()
            .map_err(|error| whole(format!("cannot verify certificates: {error}")))?;
        let pinned = match tls.verify {
            Verify::Pinned(digest) => Some(digest),
            Verify::No | Verify::Signed(_) => None,
        };
        let verifier = Verifier { signed, listed, pinned, provider: provider.clone() };
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&versions(&tls.policy))
            .map_err(|error| whole(format!("has no protocol left: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let (mut not_after, mut apart) = (None, None);
        let mut config = match &tls.certificate {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let identity = files::identity(&reading.certificate(file), &provider, token, now)
                    .map_err(|refusal| TlsError::new(file, &refusal))?;
                not_after = Some(identity.not_after);
                let shown = rustls::sign::SingleCertAndKey::from(identity.key.clone());
                apart = identity.apart.is_some().then_some(identity);
                builder.with_client_cert_resolver(Arc::new(shown))
            }
        };
        config.resumption = Resumption::in_memory_sessions(limits::TLS_SESSIONS_PER_BACKEND);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Terms { config: Arc::new(config), files: reading.marks, not_after, apart })
    }
}

/// Whom a certificate has to be for.
fn name(backend: &Backend, tls: &BackendTls) -> Result<ServerName<'static>, String> {
    let name = |name: &str| {
        let name = ServerName::try_from(name.to_owned());
        name.map_err(|_| "has no name that can stand in a certificate; write ServerName".to_owned())
    };
    match (&tls.server_name, &backend.address) {
        (Some(own), _) => name(own),
        (None, BackendAddress::Name(host, _)) => name(host),
        (None, BackendAddress::Inet(ip, _)) => Ok(ServerName::IpAddress((*ip).into())),
        // Nothing is verified by name here, and no name is sent.
        (None, BackendAddress::Unix(_)) => {
            Ok(ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from(std::net::Ipv4Addr::LOCALHOST))))
        }
    }
}

/// The authorities that the system believes; read once, when a back-end first needs them.
pub(super) fn system_roots() -> Option<Arc<RootCertStore>> {
    static ROOTS: OnceLock<Option<Arc<RootCertStore>>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        // One that is broken or too old to be read is believed by nobody, and the others are none the worse.
        let (_, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        (!roots.is_empty()).then(|| Arc::new(roots))
    });
    roots.clone()
}

/// Judges the certificate of a back-end.
struct Verifier {
    /// By name, time and signature.
    signed: Option<Arc<WebPkiServerVerifier>>,
    /// What `CAlist` holds, if it says whom we believe.
    listed: Option<Authorities>,
    /// By what it is.
    pinned: Option<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

/// Why a certificate was refused, and what would accept it.
#[derive(Debug)]
struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl Verifier {
    /// What is wrong with a certificate.
    fn sentence(&self, why: &CertificateError) -> String {
        use CertificateError as Why;
        let authorities =
            if self.listed.is_some() { "CAlist does not hold" } else { "this system does not believe" };
        match why {
            Why::UnknownIssuer => format!("its certificate comes from an authority that {authorities}"),
            Why::NotValidForNameContext { expected, presented } if presented.is_empty() => {
                format!("its certificate is not for {}: it has no subjectAltName", expected.to_str())
            }
            Why::NotValidForNameContext { expected, presented } => {
                let names: Vec<&str> =
                    presented.iter().take(limits::CERTIFICATE_NAMES).map(|name| bare(name)).collect();
                let more = if presented.len() > names.len() { ", …" } else { "" };
                let (expected, names) = (expected.to_str(), names.join(", "));
                format!("its certificate is not for {expected} but for other names: {names}{more}")
            }
            Why::NotValidForName => "its certificate is for other names".into(),
            Why::Expired | Why::ExpiredContext { .. } => {
                "its certificate has run out, or that of an authority above it".into()
            }
            Why::NotValidYet | Why::NotValidYetContext { .. } => {
                "its certificate does not hold yet, or that of an authority above it (does the clock here go right?)".into()
            }
            Why::BadSignature => {
                "a signature of its certificate is wrong (CAlist may have the same authority with another key)".into()
            }
            Why::InvalidPurpose | Why::InvalidPurposeContext { .. } => {
                "its certificate is not for servers (extendedKeyUsage serverAuth)".into()
            }
            other => clients::is_no_end(other)
                .map_or_else(|| format!("its certificate cannot be used: {other}"), ToOwned::to_owned),
        }
    }

    fn refuse(certificate: &CertificateDer<'_>, reason: &str, accept: &str) -> Error {
        let digits = clients::fingerprint(certificate);
        let sentence = format!("{reason}; {accept}, or Verify \"sha256:{digits}\" would accept it");
        Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Refused(sentence)))))
    }
}

/// Why a handshake with a back-end failed, in plain words where its certificate is the reason.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(Error::InvalidCertificate(CertificateError::Other(OtherError(own)))) if own.is::<Refused>() => {
            own.to_string()
        }
        Some(Error::InvalidCertificate(why)) => clients::is_no_end(why)
            .map_or_else(|| format!("its certificate cannot be used: {why}"), ToOwned::to_owned),
        _ => error.to_string(),
    }
}

/// A name of a certificate as people write it; webpki has it in the words of its own types: `DnsName("a.test")`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(wanted) = self.pinned {
            return match clients::digest(certificate) == wanted {
                true => Ok(ServerCertVerified::assertion()),
                false => Err(Verifier::refuse(
                    certificate,
                    "it is another certificate than Verify names",
                    "Verify yes",
                )),
            };
        }
        let Some(signed) = &self.signed else { return Ok(ServerCertVerified::assertion()) };
        let verified = signed.verify_server_cert(certificate, chain, name, ocsp, now).or_else(|error| {
            if !self.listed.as_ref().is_some_and(|listed| listed.hold(certificate, &error, now)) {
                return Err(error);
            }
            verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            Ok(ServerCertVerified::assertion())
        });
        verified.map_err(|error| {
            let Error::InvalidCertificate(error) = error else { return error };
            let accept = match &error {
                CertificateError::UnknownIssuer => "CAlist with its authority",
                CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
                    "a new certificate with a subjectAltName"
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    "ServerName with a name of its own"
                }
                CertificateError::Other(_) => match clients::is_no_end(&error) {
                    // Neither Verify no nor a digest helps it: the proof that the back-end has its key fails as well.
                    Some(sentence) if sentence.contains("version 1") => {
                        return Error::InvalidCertificate(error);
                    }
                    Some(_) => "CAlist with this very certificate",
                    None => "a new certificate on the back-end, Verify no",
                },
                _ => "a new certificate on the back-end, Verify no",
            };
            Verifier::refuse(certificate, &self.sentence(&error), accept)
        })
    }

    // That the back-end has the key of what it shows is proved in any case.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
