//! TLS as every peer of a benchmark is asked for it: version 1.3, AES-128-GCM, X25519, HTTP/1.1.
//!
//! A server that agrees on anything else would be measured doing other work than the rest, so what was agreed on is
//! looked at, and a run with another suite fails.

use std::fs;
use std::io::{Error, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{CipherSuite, ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, RootCertStore};

/// The name in all certificates.
const NAME: &str = "bench.test";

/// Sessions kept to go on with. One server has eight places in such a store, of which tickets fill two with each
/// handshake, and one is taken by the next.
const SESSIONS: usize = 64;

/// What connections are made with.
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    /// Which handshake is the right one.
    wanted: HandshakeKind,
}

impl Tls {
    /// Trusts the authority in `file`. With `resume`, handshakes go on with earlier sessions where they can.
    pub(crate) fn new(file: &Path, resume: bool) -> Result<Self, Error> {
        let wrong = |error: &dyn std::fmt::Display| Error::other(format!("{}: {error}", file.display()));
        let mut roots = RootCertStore::empty();
        let pem = fs::read(file).map_err(|error| wrong(&error))?;
        let authority = PemObject::from_pem_slice(&pem).map_err(|error| wrong(&error))?;
        roots.add(authority).map_err(|error| wrong(&error))?;
        let mut provider = aws_lc_rs::default_provider();
        // The key of the session that clients can agree on with every peer: a hybrid would cost only those that know it.
        provider.kx_groups = vec![kx_group::X25519];
        provider.cipher_suites = vec![cipher_suite::TLS13_AES_128_GCM_SHA256];
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption =
            if resume { Resumption::in_memory_sessions(SESSIONS) } else { Resumption::disabled() };
        let wanted = if resume { HandshakeKind::Resumed } else { HandshakeKind::Full };
        Ok(Tls { config: Arc::new(config), wanted })
    }

    /// A connection before its handshake.
    pub(crate) fn begin(&self) -> Result<ClientConnection, Error> {
        let name = ServerName::try_from(NAME).map_err(Error::other)?;
        ClientConnection::new(Arc::clone(&self.config), name).map_err(Error::other)
    }

    /// Whether the handshake was of the kind that is measured; an error if it agreed on something else.
    pub(crate) fn judge(&self, tls: &ClientConnection) -> Result<bool, Error> {
        let suite = tls.negotiated_cipher_suite().map(|suite| suite.suite());
        let version = tls.protocol_version();
        if (suite, version) != (Some(CipherSuite::TLS13_AES_128_GCM_SHA256), Some(ProtocolVersion::TLSv1_3)) {
            let text =
                format!("the server agreed on {suite:?} in {version:?}, which is not what is measured");
            return Err(Error::new(ErrorKind::InvalidData, text));
        }
        Ok(tls.handshake_kind() == Some(self.wanted))
    }
}
