//! Where clients come in.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::acl::Acl;
use crate::alphabet::Alphabets;
use crate::bounds::Bounds;
use crate::page::Pages;
use crate::pattern::Pattern;
use crate::rewrite::Rewrites;
use crate::service::Service;
use crate::times::Silence;
use crate::tls::ServerTls;

/// Where a listener's socket comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// Bound to this address and port. Port 0 lets the system choose.
    Inet(SocketAddr),
    /// A host name: every address it has is bound. Resolved when the plan is made ready to run.
    Name(String, u16),
    /// A Unix stream socket, made here.
    Unix(PathBuf),
    /// A listening socket received over this Unix socket (`SocketFrom`).
    Received(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddress::Inet(address) => write!(f, "{address}"),
            ListenAddress::Name(name, port) => write!(f, "{name}:{port}"),
            ListenAddress::Unix(path) => write!(f, "{}", path.display()),
            ListenAddress::Received(path) => write!(f, "socket from {}", path.display()),
        }
    }
}

/// One `ListenHTTP` or `ListenHTTPS`.
#[derive(Debug)]
pub struct Listener {
    /// Index into `Plan::listeners`.
    pub id: usize,
    /// Where it stands in the configuration: file and line.
    pub place: String,
    /// `ListenHTTP "name"`.
    pub name: Option<String>,
    /// Where in which file it stands: `pound.cfg:3.1-25.3`.
    pub locus: String,
    /// Where the socket comes from.
    pub address: ListenAddress,
    /// How TLS is spoken; `None` for `ListenHTTP`.
    pub tls: Option<ServerTls>,
    /// Methods that may pass (`xHTTP`).
    pub methods: MethodLevel,
    /// Methods that pass besides, by their exact names (`Methods`).
    pub methods_named: Vec<String>,
    /// Longest wait for the head of a request, and for the next request (`Client`).
    pub client_timeout: Duration,
    /// Longest silence of a client within a body, its own or the answer's (`StreamClient`, or the `Client` of a file that
    /// has no such word).
    pub client_stream: Silence,
    /// A client over TCP without TLS that has ended its side may still read its answer (`HalfClose`).
    pub half_close: bool,
    /// What a request target must match (`CheckURL`); refused with 501 otherwise.
    pub check_url: Option<Pattern>,
    /// The characters that each part of a target may have (`CheckURL 1`, `CSsegment` and so on); refused with 501 otherwise.
    pub alphabets: Option<Arc<Alphabets>>,
    /// Largest request body in bytes (`MaxRequest`); refused with 413.
    pub body_max: Option<u64>,
    /// Longest request target in bytes (`MaxURI`); refused with 414.
    pub target_max: Option<usize>,
    /// How much and how slowly a client may send.
    pub bounds: Bounds,
    /// Pages for our own errors (`ErrorFile`), the defaults filled in by the engine.
    pub error_pages: Pages,
    /// What happens to Location and Content-Location of an answer (`RewriteLocation`).
    pub rewrite_location: RewriteLocation,
    /// Whether the Destination field of WebDAV is translated (`RewriteDestination`).
    pub rewrite_destination: bool,
    /// Whether X-Forwarded-For, -Proto and -Port are set (`HeaderOption forwarded`).
    pub forwarded_headers: bool,
    /// Whether X-SSL-cipher and, of a client with a certificate, X-SSL-Subject and so on are set (`HeaderOption ssl`).
    pub tls_headers: TlsHeaders,
    /// The field that names the client to the back-end, X-Forwarded-For if nothing else was said (`ForwardedHeader`).
    pub forwarded_header: String,
    /// Peers whose forwarded field is believed (`TrustedIP`).
    pub trusted: Arc<Acl>,
    /// Index into `Logging::formats` (`LogLevel`).
    pub log_format: usize,
    /// Changes to requests and answers that hold for all services.
    pub rewrites: Rewrites,
    /// Tried in this order; the first whose conditions hold answers.
    pub services: Vec<Arc<Service>>,
}

/// `xHTTP`: which methods pass. Each level includes the lower ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MethodLevel {
    /// GET, POST, HEAD.
    Basic = 0,
    /// Also PUT, PATCH, DELETE.
    Extended = 1,
    /// Also WebDAV and OPTIONS.
    WebDav = 2,
    /// Also the verbs of Microsoft's WebDAV.
    Microsoft = 3,
}

/// `RewriteLocation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RewriteLocation {
    /// 0: answers keep their Location.
    Keep,
    /// 1: a Location that names the back-end or the listener is turned to what the client asked for.
    BackendOrListener,
    /// 2: only one that names the back-end.
    Backend,
}

/// The fields that tell of TLS (`HeaderOption`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsHeaders {
    /// There are none.
    None,
    /// The certificate of a client stands on one line.
    OneLine,
    /// It is folded, a line of PEM on each: what C Pound sends, and RFC 9112 section 5.2 forbids.
    Folded,
}
