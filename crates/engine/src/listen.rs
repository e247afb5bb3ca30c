//! Listening sockets.
//!
//! A TCP address is bound once for each worker (`SO_REUSEPORT`): the kernel spreads the clients, and no worker wakes
//! another. A Unix socket exists once and is shared.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use plan::{ListenAddress, Listener};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::holder;
use crate::limits;
use crate::reload::{PrepareError, resolve};

/// The sockets of one listener.
#[derive(Debug)]
pub(crate) struct Bound {
    /// Index into `Plan::listeners`.
    pub(crate) listener: usize,
    /// For people.
    pub(crate) addresses: Vec<String>,
    /// One list for each worker.
    pub(crate) sockets: Vec<Vec<Socket>>,
}

/// Binds the sockets of a listener for this many workers.
pub(crate) fn bind(listener: &Listener, workers: usize) -> Result<Bound, PrepareError> {
    let mut bound = Bound {
        listener: listener.id,
        addresses: Vec::new(),
        sockets: (0..workers).map(|_| Vec::new()).collect(),
    };
    let name = match &listener.name {
        Some(name) => format!("{}: listener \"{name}\"", listener.place),
        None => format!("{}: listener {}", listener.place, listener.id + 1),
    };
    let failed = |address: String| {
        move |error: io::Error| {
            let holder = (error.kind() == io::ErrorKind::AddrInUse).then(|| holder::of(&address)).flatten();
            PrepareError::Bind { listener: name.clone(), address: address.clone(), holder, error }
        }
    };
    match &listener.address {
        ListenAddress::Inet(address) => {
            bind_inet(&mut bound, *address).map_err(failed(address.to_string()))?;
        }
        ListenAddress::Name(host, port) => {
            for address in resolve("listener", host, *port)? {
                bind_inet(&mut bound, address).map_err(failed.clone()(format!("{host} ({address})")))?;
            }
        }
        ListenAddress::Unix(path) => {
            let socket = bind_unix(path).map_err(failed(path.display().to_string()))?;
            share(&mut bound, &socket, path.display().to_string())
                .map_err(|error| receive_failed(path, error))?;
        }
        ListenAddress::Received(path) => {
            let socket = receive(path).map_err(|error| receive_failed(path, error))?;
            let address = match socket.local_addr().ok().and_then(|address| address.as_socket()) {
                Some(address) => address.to_string(),
                None => format!("socket from {}", path.display()),
            };
            share(&mut bound, &socket, address).map_err(|error| receive_failed(path, error))?;
        }
    }
    Ok(bound)
}

fn receive_failed(path: &Path, error: io::Error) -> PrepareError {
    PrepareError::Receive { path: path.display().to_string(), error }
}

fn bind_inet(bound: &mut Bound, address: SocketAddr) -> io::Result<()> {
    let open = |address: SocketAddr, together: bool| -> io::Result<Socket> {
        let socket =
            Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(together)?;
        if let SocketAddr::V6(v6) = address {
            // `::` takes IPv4 clients as well, as C Pound's default address does.
            socket.set_only_v6(!v6.ip().is_unspecified())?;
        }
        socket.bind(&address.into())?;
        Ok(socket)
    };
    // With SO_REUSEPORT a second pound of the same user would share the port in silence. Alone, it hears the truth. It
    // does not listen yet: a client that came now would be cut off when this socket makes room for those of the workers.
    let alone = open(address, false)?;
    let workers = bound.sockets.len();
    let address = match alone.local_addr()?.as_socket() {
        Some(bound) => bound,
        None => address,
    };
    bound.addresses.push(address.to_string());
    if workers == 1 {
        alone.listen(limits::LISTEN_QUEUE)?;
        bound.sockets[0].push(alone);
        return Ok(());
    }
    drop(alone);
    for sockets in &mut bound.sockets {
        let socket = open(address, true)?;
        socket.listen(limits::LISTEN_QUEUE)?;
        sockets.push(socket);
    }
    Ok(())
}

fn bind_unix(path: &Path) -> io::Result<Socket> {
    let address = SockAddr::unix(path)?;
    if let Ok(metadata) = std::fs::symlink_metadata(path) {
        if !metadata.file_type().is_socket() {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "there is a file of that name that is no socket",
            ));
        }
        // A socket that nobody listens on is what an earlier run left behind.
        let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        if probe.connect(&address).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        std::fs::remove_file(path)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    socket.bind(&address)?;
    socket.listen(limits::LISTEN_QUEUE)?;
    Ok(socket)
}

/// Gives each worker its own descriptor of one socket.
fn share(bound: &mut Bound, socket: &Socket, address: String) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    bound.addresses.push(address);
    for sockets in &mut bound.sockets {
        sockets.push(socket.try_clone()?);
    }
    Ok(())
}

/// Receives a listening socket over the Unix socket at `path` (SCM_RIGHTS, unix(7)).
fn receive(path: &Path) -> io::Result<Socket> {
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
    let from = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    from.connect(&SockAddr::unix(path)?)?;
    let mut byte = [0u8; 64];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    recvmsg(from.as_fd(), &mut [io::IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let descriptor: Option<OwnedFd> = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let socket =
        Socket::from(descriptor.ok_or_else(|| {
            io::Error::new(io::ErrorKind::UnexpectedEof, "the message holds no descriptor")
        })?);
    if !socket.is_listener()? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the descriptor is no listening socket"));
    }
    Ok(socket)
}
