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
    /// Whether a Host that does not go with the certificate of the connection is refused with 421 (`CheckHost`).
    pub check_host: bool,
}
