//! Access lists: sets of client addresses.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ipnet::IpNet;

use crate::watched::Watched;

/// A set of networks. An IPv4 entry also matches the IPv4-mapped IPv6 address.
///
/// The content may be replaced while we run when the list stands in a watched file; a reader sees the old list or
/// the new one, never a mixture.
#[derive(Debug)]
pub struct Acl {
    networks: ArcSwap<Vec<IpNet>>,
    file: Option<PathBuf>,
}

impl Acl {
    /// A fixed list.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Acl { networks: ArcSwap::from_pointee(networks), file: None }
    }

    /// A list that follows `file`; it starts with `networks`.
    pub fn watched(networks: Vec<IpNet>, file: PathBuf) -> Self {
        Acl { networks: ArcSwap::from_pointee(networks), file: Some(file) }
    }

    /// An empty list: contains no address.
    pub fn empty() -> Arc<Self> {
        Arc::new(Acl::new(Vec::new()))
    }

    /// Whether there is an entry at all.
    pub fn is_empty(&self) -> bool {
        self.networks.load().is_empty()
    }

    /// Whether `address` lies in one of the networks.
    pub fn contains(&self, address: IpAddr) -> bool {
        // A dual-stack listener sees IPv4 clients as ::ffff:a.b.c.d; an operator who writes 10.0.0.0/8 means them.
        let address = address.to_canonical();
        self.networks.load().iter().any(|network| network.contains(&address))
    }

    /// Reads one entry: an address or a network in CIDR form (`10.0.0.0/8`, `2001:db8::/32`, `192.0.2.1`).
    ///
    /// # Errors
    /// A sentence that says what was expected.
    pub fn entry(text: &str) -> Result<IpNet, String> {
        if let Ok(network) = text.parse::<IpNet>() {
            return Ok(network.trunc());
        }
        match text.parse::<IpAddr>() {
            Ok(address) => Ok(IpNet::from(address.to_canonical())),
            Err(_) => Err(format!(
                "\"{text}\" is not an address or a network such as 192.0.2.0/24 or 2001:db8::/32"
            )),
        }
    }

    /// Reads a list file: one entry a line, `#` begins a comment, blank lines are skipped.
    ///
    /// # Errors
    /// Line number (from 1) and sentence of every line that is no entry.
    pub fn entries(text: &str) -> Result<Vec<IpNet>, Vec<(usize, String)>> {
        crate::text::lines(text, Self::entry)
    }
}

impl Watched for Acl {
    fn path(&self) -> Option<&std::path::Path> {
        self.file.as_deref()
    }

    fn replace(&self, text: &str) -> Result<(), Vec<(usize, String)>> {
        let networks = Self::entries(text)?;
        self.networks.store(Arc::new(networks));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_entry_matches_the_mapped_address() {
        let acl = Acl::new(vec![Acl::entry("10.0.0.0/8").unwrap()]);
        assert!(acl.contains("10.1.2.3".parse().unwrap()));
        assert!(acl.contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!acl.contains("11.1.2.3".parse().unwrap()));
    }

    #[test]
    fn a_bad_file_changes_nothing_and_names_its_lines() {
        let acl = Acl::watched(vec![Acl::entry("10.0.0.0/8").unwrap()], "list".into());
        let errors = acl.replace("# ours\n192.0.2.1\nnonsense\n").unwrap_err();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].0, 3);
        assert!(acl.contains("10.1.2.3".parse().unwrap()));
        acl.replace("192.0.2.1 # one\n").unwrap();
        assert!(!acl.contains("10.1.2.3".parse().unwrap()));
        assert!(acl.contains("192.0.2.1".parse().unwrap()));
    }
}
