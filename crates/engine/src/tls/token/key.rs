//! A private key in a token, as rustls sees it: something that signs.
//!
//! Digests are computed here and the token gets no more than those: all tokens can do that, few can do the rest.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use aws_lc_rs::digest;
use aws_lc_rs::signature::{self, UnparsedPublicKey};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::types::Ulong;
use rustls::sign::{Signer, SigningKey, public_key_to_spki};
use rustls::{Error, OtherError, SignatureAlgorithm, SignatureScheme};
use rustls_pki_types::{AlgorithmIdentifier, SubjectPublicKeyInfoDer, alg_id};

use super::Token;
use super::module::Problem;
use crate::tls::x509;

/// The public half of a key, from its certificate.
pub(in crate::tls) struct PublicKey {
    kind: Kind,
    /// As it stands in the certificate.
    bits: Box<[u8]>,
}

pub(super) enum Kind {
    Rsa { modulus: Box<[u8]> },
    Ecdsa(&'static Curve),
}

/// A curve, and what TLS does with its keys.
pub(super) struct Curve {
    name: &'static str,
    identifier: &'static [u8],
    algorithm: AlgorithmIdentifier,
    scheme: SignatureScheme,
    /// Bytes of one of the two numbers of a signature.
    len: usize,
    verification: &'static signature::EcdsaVerificationAlgorithm,
}

/// Those that rustls does too.
static CURVES: [Curve; 3] = [
    Curve {
        name: "P-256",
        identifier: &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
        algorithm: alg_id::ECDSA_P256,
        scheme: SignatureScheme::ECDSA_NISTP256_SHA256,
        len: 32,
        verification: &signature::ECDSA_P256_SHA256_ASN1,
    },
    Curve {
        name: "P-384",
        identifier: &[0x2b, 0x81, 4, 0, 0x22],
        algorithm: alg_id::ECDSA_P384,
        scheme: SignatureScheme::ECDSA_NISTP384_SHA384,
        len: 48,
        verification: &signature::ECDSA_P384_SHA384_ASN1,
    },
    Curve {
        name: "P-521",
        identifier: &[0x2b, 0x81, 4, 0, 0x23],
        algorithm: alg_id::ECDSA_P521,
        scheme: SignatureScheme::ECDSA_NISTP521_SHA512,
        len: 66,
        verification: &signature::ECDSA_P521_SHA512_ASN1,
    },
];

/// What a key of RSA signs with, what we like best first.
const RSA_SCHEMES: [SignatureScheme; 6] = [
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
];

/// The shortest modulus that rustls signs with, in bytes.
const RSA_BYTES_MIN: usize = 2048 / 8;
const RSA_BYTES_MAX: usize = 8192 / 8;

/// What is signed to see whether a private key is the right one. It cannot be taken for anything in TLS, where what is
/// signed begins with 64 blanks or with random bytes of both sides.
pub(super) const PROBE: &[u8] = b"Pound: does this key belong to that certificate?";

impl PublicKey {
    /// The key of a certificate; `None` if it is of a kind that tokens are not asked for.
    pub(in crate::tls) fn new(key: &x509::Key<'_>) -> Option<PublicKey> {
        const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
        const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
        let kind = match key.algorithm {
            RSA => {
                let modulus = key.modulus()?;
                (RSA_BYTES_MIN..=RSA_BYTES_MAX)
                    .contains(&modulus.len())
                    .then(|| Kind::Rsa { modulus: modulus.into() })?
            }
            EC => Kind::Ecdsa(CURVES.iter().find(|curve| Some(curve.identifier) == key.curve)?),
            _ => return None,
        };
        Some(PublicKey { kind, bits: key.bits.into() })
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.kind
    }

    pub(super) fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// What it could sign with, what we like best first.
    fn schemes(&self) -> &[SignatureScheme] {
        match &self.kind {
            Kind::Rsa { .. } => &RSA_SCHEMES,
            Kind::Ecdsa(curve) => std::slice::from_ref(&curve.scheme),
        }
    }

    /// Those that show whether a token does all of them: for PKCS #1 v1.5 it is asked alike, whatever the digest.
    pub(super) fn probes(&self) -> impl Iterator<Item = SignatureScheme> {
        self.schemes().iter().copied().filter(|&scheme| leader(scheme) == scheme)
    }

    pub(super) fn verifies_probe(&self, scheme: SignatureScheme, signature: &[u8]) -> bool {
        let verifies = |algorithm: &'static dyn signature::VerificationAlgorithm, signature: &[u8]| {
            UnparsedPublicKey::new(algorithm, &self.bits).verify(PROBE, signature).is_ok()
        };
        match (&self.kind, scheme) {
            (Kind::Ecdsa(curve), _) => {
                ecdsa_der(signature).is_some_and(|signature| verifies(curve.verification, &signature))
            }
            (Kind::Rsa { .. }, SignatureScheme::RSA_PSS_SHA256) => {
                verifies(&signature::RSA_PSS_2048_8192_SHA256, signature)
            }
            (Kind::Rsa { .. }, SignatureScheme::RSA_PSS_SHA384) => {
                verifies(&signature::RSA_PSS_2048_8192_SHA384, signature)
            }
            (Kind::Rsa { .. }, SignatureScheme::RSA_PSS_SHA512) => {
                verifies(&signature::RSA_PSS_2048_8192_SHA512, signature)
            }
            (Kind::Rsa { .. }, SignatureScheme::RSA_PKCS1_SHA256) => {
                verifies(&signature::RSA_PKCS1_2048_8192_SHA256, signature)
            }
            // Others are not probed.
            (Kind::Rsa { .. }, _) => false,
        }
    }

    /// A signature as TLS has it, from what a token gives.
    pub(super) fn signature(&self, raw: Vec<u8>) -> Result<Vec<u8>, Problem> {
        let wanted = match &self.kind {
            Kind::Rsa { modulus } => modulus.len(),
            Kind::Ecdsa(curve) => 2 * curve.len,
        };
        let done = match &self.kind {
            _ if raw.len() != wanted => None,
            Kind::Rsa { .. } => return Ok(raw),
            Kind::Ecdsa(_) => ecdsa_der(&raw),
        };
        done.ok_or_else(|| {
            Problem::new(format!(
                "a signature by the token with the {self} has {} bytes, and should have {wanted}",
                raw.len()
            ))
        })
    }
}

/// Which of the schemes of a key a token does: a bit for each, in the order of [`PublicKey::schemes`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Schemes(u8);

impl Schemes {
    /// Adds one that was probed, and those that go by it.
    pub(super) fn add(&mut self, key: &PublicKey, probed: SignatureScheme) {
        for (index, &scheme) in key.schemes().iter().enumerate() {
            if leader(scheme) == probed {
                self.0 |= 1 << index;
            }
        }
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn contain(self, key: &PublicKey, wanted: SignatureScheme) -> bool {
        key.schemes()
            .iter()
            .position(|&scheme| scheme == wanted)
            .is_some_and(|index| self.0 & 1 << index != 0)
    }
}

/// The scheme that is probed for this one.
fn leader(scheme: SignatureScheme) -> SignatureScheme {
    match scheme {
        SignatureScheme::RSA_PKCS1_SHA384 | SignatureScheme::RSA_PKCS1_SHA512 => {
            SignatureScheme::RSA_PKCS1_SHA256
        }
        scheme => scheme,
    }
}

/// `private key of RSA with 2048 bits`
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Rsa { modulus } => write!(f, "private key of RSA with {} bits", 8 * modulus.len()),
            Kind::Ecdsa(curve) => write!(f, "private key of ECDSA {}", curve.name),
        }
    }
}

/// A private key that is in a token.
pub(in crate::tls) struct TokenKey {
    token: Arc<Token>,
    public: PublicKey,
    /// How the token signs with it, as far as that is known: [`Schemes`].
    schemes: AtomicU8,
    /// It was told that the token refused one of them after all.
    disliked: AtomicBool,
    health: super::Health,
}

impl TokenKey {
    /// The key that belongs to a public one; the token is not asked yet.
    pub(in crate::tls) fn new(token: Arc<Token>, public: PublicKey) -> TokenKey {
        TokenKey {
            token,
            public,
            schemes: AtomicU8::new(0),
            disliked: AtomicBool::new(false),
            health: super::Health::default(),
        }
    }

    /// Where it is.
    pub(in crate::tls) fn token(&self) -> &Arc<Token> {
        &self.token
    }

    pub(super) fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(super) fn health(&self) -> &super::Health {
        &self.health
    }

    fn schemes(&self) -> Schemes {
        Schemes(self.schemes.load(Ordering::Relaxed))
    }

    /// Takes note of how the token signs with it; whether that is news.
    pub(super) fn learn(&self, schemes: Schemes) -> bool {
        self.schemes.swap(schemes.0, Ordering::Relaxed) != schemes.0
    }

    /// Notes that a scheme was refused; whether that is the first time.
    pub(super) fn dislikes(&self) -> bool {
        !self.disliked.swap(true, Ordering::Relaxed)
    }

    /// Whether the token does a signature of TLS 1.3 with it, which has none of PKCS #1 v1.5 (RFC 8446 section 4.2.3).
    pub(in crate::tls) fn is_for_tls13(&self) -> bool {
        let mut probes = self.public.probes();
        probes.any(|scheme| {
            scheme != SignatureScheme::RSA_PKCS1_SHA256 && self.schemes().contain(&self.public, scheme)
        })
    }

    /// Whether it is of RSA, so that how it signs depends on the token.
    pub(in crate::tls) fn is_rsa(&self) -> bool {
        matches!(self.public.kind, Kind::Rsa { .. })
    }
}

/// As rustls takes it.
pub(in crate::tls) struct Signing(pub(in crate::tls) Arc<TokenKey>);

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signing({})", self.0.public)
    }
}

impl SigningKey for Signing {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        // It has been checked before it is shown to anybody, so that this is known.
        let (key, done) = (&self.0.public, self.0.schemes());
        let usable = |scheme: &&SignatureScheme| done.contain(key, **scheme) && offered.contains(scheme);
        let scheme = *key.schemes().iter().find(usable)?;
        Some(Box::new(OneSigner { key: self.0.clone(), scheme }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        let algorithm = match &self.0.public.kind {
            Kind::Rsa { .. } => &alg_id::RSA_ENCRYPTION,
            Kind::Ecdsa(curve) => &curve.algorithm,
        };
        Some(public_key_to_spki(algorithm, &*self.0.public.bits))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.0.public.kind {
            Kind::Rsa { .. } => SignatureAlgorithm::RSA,
            Kind::Ecdsa(_) => SignatureAlgorithm::ECDSA,
        }
    }
}

thread_local! {
    /// Whether a signature was asked for in this thread since this was last put back.
    static ASKED: Cell<bool> = const { Cell::new(false) };
}

/// Does something; also whether a signature was asked for meanwhile.
pub(super) fn with_asked<T>(work: impl FnOnce() -> T) -> (T, bool) {
    ASKED.set(false);
    let done = work();
    (done, ASKED.get())
}

struct OneSigner {
    key: Arc<TokenKey>,
    scheme: SignatureScheme,
}

impl fmt::Debug for OneSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OneSigner({:?})", self.scheme)
    }
}

impl Signer for OneSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        ASKED.set(true);
        self.key
            .token
            .sign(&self.key, self.scheme, message)
            .map_err(|problem| Error::Other(OtherError(Arc::new(Unsigned(problem.text)))))
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

/// There is no signature. The log tells of it once, by the token's own news, and not for each client.
#[derive(Debug)]
pub(in crate::tls) struct Unsigned(String);

impl fmt::Display for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unsigned {}

impl Unsigned {
    /// Whether this is what an error of rustls is about.
    pub(in crate::tls) fn is(error: &Error) -> bool {
        matches!(error, Error::Other(OtherError(inner)) if inner.is::<Unsigned>())
    }
}

/// How a token is asked for a signature, and the digest that it gets.
fn mechanism(scheme: SignatureScheme) -> (Mechanism<'static>, &'static digest::Algorithm) {
    let pss = |hash_alg, mgf, algorithm: &'static digest::Algorithm| {
        // TLS wants a salt as long as the digest (RFC 8446 section 4.2.3).
        let s_len = Ulong::new(algorithm.output_len() as _);
        (Mechanism::RsaPkcsPss(PkcsPssParams { hash_alg, mgf, s_len }), algorithm)
    };
    match scheme {
        SignatureScheme::RSA_PSS_SHA256 => {
            pss(MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, &digest::SHA256)
        }
        SignatureScheme::RSA_PSS_SHA384 => {
            pss(MechanismType::SHA384, PkcsMgfType::MGF1_SHA384, &digest::SHA384)
        }
        SignatureScheme::RSA_PSS_SHA512 => {
            pss(MechanismType::SHA512, PkcsMgfType::MGF1_SHA512, &digest::SHA512)
        }
        SignatureScheme::RSA_PKCS1_SHA256 => (Mechanism::RsaPkcs, &digest::SHA256),
        SignatureScheme::RSA_PKCS1_SHA384 => (Mechanism::RsaPkcs, &digest::SHA384),
        SignatureScheme::RSA_PKCS1_SHA512 => (Mechanism::RsaPkcs, &digest::SHA512),
        SignatureScheme::ECDSA_NISTP384_SHA384 => (Mechanism::Ecdsa, &digest::SHA384),
        SignatureScheme::ECDSA_NISTP521_SHA512 => (Mechanism::Ecdsa, &digest::SHA512),
        // No other one is in the lists above.
        _ => (Mechanism::Ecdsa, &digest::SHA256),
    }
}

/// How a token is asked to sign a message: the mechanism, and what that wants.
pub(super) fn request(scheme: SignatureScheme, message: &[u8]) -> (Mechanism<'static>, Vec<u8>) {
    let (mechanism, algorithm) = mechanism(scheme);
    let digest = digest::digest(algorithm, message);
    (mechanism, [pkcs1_prefix(scheme).unwrap_or_default(), digest.as_ref()].concat())
}

/// As the standard calls it.
pub(super) fn mechanism_name(scheme: SignatureScheme) -> &'static str {
    match scheme {
        SignatureScheme::RSA_PSS_SHA256 => "CKM_RSA_PKCS_PSS of SHA-256",
        SignatureScheme::RSA_PSS_SHA384 => "CKM_RSA_PKCS_PSS of SHA-384",
        SignatureScheme::RSA_PSS_SHA512 => "CKM_RSA_PKCS_PSS of SHA-512",
        _ if pkcs1_prefix(scheme).is_some() => "CKM_RSA_PKCS",
        _ => "CKM_ECDSA",
    }
}

/// What stands before the digest in PKCS #1 v1.5 (RFC 8017 section 9.2, note 1).
fn pkcs1_prefix(scheme: SignatureScheme) -> Option<&'static [u8]> {
    macro_rules! prefix {
        ($whole:literal, $hash:literal, $len:literal) => {
            &[0x30, $whole, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, $hash, 5, 0, 4, $len]
        };
    }
    match scheme {
        SignatureScheme::RSA_PKCS1_SHA256 => Some(prefix!(0x31, 1, 32)),
        SignatureScheme::RSA_PKCS1_SHA384 => Some(prefix!(0x41, 2, 48)),
        SignatureScheme::RSA_PKCS1_SHA512 => Some(prefix!(0x51, 3, 64)),
        _ => None,
    }
}

/// A signature of ECDSA as TLS has it (RFC 3279 section 2.2.3), from what a token gives: both numbers, of the same length,
/// one behind the other. `None` if it is not that.
fn ecdsa_der(raw: &[u8]) -> Option<Vec<u8>> {
    const INTEGER: u8 = 0x02;
    const SEQUENCE: u8 = 0x30;
    // The longest curve has numbers of 66 bytes, so that no length in here needs more than one byte behind its first.
    if raw.is_empty() || !raw.len().is_multiple_of(2) || raw.len() > 2 * 66 {
        return None;
    }
    let mut numbers = Vec::with_capacity(raw.len() + 8);
    for number in [&raw[..raw.len() / 2], &raw[raw.len() / 2..]] {
        let zeros = number.iter().take_while(|&&byte| byte == 0).count().min(number.len() - 1);
        let number = &number[zeros..];
        // A number whose first bit is set would be negative.
        let pad = usize::from(number[0] >= 0x80);
        numbers.extend([INTEGER, (number.len() + pad) as u8]);
        numbers.extend(std::iter::repeat_n(0, pad));
        numbers.extend_from_slice(number);
    }
    let mut der = vec![SEQUENCE];
    if numbers.len() >= 0x80 {
        der.push(0x81);
    }
    der.push(numbers.len() as u8);
    der.append(&mut numbers);
    Some(der)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn public(algorithm: &'static rcgen::SignatureAlgorithm) -> PublicKey {
        let pair = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let params = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        PublicKey::new(&x509::parse(params.self_signed(&pair).unwrap().der()).unwrap().key).unwrap()
    }

    pub(in super::super) fn ecdsa() -> PublicKey {
        public(&rcgen::PKCS_ECDSA_P256_SHA256)
    }

    pub(in super::super) fn rsa() -> PublicKey {
        public(&rcgen::PKCS_RSA_SHA256)
    }

    pub(in super::super) fn key(public: PublicKey, schemes: &[SignatureScheme]) -> Arc<TokenKey> {
        let mut done = Schemes::default();
        schemes.iter().for_each(|&scheme| done.add(&public, scheme));
        let key = TokenKey::new(super::super::tests::token(), public);
        key.learn(done);
        assert!(!key.learn(done), "that is no news");
        Arc::new(key)
    }

    #[test]
    fn only_what_the_token_does_is_offered() {
        use SignatureScheme as S;
        let check = |done: &[S], offered: &[S], expect: Option<S>, tls13: bool| {
            let key = key(rsa(), done);
            assert_eq!(key.is_for_tls13(), tls13);
            let chosen = Signing(key).choose_scheme(offered).map(|signer| signer.scheme());
            assert_eq!(chosen, expect, "{done:?} {offered:?}");
        };
        let pss = [S::RSA_PSS_SHA256, S::RSA_PSS_SHA512];
        check(&pss, &[S::RSA_PKCS1_SHA256], None, true);
        check(&pss, &[S::RSA_PKCS1_SHA256, S::RSA_PSS_SHA512], Some(S::RSA_PSS_SHA512), true);
        check(&pss, &[S::RSA_PSS_SHA384], None, true);
        let pkcs1 = [S::RSA_PKCS1_SHA256];
        check(&pkcs1, &[S::RSA_PSS_SHA256, S::RSA_PKCS1_SHA512], Some(S::RSA_PKCS1_SHA512), false);
        check(&pkcs1, &[S::RSA_PSS_SHA256], None, false);
        let key = key(ecdsa(), &[S::ECDSA_NISTP256_SHA256]);
        assert!(key.is_for_tls13() && Signing(key).choose_scheme(&[S::ECDSA_NISTP256_SHA256]).is_some());
    }

    #[test]
    fn a_signature_of_another_length_is_none() {
        let rsa = rsa();
        assert!(rsa.signature(vec![1; 256]).is_ok());
        let problem = rsa.signature(vec![1; 255]).unwrap_err();
        assert!(problem.text.contains("has 255 bytes, and should have 256"), "{problem}");
        let ecdsa = ecdsa();
        assert!(ecdsa.signature(vec![1; 64]).is_ok());
        for len in [0, 62, 63, 65, 96] {
            assert!(ecdsa.signature(vec![1; len]).is_err());
        }
    }

    #[test]
    fn two_numbers_become_der() {
        let check = |raw: &[u8], expect: Option<&[u8]>| assert_eq!(ecdsa_der(raw).as_deref(), expect);
        check(&[1, 2], Some(&[0x30, 6, 2, 1, 1, 2, 1, 2]));
        check(&[0x80, 0x7f], Some(&[0x30, 7, 2, 2, 0, 0x80, 2, 1, 0x7f]));
        check(&[0, 0, 0, 5], Some(&[0x30, 6, 2, 1, 0, 2, 1, 5]));
        check(&[0, 0x81, 9, 9], Some(&[0x30, 8, 2, 2, 0, 0x81, 2, 2, 9, 9]));
        check(&[], None);
        check(&[1, 2, 3], None);
        check(&[1; 134], None);
        let long = ecdsa_der(&[1; 132]).unwrap();
        assert_eq!(&long[..5], [0x30, 0x81, 136, 2, 66]);
    }

    #[test]
    fn a_signature_in_der_verifies() {
        use aws_lc_rs::rand::SystemRandom;
        use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        let public = UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_ASN1, pair.public_key());
        // Often enough for numbers that begin with a zero, or with a bit that is set.
        for _ in 0..300 {
            let fixed = pair.sign(&random, PROBE).unwrap();
            public.verify(PROBE, &ecdsa_der(fixed.as_ref()).unwrap()).unwrap();
        }
    }

    #[test]
    fn the_key_of_a_certificate_is_known() {
        let check = |algorithm: &'static rcgen::SignatureAlgorithm, expect: Option<&str>| {
            let pair = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let params = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
            let certificate = params.self_signed(&pair).unwrap();
            let key = PublicKey::new(&x509::parse(certificate.der()).unwrap().key);
            assert_eq!(key.map(|key| key.to_string()).as_deref(), expect);
        };
        check(&rcgen::PKCS_ECDSA_P256_SHA256, Some("private key of ECDSA P-256"));
        check(&rcgen::PKCS_ECDSA_P384_SHA384, Some("private key of ECDSA P-384"));
        check(&rcgen::PKCS_ECDSA_P521_SHA512, Some("private key of ECDSA P-521"));
        check(&rcgen::PKCS_ED25519, None);
        check(&rcgen::PKCS_RSA_SHA256, Some("private key of RSA with 2048 bits"));
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_token_gives_is_read_or_refused(raw: Vec<u8>) {
            let _ = ecdsa_der(&raw);
        }
    }
}
