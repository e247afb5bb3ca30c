//! What a listener shows: its certificates, by name, and the terms on which it talks.
//!
//! Each certificate has a rustls configuration of its own, made when it is read, so that a handshake only picks one.
//! All of a listener share its session cache and the keys of its tickets, and no other listener does: a session never
//! passes from one set of terms to another.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use plan::ServerTls;
use plan::template::TlsFact;
use plan::tls::{CheckHost, Demand, FileName, Policy, Suite};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite as suites};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ProducesTickets};
use rustls::sign::SingleCertAndKey;
use rustls::{CipherSuite, ServerConfig, SignatureAlgorithm, SupportedCipherSuite, SupportedProtocolVersion};
use smallvec::SmallVec;

use super::clients::{self, Peer};
use super::files::{self, Content, Identity, Mark, Refusal, TlsError};
use super::sessions::Sessions;
use super::source::{Named, Reading, Source};
use super::token::Token;

/// TLS of one listener, shared by all workers.
pub(crate) struct Server {
    plan: ServerTls,
    sites: ArcSwap<Sites>,
    terms: ArcSwap<Terms>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("plan", &self.plan).finish_non_exhaustive()
    }
}

/// What all certificates of a listener have in common.
pub(super) struct Terms {
    policy: Policy,
    provider: Arc<CryptoProvider>,
    sessions: Arc<Sessions>,
    tickets: Arc<dyn ProducesTickets>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
    /// The files by which certificates of clients are judged, as they looked when they were read.
    lists: Vec<(Named, Mark)>,
    /// When the first list of revoked certificates runs out, seconds since the epoch.
    lists_until: Option<i64>,
    /// Where keys are that no file holds.
    token: Option<Arc<Token>>,
}

/// The cryptography that is wanted.
pub(super) fn provider(policy: &Policy) -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: policy.suites.iter().map(|&suite| supported(suite)).collect(),
        ..aws_lc_rs::default_provider()
    })
}

/// Every protocol that a file may ask for: its name, and whether the suites of TLS 1.3 go with it.
const VERSIONS: [(&str, bool, &SupportedProtocolVersion); 2] =
    [("TLS 1.2", false, &rustls::version::TLS12), ("TLS 1.3", true, &rustls::version::TLS13)];

/// The names of the versions of TLS that this build speaks, for people.
pub(crate) fn version_names() -> impl Iterator<Item = &'static str> {
    VERSIONS.iter().map(|(name, _, _)| *name)
}

/// The protocols that are wanted: those that have a suite.
pub(super) fn versions(policy: &Policy) -> Vec<&'static SupportedProtocolVersion> {
    let spoken = |tls13: bool| policy.suites.iter().any(|suite| suite.is_tls13() == tls13);
    VERSIONS.iter().filter(|(_, tls13, _)| spoken(*tls13)).map(|(_, _, version)| *version).collect()
}

/// A cipher suite as rustls has it.
pub(super) fn supported(suite: Suite) -> SupportedCipherSuite {
    match suite {
        Suite::Aes128 => suites::TLS13_AES_128_GCM_SHA256,
        Suite::Aes256 => suites::TLS13_AES_256_GCM_SHA384,
        Suite::ChaCha20 => suites::TLS13_CHACHA20_POLY1305_SHA256,
        Suite::EcdsaAes128 => suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        Suite::RsaAes128 => suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        Suite::EcdsaAes256 => suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        Suite::RsaAes256 => suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        Suite::EcdsaChaCha20 => suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        Suite::RsaChaCha20 => suites::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    }
}

/// One certificate and the terms on which it is shown.
pub(crate) struct Site {
    pub(super) identity: Arc<Identity>,
    /// Which `Cert` names it: index into `ServerTls::certificates`.
    pub(super) name: usize,
    /// For nearly everybody: the suite is the one that we like best.
    ours: Arc<ServerConfig>,
    /// The suite is the one that the client likes best.
    theirs: Arc<ServerConfig>,
    /// For a key in a token that may have no signature for TLS 1.3, where TLS 1.2 is spoken too.
    tls12: Option<Arc<ServerConfig>>,
}

/// The certificates of a listener, to be found by name.
pub(super) struct Sites {
    /// Files that were passed over when these were read at the start, as they looked then.
    pub(super) refused: Vec<(PathBuf, Mark, Refusal)>,
    /// In the order of the configuration, and those of one `Cert` in that of their paths; never empty.
    pub(super) all: Vec<Arc<Site>>,
    /// By name; under the name without `*.` for one that has it.
    exact: HashMap<Box<str>, Candidates>,
    wild: HashMap<Box<str>, Candidates>,
    addresses: HashMap<IpAddr, Candidates>,
}

/// Indices into `Sites::all`, in order.
type Candidates = SmallVec<[usize; 2]>;

impl Server {
    /// Reads what the plan names.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub(crate) fn new(plan: &ServerTls, token: Option<&Arc<Token>>, now: i64) -> Result<Server, TlsError> {
        let provider = provider(&plan.policy);
        let terms =
            Terms::new(plan, provider, token.cloned(), &mut Source::Own).map_err(|error| match error {
                TermsError::Tls(error) => error,
                TermsError::Tickets(error) => TlsError::whole(
                    &plan.certificates[0],
                    format!("cannot have keys for session tickets: {error}"),
                ),
            })?;
        let sites = Sites::read(plan, &terms, now)?;
        Ok(Server {
            plan: plan.clone(),
            sites: ArcSwap::from_pointee(sites),
            terms: ArcSwap::from_pointee(terms),
        })
    }

    /// What was configured.
    pub(super) fn plan(&self) -> &ServerTls {
        &self.plan
    }

    /// What is shown now.
    pub(super) fn sites(&self) -> Arc<Sites> {
        self.sites.load_full()
    }

    /// The files by which certificates of clients are judged, as they looked when they were read.
    pub(super) fn lists(&self) -> Vec<(Named, Mark)> {
        self.terms.load().lists.clone()
    }

    /// The file with revoked certificates, and when the first list in it runs out (seconds since the epoch).
    pub(super) fn lists_until(&self) -> Option<(&FileName, i64)> {
        Some((self.plan.client.revoked.as_ref()?, self.terms.load().lists_until?))
    }

    /// A certificate as this listener would show it.
    pub(super) fn read(&self, content: &Content, name: usize, now: i64) -> Result<Arc<Site>, Refusal> {
        let site = Site::read(content, name, &self.terms.load(), now)?;
        if let Some(key) = &site.identity.apart {
            key.token().check_soon(key).map_err(|reason| Refusal::no_key(&content.path, &reason))?;
        }
        Ok(Arc::new(site))
    }

    /// Whether the token has the keys that it should have. Blocks.
    ///
    /// # Errors
    /// The first certificate whose key is not there, or does not sign.
    pub(crate) fn check_keys(&self) -> Result<(), TlsError> {
        for site in &self.sites().all {
            let name = &self.plan.certificates[site.name];
            site.identity.check_key().map_err(|refusal| TlsError::new(name, &refusal))?;
        }
        Ok(())
    }

    /// From now on shows these, which are not none. Connections that are there go on.
    pub(super) fn show(&self, sites: Vec<Arc<Site>>) {
        self.sites.store(Arc::new(Sites::of(sites)));
    }

    /// From now on judges certificates of clients by what these files say now. Sessions that began before end: they
    /// would come in by the old ones.
    pub(super) fn judge(&self, source: &mut Source) -> Result<(), TermsError> {
        let before = self.terms.load();
        let terms = Terms::new(&self.plan, before.provider.clone(), before.token.clone(), source)?;
        let sites = self.sites.load();
        let again = |site: &Arc<Site>| Site::new(site.identity.clone(), site.name, &terms).map(Arc::new);
        let sites = sites.all.iter().map(again).collect::<Result<_, _>>().map_err(TermsError::Tickets)?;
        self.show(sites);
        self.terms.store(Arc::new(terms));
        Ok(())
    }

    /// The certificate for a client; `None` if it is to be turned away.
    pub(super) fn choose(&self, hello: &ClientHello<'_>) -> Option<Arc<Site>> {
        let sites = self.sites.load();
        let name = asked_for(hello);
        let named = name.as_ref().and_then(|name| sites.find(name));
        let candidates = match named {
            Some(candidates) => candidates,
            None if name.is_some() && self.plan.strict_sni => return None,
            None => sites.default(),
        };
        // ECDSA signatures cost a tenth of RSA's, so they are taken where the client can read them.
        let usable = |ecdsa: bool| {
            let site = |&index: &usize| &sites.all[index];
            candidates.iter().map(site).find(|site| site.is_ecdsa() == ecdsa && site.suits(hello))
        };
        let site = usable(true).or_else(|| usable(false)).unwrap_or(&sites.all[candidates[0]]);
        Some(site.clone())
    }

    /// Whether certificates that clients show are verified.
    pub(super) fn verifies(&self) -> bool {
        matches!(self.plan.client.demand, Demand::Ask | Demand::Require)
    }

    /// Whether a request for `host` may come by a connection with these facts (RFC 9110 section 15.5.20).
    pub(crate) fn admits(&self, facts: &Facts, host: &str) -> bool {
        if self.plan.check_host == CheckHost::No {
            return true;
        }
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        if facts.site.identity.covers(&host) {
            return true;
        }
        if self.plan.check_host == CheckHost::Certificate {
            return false;
        }
        if facts.server_name.as_deref() == Some(&*host) {
            return true;
        }
        // Nobody has a better connection for it, and the client has named nothing else: an address, an old client.
        facts.server_name.is_none() && self.sites.load().find(&host).is_none()
    }
}

/// Why a listener cannot talk on the terms that are wanted.
pub(super) enum TermsError {
    Tls(TlsError),
    Tickets(rustls::Error),
}

impl fmt::Display for TermsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TermsError::Tls(error) => error.fmt(f),
            TermsError::Tickets(error) => error.fmt(f),
        }
    }
}

impl Terms {
    fn new(
        plan: &ServerTls,
        provider: Arc<CryptoProvider>,
        token: Option<Arc<Token>>,
        source: &mut Source,
    ) -> Result<Terms, TermsError> {
        let policy = plan.policy.clone();
        let mut reading = Reading::new(source);
        let clients = clients::verifier(&plan.client, &provider, &mut reading).map_err(TermsError::Tls)?;
        let Reading { marks: lists, lists_until, .. } = reading;
        let tickets = aws_lc_rs::Ticketer::new().map_err(TermsError::Tickets)?;
        Ok(Terms {
            policy,
            provider,
            sessions: Arc::new(Sessions::new()),
            tickets,
            clients,
            lists,
            lists_until,
            token,
        })
    }
}

impl Sites {
    fn of(all: Vec<Arc<Site>>) -> Sites {
        let mut sites = Sites {
            refused: Vec::new(),
            all: Vec::with_capacity(all.len()),
            exact: HashMap::new(),
            wild: HashMap::new(),
            addresses: HashMap::new(),
        };
        all.into_iter().for_each(|site| sites.add(site));
        sites
    }

    fn read(plan: &ServerTls, terms: &Terms, now: i64) -> Result<Sites, TlsError> {
        let mut all = Vec::new();
        let mut refused = Vec::new();
        for (index, name) in plan.certificates.iter().enumerate() {
            let error = |refusal: &Refusal| TlsError::new(name, refusal);
            let before = all.len();
            for path in files::expand(&name.path).map_err(|refusal| error(&refusal))? {
                let content = files::load(&path);
                match Site::read(&content, index, terms, now) {
                    Ok(site) => all.push(Arc::new(site)),
                    Err(refusal) if files::is_dispensable(name, &refusal, all.is_empty()) => {
                        refused.push((path, content.mark, refusal));
                    }
                    Err(refusal) => return Err(error(&refusal)),
                }
            }
            if all.len() == before {
                return Err(TlsError::new(name, &files::none_left(name)));
            }
        }
        Ok(Sites { refused, ..Sites::of(all) })
    }

    /// Those that a `Cert` names, by its index.
    pub(super) fn of_name(&self, name: usize) -> &[Arc<Site>] {
        let start = self.all.partition_point(|site| site.name < name);
        let len = self.all[start..].partition_point(|site| site.name == name);
        &self.all[start..start + len]
    }

    fn add(&mut self, site: Arc<Site>) {
        let index = self.all.len();
        for name in &site.identity.names {
            let (map, name) = match name.strip_prefix("*.") {
                Some(rest) => (&mut self.wild, rest),
                None => (&mut self.exact, &**name),
            };
            map.entry(name.into()).or_default().push(index);
        }
        for &address in &site.identity.addresses {
            self.addresses.entry(address).or_default().push(index);
        }
        self.all.push(site);
    }

    /// The certificates that cover a name, or an address as Host has it; in lower case.
    fn find(&self, name: &str) -> Option<&[usize]> {
        if let Some(address) = address(name) {
            return self.addresses.get(&address).map(SmallVec::as_slice);
        }
        // A `*` stands for one label (RFC 9525 section 6.3).
        let wild = || self.wild.get(name.split_once('.')?.1);
        self.exact.get(name).or_else(wild).map(SmallVec::as_slice)
    }

    /// The first certificate, and others for its first name.
    fn default(&self) -> &[usize] {
        let name = self.all[0].identity.names.first();
        name.and_then(|name| self.exact.get(name))
            .filter(|sites| sites[0] == 0)
            .map_or(&[0], SmallVec::as_slice)
    }
}

impl Site {
    fn read(content: &Content, name: usize, terms: &Terms, now: i64) -> Result<Site, Refusal> {
        let identity = files::identity(content, &terms.provider, terms.token.as_ref(), now)?;
        Site::new(Arc::new(identity), name, terms)
            .map_err(|error| Refusal::new(&content.path, format!("it cannot be used: {error}")))
    }

    fn new(identity: Arc<Identity>, name: usize, terms: &Terms) -> Result<Site, rustls::Error> {
        let make = |versions: &[&'static SupportedProtocolVersion]| {
            let builder = ServerConfig::builder_with_provider(terms.provider.clone())
                .with_protocol_versions(versions)?;
            let builder = match &terms.clients {
                Some(verifier) => builder.with_client_cert_verifier(verifier.clone()),
                None => builder.with_no_client_auth(),
            };
            let resolver = SingleCertAndKey::from(identity.key.clone());
            let mut config = builder.with_cert_resolver(Arc::new(resolver));
            config.session_storage = terms.sessions.clone();
            config.ticketer = terms.tickets.clone();
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Ok::<_, rustls::Error>(config)
        };
        let spoken = versions(&terms.policy);
        let mut config = make(&spoken)?;
        let theirs = Arc::new(config.clone());
        config.ignore_client_order = terms.policy.our_order;
        let tls12 = match &identity.apart {
            Some(key) if key.is_rsa() && spoken.len() > 1 => {
                let mut config = make(&[&rustls::version::TLS12])?;
                config.ignore_client_order = terms.policy.our_order;
                Some(Arc::new(config))
            }
            _ => None,
        };
        Ok(Site { identity, name, ours: Arc::new(config), theirs, tls12 })
    }

    /// The terms for a client. One that likes ChaCha20 best has no AES in its processor, and is believed.
    pub(super) fn config(&self, hello: &ClientHello<'_>) -> Arc<ServerConfig> {
        // Both sides would agree on TLS 1.3 before it is seen that there is no signature for it.
        if let (Some(key), Some(tls12)) = (&self.identity.apart, &self.tls12)
            && !key.is_for_tls13()
        {
            return tls12.clone();
        }
        let supported = &self.ours.crypto_provider().cipher_suites;
        let first =
            hello.cipher_suites().iter().find(|&&suite| supported.iter().any(|own| own.suite() == suite));
        match first {
            Some(
                CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
                | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
            ) => self.theirs.clone(),
            _ => self.ours.clone(),
        }
    }

    /// Where its key is, if that is not a file.
    pub(super) fn token(&self) -> Option<&Arc<Token>> {
        self.identity.apart.as_ref().map(|key| key.token())
    }

    fn is_ecdsa(&self) -> bool {
        self.identity.key.key.algorithm() == SignatureAlgorithm::ECDSA
    }

    /// Whether the client can do with the signatures of this certificate.
    fn suits(&self, hello: &ClientHello<'_>) -> bool {
        let key = &self.identity.key.key;
        key.choose_scheme(hello.signature_schemes()).is_some()
            && hello.cipher_suites().iter().any(|&suite| {
                // TLS 1.2 ties the suite to the kind of key (RFC 5246 section 7.4.2), TLS 1.3 does not.
                let supported = self.ours.crypto_provider().cipher_suites.iter();
                supported
                    .filter(|supported| supported.suite() == suite)
                    .any(|supported| supported.usable_for_signature_algorithm(key.algorithm()))
            })
    }
}

impl Identity {
    /// Whether the token has the private key, if it should. Blocks.
    pub(super) fn check_key(&self) -> Result<(), Refusal> {
        let Some(key) = &self.apart else { return Ok(()) };
        key.token().check(key).map_err(|reason| Refusal::no_key(&self.path, &reason))
    }

    /// Whether the certificate is for this name or address; in lower case.
    fn covers(&self, name: &str) -> bool {
        if let Some(address) = address(name) {
            return self.addresses.contains(&address);
        }
        let parent = name.split_once('.').map(|(_, parent)| parent);
        self.names.iter().any(|own| match own.strip_prefix("*.") {
            Some(rest) => Some(rest) == parent,
            None => **own == *name,
        })
    }
}

/// `192.0.2.1` or `[2001:db8::1]`
fn address(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => host.parse().ok(),
    }
}

/// The name that a client asks for in TLS, in lower case and without the dot that a full one may end with: RFC 6066
/// section 3 wants it away, and clients send it.
pub(super) fn asked_for(hello: &ClientHello<'_>) -> Option<Box<str>> {
    let name = hello.server_name()?;
    Some(name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase().into())
}

/// What a handshake has agreed on.
pub(crate) struct Facts {
    /// The certificate that was shown.
    pub(super) site: Arc<Site>,
    /// The name that the client asked for, in lower case and without a dot at its end.
    pub(crate) server_name: Option<Box<str>>,
    /// The cipher suite.
    pub(crate) suite: Suite,
    /// HTTP/1.1 was agreed on (ALPN); else the client named nothing.
    pub(super) alpn: bool,
    /// What the client has shown of itself.
    pub(crate) peer: Option<Box<Peer>>,
    /// That was verified, and not taken as it came.
    pub(super) verified: bool,
}

impl Facts {
    /// Whether the client has shown a certificate that was verified.
    pub(crate) fn is_verified(&self) -> bool {
        self.peer.is_some() && self.verified
    }

    /// As templates tell it.
    pub(crate) fn tell(&self, fact: TlsFact) -> &str {
        let peer = |part: fn(&Peer) -> &str| self.peer.as_deref().map(part).unwrap_or_default();
        match fact {
            TlsFact::Subject => peer(|peer| &peer.subject),
            TlsFact::Issuer => peer(|peer| &peer.issuer),
            TlsFact::Serial => peer(|peer| &peer.serial),
            TlsFact::NotBefore => peer(|peer| &peer.not_before),
            TlsFact::NotAfter => peer(|peer| &peer.not_after),
            TlsFact::Fingerprint => peer(|peer| &peer.fingerprint),
            TlsFact::Verified => match (&self.peer, self.verified) {
                (None, _) => "",
                (Some(_), true) => "yes",
                (Some(_), false) => "no",
            },
            TlsFact::Protocol => self.suite.protocol(),
            TlsFact::Cipher => self.suite.name(),
            TlsFact::Sni => self.server_name.as_deref().unwrap_or_default(),
            TlsFact::Alpn => {
                if self.alpn {
                    "http/1.1"
                } else {
                    ""
                }
            }
        }
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Facts { server_name, suite, .. } = self;
        write!(f, "Facts({server_name:?}, {suite:?})")
    }
}
