//! Telling the service manager how we are (sd_notify(3)).
//!
//! The protocol is one datagram of `NAME=value` lines to the socket that `NOTIFY_SOCKET` names: a path, or a name in
//! Linux' abstract space if it begins with `@`. Without the variable nothing is sent.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The connection to the service manager, if there is one.
#[derive(Debug)]
pub(crate) struct Manager(Option<UnixDatagram>);

impl Manager {
    /// Connects, while the socket can still be seen (before a jail) and reached (before the user changes).
    pub(crate) fn find() -> Manager {
        let name = std::env::var_os("NOTIFY_SOCKET");
        Manager(name.and_then(|name| connect(&name).ok()))
    }

    /// None: for a process whose parent speaks to the manager.
    pub(crate) fn nobody() -> Manager {
        Manager(None)
    }

    /// Requests are served now. The id is told too, since a daemon is not the process that was started.
    pub(crate) fn ready(&self) {
        self.say(&format!("READY=1\nMAINPID={}\n", std::process::id()));
    }

    /// The graceful stop begins.
    pub(crate) fn stopping(&self) {
        self.say("STOPPING=1\n");
    }

    fn say(&self, lines: &str) {
        if let Some(socket) = &self.0 {
            // The manager's business if it does not listen: it decides what an unheard service means.
            let _ = socket.send(lines.as_bytes());
        }
    }
}

fn connect(name: &OsStr) -> std::io::Result<UnixDatagram> {
    let address = match name.as_bytes() {
        [b'@', hidden @ ..] => SocketAddr::from_abstract_name(hidden)?,
        path => SocketAddr::from_pathname(OsStr::from_bytes(path))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listener: &UnixDatagram, name: &OsStr) {
        let manager = Manager(Some(connect(name).unwrap()));
        let mut buffer = [0; 100];
        manager.ready();
        let size = listener.recv(&mut buffer).unwrap();
        assert_eq!(buffer[..size], *format!("READY=1\nMAINPID={}\n", std::process::id()).as_bytes());
        manager.stopping();
        let size = listener.recv(&mut buffer).unwrap();
        assert_eq!(buffer[..size], *b"STOPPING=1\n");
    }

    #[test]
    fn speaks_to_a_path_and_to_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        check(&UnixDatagram::bind(&path).unwrap(), path.as_os_str());

        let name = format!("pound-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        check(&UnixDatagram::bind_addr(&address).unwrap(), OsStr::new(&format!("@{name}")));
    }

    #[test]
    fn says_nothing_where_nobody_listens() {
        Manager(None).ready();
        assert!(connect(OsStr::new("/nonexistent/notify")).is_err());
    }
}
