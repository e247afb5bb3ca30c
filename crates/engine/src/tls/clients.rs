//! Certificates of clients: who may come in, and what is told of them.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use plan::tls::{ClientCertificates, Demand, FileName, Suite};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use super::files::{self, Refusal, TlsError};
use super::pem;
use super::sites::supported;
use super::source::Reading;
use super::x509;
use crate::limits;

/// What a client has shown of itself, as fields of requests tell it.
pub(crate) struct Peer {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) not_before: String,
    pub(crate) not_after: String,
    /// In decimal.
    pub(crate) serial: String,
    /// SHA-256 of it, in hexadecimal digits.
    pub(crate) fingerprint: String,
    /// PEM on one line: RFC 9112 section 5.2 forbids to fold it.
    pub(crate) pem: String,
}

impl Peer {
    pub(super) fn new(der: &CertificateDer<'_>) -> Option<Peer> {
        let read = x509::parse(der)?;
        Some(Peer {
            subject: read.subject.to_string(),
            issuer: read.issuer.to_string(),
            not_before: time(read.not_before),
            not_after: time(read.not_after),
            serial: x509::decimal(read.serial),
            fingerprint: fingerprint(der),
            pem: pem::section("CERTIFICATE", der, ""),
            der: der.clone().into_owned(),
        })
    }

    /// The lines that PEM usually has (RFC 7468 section 2).
    pub(crate) fn pem_lines(&self) -> impl Iterator<Item = &[u8]> {
        let digits = self.pem.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END)).unwrap_or_default();
        let lines = digits.as_bytes().chunks(PEM_LINE);
        std::iter::once(BEGIN.as_bytes()).chain(lines).chain(std::iter::once(END.as_bytes()))
    }
}

/// The SHA-256 of a certificate.
pub(super) fn digest(certificate: &CertificateDer<'_>) -> [u8; 32] {
    let suite = supported(Suite::Aes128);
    let output = suite.tls13().map(|suite| suite.common.hash_provider.hash(certificate));
    // The hash of that suite is SHA-256; no certificate has the digest that would be made up here.
    output.and_then(|output| output.as_ref().try_into().ok()).unwrap_or_default()
}

/// The same in hexadecimal digits.
pub(super) fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = digest(certificate);
    let mut digits = String::with_capacity(2 * digest.len());
    for byte in digest {
        // Writing to a String cannot fail.
        let _ = fmt::Write::write_fmt(&mut digits, format_args!("{byte:02x}"));
    }
    digits
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
/// Digits on a line of PEM.
const PEM_LINE: usize = 64;

/// `Nov  5 14:16:06 2026 GMT`, as OpenSSL prints a time.
fn time(seconds: i64) -> String {
    Timestamp::from_second(seconds)
        .map(|time| time.strftime("%b %e %H:%M:%S %Y GMT").to_string())
        .unwrap_or_default()
}

/// Judges certificates of clients; `None` if they are not asked for any.
pub(super) fn verifier(
    plan: &ClientCertificates,
    provider: &Arc<CryptoProvider>,
    reading: &mut Reading<'_>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let authorities = plan.authorities.as_ref().map(|file| authorities(file, reading)).transpose()?;
    let announced = match &plan.announced {
        Some(file) => self::authorities(file, reading)?.store.subjects(),
        None => authorities.as_ref().map(|listed| listed.store.subjects()).unwrap_or_default(),
    };
    let strict = match (plan.demand, authorities.zip(plan.authorities.as_ref())) {
        (Demand::None, _) => return Ok(None),
        (Demand::Unverified, _) => None,
        (Demand::Ask | Demand::Require, Some((authorities, named))) => {
            Some(Strict::new(plan, named, authorities, provider, reading)?)
        }
        // A configuration that wants this was refused. Without authorities no certificate can be verified: none is.
        (Demand::Ask | Demand::Require, None) => {
            let named = FileName { path: "".into(), directive: "ClientCert", place: "ListenHTTPS".into() };
            return Err(TlsError::whole(&named, "needs VerifyList".into()));
        }
    };
    let required = plan.demand == Demand::Require;
    Ok(Some(Arc::new(Verifier { strict, required, announced, provider: provider.clone() })))
}

/// The authorities in a file.
pub(super) struct Authorities {
    pub(super) store: Arc<RootCertStore>,
    /// Each as it stands there.
    certificates: Vec<CertificateDer<'static>>,
}

impl Authorities {
    /// Whether a certificate was refused for no more than that it is an authority's own (CA:TRUE, as `openssl req -x509`
    /// makes them), and is itself, byte for byte, in the file. Then it is believed, as OpenSSL does: its key could have
    /// signed any other certificate that we would believe. Its time counts all the same.
    pub(super) fn hold(&self, certificate: &CertificateDer<'_>, refused: &Error, now: UnixTime) -> bool {
        let is_authority = matches!(refused, Error::InvalidCertificate(why)
            if matches!(unnamed(why), Some(webpki::Error::CaUsedAsEndEntity)));
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let in_time =
            || x509::parse(certificate).is_some_and(|read| (read.not_before..=read.not_after).contains(&now));
        is_authority && self.certificates.iter().any(|listed| **listed == **certificate) && in_time()
    }
}

/// What was found where rustls has no word for it.
fn unnamed(why: &CertificateError) -> Option<&webpki::Error> {
    match why {
        CertificateError::Other(OtherError(own)) => own.downcast_ref(),
        _ => None,
    }
}

/// Why a certificate cannot be one that somebody shows of themselves, if that is it.
pub(super) fn is_no_end(why: &CertificateError) -> Option<&'static str> {
    match unnamed(why)? {
        webpki::Error::CaUsedAsEndEntity => Some(
            "its certificate is an authority's own (CA:TRUE); make it with -addext basicConstraints=CA:FALSE",
        ),
        webpki::Error::UnsupportedCertVersion => {
            Some("its certificate is of X.509 version 1, which cannot be verified; make one of version 3")
        }
        _ => None,
    }
}

/// The authorities in a file.
pub(super) fn authorities(file: &FileName, reading: &mut Reading<'_>) -> Result<Authorities, TlsError> {
    let refused = |refusal: Refusal| TlsError::new(file, &refusal);
    let pem = reading.list(file)?;
    let certificates = files::certificates(&file.path, &pem).map_err(refused)?;
    let refuse = |reason: String| refused(Refusal::new(&file.path, reason));
    if certificates.is_empty() {
        return Err(refuse(files::none("certificate", &pem)));
    }
    let mut roots = RootCertStore::empty();
    for (index, certificate) in certificates.iter().enumerate() {
        roots
            .add(certificate.clone())
            .map_err(|error| refuse(format!("certificate {} in it cannot be used: {error}", index + 1)))?;
    }
    Ok(Authorities { store: Arc::new(roots), certificates })
}

struct Verifier {
    strict: Option<Strict>,
    required: bool,
    announced: Vec<DistinguishedName>,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier(required: {})", self.required)
    }
}

/// Verifies certificates of clients: signatures, times, purpose and revocation by rustls, and the length of the chain.
struct Strict {
    inner: Arc<dyn ClientCertVerifier>,
    authorities: Authorities,
    /// There are lists of revoked certificates.
    revokes: bool,
    depth: u32,
}

impl Strict {
    fn new(
        plan: &ClientCertificates,
        named: &FileName,
        authorities: Authorities,
        provider: &Arc<CryptoProvider>,
        reading: &mut Reading<'_>,
    ) -> Result<Strict, TlsError> {
        let mut builder =
            WebPkiClientVerifier::builder_with_provider(authorities.store.clone(), provider.clone());
        if let Some(file) = &plan.revoked {
            // Revoked, or of unknown state, or by a list that has run out: all of that is no.
            builder = builder.with_crls(lists(file, reading)?).enforce_revocation_expiration();
        }
        let inner = builder.build().map_err(|error| {
            let file = plan.revoked.as_ref().unwrap_or(named);
            let why = format!("cannot be used to verify clients: {error}");
            TlsError::whole(
                file,
                why + "; lists have to be of version 2, with a number (crl_extensions of openssl ca)",
            )
        })?;
        Ok(Strict { inner, authorities, revokes: plan.revoked.is_some(), depth: plan.depth })
    }

    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
        provider: &CryptoProvider,
    ) -> Result<ClientCertVerified, Error> {
        let verified = match self.inner.verify_client_cert(certificate, chain, now) {
            Ok(verified) => verified,
            // Nothing was looked up in lists of revoked certificates; so where there are some, it stays refused.
            Err(refused) if !self.revokes && self.authorities.hold(certificate, &refused, now) => {
                return Ok(ClientCertVerified::assertion());
            }
            Err(refused) => return Err(refused),
        };
        if chain.len() <= self.depth as usize {
            return Ok(verified);
        }
        // More was shown than may stand in between, but perhaps not all of it was needed.
        let too_long =
            || Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(TooDeep(self.depth)))));
        let leaf = EndEntityCert::try_from(certificate).map_err(|_| too_long())?;
        leaf.verify_for_usage(
            provider.signature_verification_algorithms.all,
            &self.authorities.store.roots,
            chain,
            now,
            KeyUsage::client_auth(),
            None,
            Some(&|path| match path.intermediate_certificates().count() <= self.depth as usize {
                true => Ok(()),
                false => Err(webpki::Error::MaximumPathDepthExceeded),
            }),
        )
        .map_err(|_| too_long())?;
        Ok(verified)
    }
}

/// Why a client was refused, as the log says it, where that is about its certificate.
pub(super) fn refusal(error: &Error) -> Option<String> {
    use CertificateError as Why;
    let sentence = match error {
        Error::NoCertificatesPresented => "it shows no certificate, and ClientCert 2 wants one".into(),
        Error::InvalidCertificate(why) => match why {
            Why::Expired | Why::ExpiredContext { .. } => "its certificate has run out, or that of an authority above it".into(),
            Why::NotValidYet | Why::NotValidYetContext { .. } => {
                "its certificate does not hold yet, or that of an authority above it; does the clock here go right?"
                    .into()
            }
            Why::Revoked => "its certificate is revoked (CRLlist)".into(),
            Why::UnknownRevocationStatus => {
                "CRLlist has no list of an authority above its certificate; put one there".into()
            }
            Why::ExpiredRevocationList | Why::ExpiredRevocationListContext { .. } => {
                "the list in CRLlist has run out; get a new one".into()
            }
            Why::UnknownIssuer => {
                "its certificate is not signed by an authority in VerifyList, nor by one below that it shows"
                    .into()
            }
            Why::BadSignature => {
                "a signature of its certificate is wrong; VerifyList may have the same authority with another key"
                    .into()
            }
            Why::InvalidPurpose | Why::InvalidPurposeContext { .. } => {
                "its certificate is not for clients (extendedKeyUsage clientAuth)".into()
            }
            Why::Other(OtherError(own)) if own.is::<TooDeep>() => own.to_string(),
            other => match is_no_end(other) {
                Some(sentence) => sentence.into(),
                None => format!("its certificate cannot be used: {other}"),
            },
        },
        _ => return None,
    };
    Some(sentence)
}

/// More authorities stand between than `ClientCert` allows.
#[derive(Debug)]
struct TooDeep(u32);

impl fmt::Display for TooDeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let allowed = self.0;
        write!(
            f,
            "more authorities stand between its certificate and VerifyList than ClientCert allows ({allowed})"
        )
    }
}

impl std::error::Error for TooDeep {}

/// The lists of revoked certificates in a file.
fn lists(
    file: &FileName,
    reading: &mut Reading<'_>,
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let refused = |refusal: Refusal| TlsError::new(file, &refusal);
    let refuse = |reason: String| refused(Refusal::new(&file.path, reason));
    let pem = reading.list(file)?;
    let lists: Vec<_> = CertificateRevocationListDer::pem_slice_iter(&pem)
        .take(limits::CERTIFICATES)
        .collect::<Result<_, _>>()
        .map_err(|error| refuse(pem::no_pem(&error)))?;
    reading.lists_until = lists.iter().filter_map(|list| x509::list_until(list)).min();
    match lists.is_empty() {
        true => Err(refuse(files::none("list of revoked certificates", &pem))),
        false => Ok(lists),
    }
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.announced
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match &self.strict {
            Some(strict) => strict.verify(certificate, chain, now, &self.provider),
            None => Ok(ClientCertVerified::assertion()),
        }
    }

    // That the client has the key of what it shows is proved in any case.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_directive_that_helps() {
        let check = |error: Error, expect: &str| {
            let sentence = refusal(&error).unwrap_or_default();
            assert!(sentence.contains(expect) && !sentence.contains("Error"), "{error:?}: {sentence}");
        };
        check(Error::NoCertificatesPresented, "ClientCert");
        for (why, expect) in [
            (CertificateError::Expired, "run out"),
            (CertificateError::NotValidYet, "clock"),
            (CertificateError::Revoked, "CRLlist"),
            (CertificateError::UnknownRevocationStatus, "CRLlist"),
            (CertificateError::ExpiredRevocationList, "CRLlist"),
            (CertificateError::UnknownIssuer, "VerifyList"),
            (CertificateError::BadSignature, "VerifyList"),
            (CertificateError::InvalidPurpose, "clientAuth"),
            (CertificateError::Other(OtherError(Arc::new(TooDeep(3)))), "than ClientCert allows (3)"),
            (CertificateError::BadEncoding, "cannot be used"),
            (CertificateError::Other(OtherError(Arc::new(webpki::Error::CaUsedAsEndEntity))), "CA:FALSE"),
            (
                CertificateError::Other(OtherError(Arc::new(webpki::Error::UnsupportedCertVersion))),
                "version 1",
            ),
        ] {
            check(Error::InvalidCertificate(why), expect);
        }
        assert_eq!(refusal(&Error::DecryptError), None);
    }

    #[test]
    fn times_are_printed_as_by_openssl() {
        assert_eq!(time(1_794_200_000), "Nov  9 04:53:20 2026 GMT");
        assert_eq!(time(i64::MAX), "");
    }
}
