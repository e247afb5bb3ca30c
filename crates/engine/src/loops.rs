//! Requests that come back to us: a back-end that is one of our own listeners.
//!
//! That may be meant (TLS in one listener, the rules in another one) or a mistake (a wrong port), and then a request
//! would go round for ever. So those that go to ourselves say how often they have, in a field that no other server
//! ever sees. The reasons are in `docs/why/loops.md`.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};

use socket2::Socket;
use wire::{Fields, Known};

use crate::backend::{Address, Live};
use crate::exchange::Exchange;
use crate::fault::Cause;
use crate::limits;
use crate::random::Random;

/// Which back-ends are ourselves, and how we know our own mark again.
#[derive(Debug)]
pub(crate) struct Loops {
    /// By `plan::Backend::id`. Empty if none is.
    own: Vec<bool>,
    /// No client can write a mark without this. One that guessed it would have its own request refused.
    key: u64,
}

impl Loops {
    /// Compares the back-ends with the sockets that listen. `jail` is what the paths of back-ends will be relative to.
    pub(crate) fn new<'a>(
        backends: impl Iterator<Item = &'a Live>,
        sockets: impl Iterator<Item = &'a Socket>,
        jail: Option<&Path>,
    ) -> Loops {
        let doors: Vec<Address> = sockets.filter_map(door).collect();
        let own: Vec<bool> = backends.map(|live| leads_to(&live.address, &doors, jail)).collect();
        let own = if own.contains(&true) { own } else { Vec::new() };
        Loops { own, key: Random::new().next() }
    }

    /// Where no request comes back.
    #[cfg(test)]
    pub(crate) fn none() -> Loops {
        Loops { own: Vec::new(), key: 0 }
    }

    /// Whether this back-end is one of our listeners.
    fn is_own(&self, backend: usize) -> bool {
        self.own.get(backend) == Some(&true)
    }

    /// How often the request has gone to ourselves so far.
    fn read(&self, fields: &Fields) -> u8 {
        if self.own.is_empty() {
            return 0;
        }
        fields.get_all(Known::PoundHops).filter_map(|value| self.hops(value)).max().unwrap_or(0)
    }

    fn hops(&self, value: &[u8]) -> Option<u8> {
        let (hops, key) = std::str::from_utf8(value).ok()?.split_once('-')?;
        (u64::from_str_radix(key, 16).ok()? == self.key).then(|| hops.parse().ok())?
    }

    fn mark(&self, hops: u8) -> Vec<u8> {
        format!("{hops}-{:016x}", self.key).into_bytes()
    }
}

/// Notes how often the request has gone to ourselves, before the mark goes with the fields of the connection.
pub(crate) fn note(x: &mut Exchange) {
    x.hops = x.running.loops.read(x.request.fields());
}

/// What the request has to say to this back-end about its way; `None` if the back-end is none of us.
///
/// # Errors
/// It has come round too often.
pub(crate) fn mark(x: &Exchange, backend: usize) -> Result<Option<Vec<u8>>, Cause> {
    let loops = &x.running.loops;
    if !loops.is_own(backend) {
        return Ok(None);
    }
    if x.hops >= limits::HOPS {
        return Err(Cause::Loop);
    }
    Ok(Some(loops.mark(x.hops + 1)))
}

/// Where a socket of ours listens.
fn door(socket: &Socket) -> Option<Address> {
    let address = socket.local_addr().ok()?;
    match address.as_socket() {
        Some(address) => Some(Address::Inet(vec![address])),
        None => address.as_pathname().map(|path| Address::Unix(path.to_owned())),
    }
}

fn leads_to(backend: &Address, doors: &[Address], jail: Option<&Path>) -> bool {
    match backend {
        Address::Inet(addresses) => doors.iter().any(|door| match door {
            Address::Inet(door) => {
                addresses.iter().any(|&address| door.iter().any(|&door| is_at(address, door)))
            }
            Address::Unix(_) => false,
        }),
        Address::Unix(path) => {
            let path = match (jail, path.strip_prefix("/")) {
                (Some(jail), Ok(inner)) => real(&jail.join(inner)),
                _ => real(path),
            };
            doors.iter().any(|door| matches!(door, Address::Unix(door) if real(door) == path))
        }
    }
}

/// The path without links, if it is there.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Whether a connection to `address` comes out at a socket that listens on `door`.
fn is_at(address: SocketAddr, door: SocketAddr) -> bool {
    if address.port() != door.port() {
        return false;
    }
    let (ip, all) = (address.ip().to_canonical(), door.ip().is_unspecified());
    let door = door.ip().to_canonical();
    if ip == door {
        return true;
    }
    // A connection to the unspecified address reaches the loopback one.
    if ip.is_unspecified() {
        return all || door.is_loopback();
    }
    // `::` takes clients of IPv4 as well, but not the other way round.
    all && (door.is_ipv6() || ip.is_ipv4()) && (ip.is_loopback() || is_here(ip))
}

/// Whether this machine has the address: then the kernel would come from there to go there. Nothing is sent.
fn is_here(ip: IpAddr) -> bool {
    const DISCARD: u16 = 9;
    let any: SocketAddr = match ip {
        IpAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        IpAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    let source = UdpSocket::bind(any).and_then(|socket| {
        socket.connect((ip, DISCARD))?;
        socket.local_addr()
    });
    source.is_ok_and(|source| source.ip() == ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str, door: &str) -> bool {
        is_at(address.parse().unwrap(), door.parse().unwrap())
    }

    #[test]
    fn an_address_is_found_behind_every_listener_that_takes_it() {
        for (address, door) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("127.0.0.1:80", "0.0.0.0:80"),
            ("127.9.9.9:80", "0.0.0.0:80"),
            ("127.0.0.1:80", "[::]:80"),
            ("[::ffff:127.0.0.1]:80", "127.0.0.1:80"),
            ("[::1]:80", "[::]:80"),
            ("[::1]:80", "[::1]:80"),
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::]:80", "[::]:80"),
        ] {
            assert!(at(address, door), "{address} {door}");
        }
        for (address, door) in [
            ("127.0.0.1:80", "127.0.0.1:81"),
            ("127.0.0.1:80", "127.0.0.2:80"),
            ("[::1]:80", "0.0.0.0:80"),
            ("[::1]:80", "127.0.0.1:80"),
            // Addresses for documentation (RFC 5737, RFC 3849) are nobody's.
            ("192.0.2.1:80", "0.0.0.0:80"),
            ("[2001:db8::1]:80", "[::]:80"),
        ] {
            assert!(!at(address, door), "{address} {door}");
        }
    }

    #[test]
    fn a_unix_socket_is_found_by_any_path_and_within_the_jail() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("socket"), folder.path().join("link"));
        std::fs::write(&path, "").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let doors = [Address::Unix(path.clone())];
        assert!(leads_to(&Address::Unix(path), &doors, None));
        assert!(leads_to(&Address::Unix(link), &doors, None));
        assert!(leads_to(&Address::Unix("/socket".into()), &doors, Some(folder.path())));
        assert!(!leads_to(&Address::Unix("/socket".into()), &doors, None));
        assert!(!leads_to(&Address::Inet(vec![([127, 0, 0, 1], 80).into()]), &doors, None));
    }

    #[test]
    fn only_our_own_mark_is_read() {
        let loops = Loops { own: vec![true], key: 0xab };
        let (mark, other) = (loops.mark(3), Loops { own: vec![true], key: 0xac }.mark(9));
        assert_eq!((loops.hops(&mark), loops.hops(&other)), (Some(3), None));
        for value in ["", "-", "3", "3-", "-ab", "x-ab", "256-00000000000000ab", "-1-ab"] {
            assert_eq!(loops.hops(value.as_bytes()), None, "{value}");
        }
    }
}
