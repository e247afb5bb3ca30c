//! TLS as every peer of a benchmark is asked for it: version 1.3, AES-128-GCM, X25519, HTTP/1.1.
//!
//! A server that agrees on anything else would be measured doing other work than the rest, so what was agreed on is
//! looked at, and a run with another suite fails.

use std::collections::VecDeque;
use std::fs;
use std::io::{Error, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::{ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, HandshakeKind, NamedGroup, ProtocolVersion, RootCertStore,
};

/// The name in all certificates.
const NAME: &str = "bench.test";

/// Tickets kept at most: more than all clients at once are given.
const TICKETS_MAX: usize = 4096;

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
            if resume { Resumption::store(Arc::new(Tickets::default())) } else { Resumption::disabled() };
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

/// The tickets of the one server there is, each of which is used once. What rustls brings keeps eight, which is less
/// than come in before the next clients begin.
#[derive(Debug, Default)]
struct Tickets(Mutex<VecDeque<Tls13ClientSessionValue>>);

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tickets.len() == TICKETS_MAX {
            tickets.pop_front();
        }
        tickets.push_back(ticket);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_back()
    }
}

#[cfg(test)]
mod tests {
    use rustls::{ServerConfig, ServerConnection};

    use super::*;

    /// A file with an authority, and a server that it knows.
    fn server(name: &str) -> (std::path::PathBuf, Arc<ServerConfig>) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let file = std::env::temp_dir().join(format!("bench-load-{name}-{}.crt", std::process::id()));
        fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        let authority = rcgen::Issuer::new(params, key);
        let key = rcgen::KeyPair::generate().unwrap();
        let wanted = rcgen::CertificateParams::new(vec![NAME.to_owned()]).unwrap();
        let certificate = wanted.signed_by(&key, &authority).unwrap().der().clone();
        let secret = key.serialize_der().try_into().unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], secret)
            .unwrap();
        config.ticketer = aws_lc_rs::Ticketer::new().unwrap();
        (file, Arc::new(config))
    }

    /// Moves bytes until both sides have nothing to say.
    fn shake(client: &mut ClientConnection, server: &mut ServerConnection) {
        let mut bytes = Vec::new();
        while client.wants_write() || server.wants_write() {
            while client.wants_write() {
                client.write_tls(&mut bytes).unwrap();
            }
            server.read_tls(&mut std::mem::take(&mut bytes).as_slice()).unwrap();
            server.process_new_packets().unwrap();
            while server.wants_write() {
                server.write_tls(&mut bytes).unwrap();
            }
            client.read_tls(&mut std::mem::take(&mut bytes).as_slice()).unwrap();
            client.process_new_packets().unwrap();
        }
    }

    fn check(name: &str, resume: bool, expect: [bool; 2]) {
        // More than eight at once, and again as many.
        let (file, config) = server(name);
        let tls = Tls::new(&file, resume).unwrap();
        fs::remove_file(&file).unwrap();
        for right in expect {
            let mut clients: Vec<_> = (0..20).map(|_| tls.begin().unwrap()).collect();
            for client in &mut clients {
                shake(client, &mut ServerConnection::new(Arc::clone(&config)).unwrap());
                assert_eq!(tls.judge(client).unwrap(), right, "resume: {resume}");
            }
        }
    }

    #[test]
    fn full_handshakes_stay_full() {
        check("full", false, [true, true]);
    }

    #[test]
    fn all_but_the_first_handshakes_are_resumed() {
        check("resumed", true, [false, true]);
    }
}
