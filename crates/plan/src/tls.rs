//! TLS: what a listener shows its clients.
//!
//! A plan says which files; it never reads them. The engine does, while the rights to do so are still there.

use std::fmt;
use std::path::PathBuf;

/// A file or a set of files, and who asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    /// Where it is; for `Cert` of a listener also a directory, or a pattern in its last part.
    pub path: PathBuf,
    /// The directive that names it.
    pub directive: &'static str,
    /// The file and the line of the configuration, for messages.
    pub place: String,
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.place, self.directive, self.path.display())
    }
}

/// How a `ListenHTTPS` speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTls {
    /// Where the certificates are, in the order of the file (`Cert`); the first is shown to those who name no other.
    /// Never empty.
    pub certificates: Vec<FileName>,
    /// Whether a client that asks for a name of which there is no certificate is turned away (`StrictSNI`).
    pub strict_sni: bool,
    /// Which Host may come over a connection (`CheckHost`).
    pub check_host: CheckHost,
    /// What clients have to show of themselves.
    pub client: ClientCertificates,
    /// What is spoken.
    pub policy: Policy,
}

/// `CheckHost`: which Host may come over a connection; others are refused with 421.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckHost {
    /// Any.
    No,
    /// One that the certificate of the connection covers, the name that was asked for in TLS, and where none was asked
    /// for, one that no certificate covers.
    Name,
    /// One that the certificate of the connection covers.
    Certificate,
}

/// Protocols and ways to encrypt (`Ciphers`, `Disable`, `SSLHonorCipherOrder`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Those that may be used, in order; never empty. A protocol without any is not spoken.
    pub suites: Vec<Suite>,
    /// Whether that order counts, and not the client's.
    pub our_order: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Policy { suites: Suite::ALL.to_vec(), our_order: true }
    }
}

/// Certificates of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificates {
    /// Whether they are asked for one (`ClientCert`).
    pub demand: Demand,
    /// How many authorities may stand between a certificate and one that we believe.
    pub depth: u32,
    /// Whom we believe (`VerifyList`, else `CAlist`). There is one where certificates are verified.
    pub authorities: Option<FileName>,
    /// Whose names are told to clients, so that they choose a certificate that we would believe (`CAlist`); those in
    /// `authorities` if there is none.
    pub announced: Option<FileName>,
    /// Certificates that no longer count (`CRLlist`).
    pub revoked: Option<FileName>,
}

/// `ClientCert`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// 0: clients are not asked.
    None,
    /// 1: they are asked, and what they show is verified; they may show none.
    Ask,
    /// 2: they are asked, and must show one that can be verified.
    Require,
    /// 3: they are asked, and what they show is passed on, whoever has signed it.
    Unverified,
}

/// How a back-end is spoken to over TLS (`HTTPS`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendTls {
    /// The name that it is asked for, and that its certificate has to be for (`ServerName`); its address without that.
    pub server_name: Option<String>,
    /// What we show of ourselves (`Cert`).
    pub certificate: Option<FileName>,
    /// How its certificate is judged.
    pub verify: Verify,
    /// What is spoken.
    pub policy: Policy,
    /// The file and the line of the configuration, for messages.
    pub place: String,
}

/// How the certificate of a back-end is judged (`Verify`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verify {
    /// Not at all.
    No,
    /// It has to be for the back-end's name, and signed by an authority: one in this file, or one that the system
    /// believes (`CAlist`).
    Signed(Option<FileName>),
    /// It has to be the one with this SHA-256.
    Pinned([u8; 32]),
}

macro_rules! suites {
    ($($variant:ident $name:literal $protocol:literal $description:literal)*) => {
        /// A way to encrypt and to agree on keys, of those that are not broken. In the order in which we like them best.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "they are what they are called")]
        pub enum Suite { $($variant,)* }

        impl Suite {
            /// All of them.
            pub const ALL: &[Suite] = &[$(Suite::$variant,)*];

            /// Its name in OpenSSL, which is what operators write.
            pub fn name(self) -> &'static str {
                match self { $(Suite::$variant => $name,)* }
            }

            /// Protocol and description as C Pound tells them to back-ends.
            pub fn description(self) -> &'static str {
                match self { $(Suite::$variant => concat!($protocol, "/", $name, " ", $protocol, " ", $description),)* }
            }

            /// The protocol that it belongs to, as OpenSSL has it: `TLSv1.2` or `TLSv1.3`.
            pub fn protocol(self) -> &'static str {
                match self { $(Suite::$variant => $protocol,)* }
            }

            /// Whether it belongs to TLS 1.3; the others belong to TLS 1.2.
            pub fn is_tls13(self) -> bool {
                match self { $(Suite::$variant => matches!($protocol.as_bytes(), b"TLSv1.3"),)* }
            }
        }
    };
}

suites! {
    // AES with 128 bits comes first, as browsers have it: nobody breaks either, and SHA-256 beside it is computed by the
    // processor, which SHA-384 is not (a seventh of a handshake).
    Aes128 "TLS_AES_128_GCM_SHA256" "TLSv1.3" "Kx=any Au=any Enc=AESGCM(128) Mac=AEAD"
    Aes256 "TLS_AES_256_GCM_SHA384" "TLSv1.3" "Kx=any Au=any Enc=AESGCM(256) Mac=AEAD"
    ChaCha20 "TLS_CHACHA20_POLY1305_SHA256" "TLSv1.3" "Kx=any Au=any Enc=CHACHA20/POLY1305(256) Mac=AEAD"
    EcdsaAes128 "ECDHE-ECDSA-AES128-GCM-SHA256" "TLSv1.2" "Kx=ECDH Au=ECDSA Enc=AESGCM(128) Mac=AEAD"
    RsaAes128 "ECDHE-RSA-AES128-GCM-SHA256" "TLSv1.2" "Kx=ECDH Au=RSA Enc=AESGCM(128) Mac=AEAD"
    EcdsaAes256 "ECDHE-ECDSA-AES256-GCM-SHA384" "TLSv1.2" "Kx=ECDH Au=ECDSA Enc=AESGCM(256) Mac=AEAD"
    RsaAes256 "ECDHE-RSA-AES256-GCM-SHA384" "TLSv1.2" "Kx=ECDH Au=RSA Enc=AESGCM(256) Mac=AEAD"
    EcdsaChaCha20 "ECDHE-ECDSA-CHACHA20-POLY1305" "TLSv1.2" "Kx=ECDH Au=ECDSA Enc=CHACHA20/POLY1305(256) Mac=AEAD"
    RsaChaCha20 "ECDHE-RSA-CHACHA20-POLY1305" "TLSv1.2" "Kx=ECDH Au=RSA Enc=CHACHA20/POLY1305(256) Mac=AEAD"
}
